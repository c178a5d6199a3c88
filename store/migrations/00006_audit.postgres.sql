-- What an order changed, who was behind it, and orders that wait for a second
-- person. Append-only as before: rows are added and never written again, also
-- not by a replacing insert.

-- +goose Up
ALTER TABLE commands ADD COLUMN subject TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN login TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN login_by TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN approver TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN before_fields TEXT NOT NULL DEFAULT '';
ALTER TABLE commands ADD COLUMN after_fields TEXT NOT NULL DEFAULT '';
CREATE INDEX commands_at ON commands (at);

CREATE TABLE requests (
    id          {{key}} NOT NULL PRIMARY KEY,
    at          BIGINT NOT NULL,
    expires_at  BIGINT NOT NULL,
    command     TEXT   NOT NULL,
    options     TEXT   NOT NULL,
    transfer_id {{key}} NOT NULL,
    seen        TEXT   NOT NULL,
    who         TEXT   NOT NULL,
    login       TEXT   NOT NULL,
    login_by    TEXT   NOT NULL,
    host        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    state       TEXT   NOT NULL,
    decided_at  BIGINT NOT NULL,
    decided_by  TEXT   NOT NULL
);
CREATE INDEX requests_pending ON requests (at, id) WHERE state = 'pending';
CREATE INDEX requests_transfer ON requests (transfer_id, id);

DROP VIEW commands_readable;
CREATE VIEW commands_readable AS
SELECT id, readable_time(at) AS time,
       name, subject, transfer_id, who, login, host, reason, approver, before_status, after_status, before_fields, after_fields
FROM commands;

-- Also for a session that has switched ordinary triggers off.
ALTER TABLE commands ENABLE ALWAYS TRIGGER commands_append_only;

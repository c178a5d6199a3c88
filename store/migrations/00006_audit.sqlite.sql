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
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1e6, 'unixepoch') AS time,
       name, subject, transfer_id, who, login, host, reason, approver, before_status, after_status, before_fields, after_fields
FROM commands;

-- INSERT OR REPLACE removes the row that is in its way without asking the
-- trigger against DELETE. A key that is made by the insert itself is -1 here.
-- +goose StatementBegin
CREATE TRIGGER commands_no_replace BEFORE INSERT ON commands
WHEN EXISTS (SELECT 1 FROM commands WHERE id = NEW.id)
BEGIN
    SELECT RAISE(ABORT, 'commands are append-only');
END;
-- +goose StatementEnd

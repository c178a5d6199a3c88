-- What tells a repeated file from a new one, and which files beside a transfer
-- are still to be written (design D5, D6). Both engines run this text.

-- +goose Up
ALTER TABLE transfers ADD COLUMN repeat_of TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN repeat TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN ended_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN result TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN error_path TEXT NOT NULL DEFAULT '';
ALTER TABLE transfers ADD COLUMN due INTEGER NOT NULL DEFAULT 0;
ALTER TABLE sessions ADD COLUMN heard INTEGER NOT NULL DEFAULT 0;

-- A file that was altered has never been sent, so what ended was what is there.
UPDATE transfers SET ended_digest = file_digest WHERE ended_once = 1;

-- Transfers with a file still to be written. Nearly always empty.
CREATE INDEX transfers_due ON transfers (due, place, created_at, id) WHERE due = 1;

CREATE VIEW repeats AS
SELECT t.id, t.status, t.repeat, t.institution, t.wire_name, t.base_date, t.serial,
       t.repeat_of, o.status AS earlier_status, t.file_digest, o.file_digest AS earlier_file_digest
FROM transfers t LEFT JOIN transfers o ON o.id = t.repeat_of
WHERE t.repeat_of <> '';

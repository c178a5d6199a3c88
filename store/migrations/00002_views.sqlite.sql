-- What people look at with a SQL client, and the rule that commands are
-- append-only. Both need words that only SQLite has.

-- +goose Up
CREATE VIEW transfers_readable AS
SELECT id, direction, status, institution, job, file_id, wire_name, base_date, serial, name,
       wire_size, blocks, tries, error_code, owner, term, attempt,
       strftime('%Y-%m-%dT%H:%M:%fZ', created_at / 1e6, 'unixepoch') AS created,
       strftime('%Y-%m-%dT%H:%M:%fZ', updated_at / 1e6, 'unixepoch') AS updated,
       CASE WHEN next_try = 0 THEN NULL ELSE strftime('%Y-%m-%dT%H:%M:%fZ', next_try / 1e6, 'unixepoch') END AS next,
       CASE WHEN ended_at = 0 THEN NULL ELSE strftime('%Y-%m-%dT%H:%M:%fZ', ended_at / 1e6, 'unixepoch') END AS ended
FROM transfers;

CREATE VIEW events_readable AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1e6, 'unixepoch') AS time,
       transfer_id, session_id, kind, from_status, to_status, code, detail
FROM events;

CREATE VIEW commands_readable AS
SELECT id, strftime('%Y-%m-%dT%H:%M:%fZ', at / 1e6, 'unixepoch') AS time,
       name, transfer_id, who, host, reason, before_status, after_status
FROM commands;

-- One row per telegram. blocks.lengths holds two bytes for each sequence,
-- the length plus one, high byte first; 0 means that it is missing. hex()
-- makes four digits of it, and instr() the value of each.
CREATE VIEW sequences AS
WITH RECURSIVE numbers (n) AS (
    SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 999
), cut AS (
    SELECT b.transfer_id, b.number AS block, n.n AS number,
           hex(substr(b.lengths, 2 * n.n - 1, 2)) AS h
    FROM blocks b JOIN numbers n ON n.n <= length(b.lengths) / 2
), valued AS (
    SELECT transfer_id, block, number,
           (instr('0123456789ABCDEF', substr(h, 1, 1)) - 1) * 4096
         + (instr('0123456789ABCDEF', substr(h, 2, 1)) - 1) * 256
         + (instr('0123456789ABCDEF', substr(h, 3, 1)) - 1) * 16
         + (instr('0123456789ABCDEF', substr(h, 4, 1)) - 1) AS v
    FROM cut
)
SELECT transfer_id, block, number,
       CASE WHEN v = 0 THEN 0 ELSE v - 1 END AS length,
       CASE WHEN v = 0 THEN 'missing' ELSE 'held' END AS state
FROM valued;

-- +goose StatementBegin
CREATE TRIGGER commands_no_update BEFORE UPDATE ON commands
BEGIN
    SELECT RAISE(ABORT, 'commands are append-only');
END;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE TRIGGER commands_no_delete BEFORE DELETE ON commands
BEGIN
    SELECT RAISE(ABORT, 'commands are append-only');
END;
-- +goose StatementEnd

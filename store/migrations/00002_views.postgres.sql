-- What people look at with a SQL client, the rule that commands are
-- append-only, and how rows lie on disk. All need words that only PostgreSQL
-- has, none newer than version 12.

-- +goose Up

-- Payload is not worth compressing on the way in: 210 MB/s go in like this
-- and 56 with the default.
ALTER TABLE blocks ALTER COLUMN payload SET STORAGE EXTERNAL;
-- A transfer's row is written with every block of it. With room on its page
-- the new version needs no new index entries.
ALTER TABLE transfers SET (fillfactor = 50);

-- +goose StatementBegin
CREATE FUNCTION readable_time(micros BIGINT) RETURNS TEXT LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN micros <> 0 THEN
        to_char(timestamp '1970-01-01' + micros * interval '1 microsecond', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') END
$$;
-- +goose StatementEnd

CREATE VIEW transfers_readable AS
SELECT id, direction, status, institution, job, file_id, wire_name, base_date, serial, name,
       wire_size, blocks, tries, error_code, owner, term, attempt,
       readable_time(created_at) AS created, readable_time(updated_at) AS updated,
       readable_time(next_try) AS next, readable_time(ended_at) AS ended
FROM transfers;

CREATE VIEW events_readable AS
SELECT id, readable_time(at) AS time, transfer_id, session_id, kind, from_status, to_status, code, detail
FROM events;

CREATE VIEW commands_readable AS
SELECT id, readable_time(at) AS time, name, transfer_id, who, host, reason, before_status, after_status
FROM commands;

-- One row per telegram. blocks.lengths holds two bytes for each sequence,
-- the length plus one, high byte first; 0 means that it is missing.
CREATE VIEW sequences AS
SELECT transfer_id, block, number, greatest(v - 1, 0) AS length,
       CASE WHEN v = 0 THEN 'missing' ELSE 'held' END AS state
FROM (
    SELECT b.transfer_id, b.number AS block, n AS number,
           get_byte(b.lengths, 2 * n - 2) * 256 + get_byte(b.lengths, 2 * n - 1) AS v
    FROM blocks b, generate_series(1, length(b.lengths) / 2) AS n
) AS cut;

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% are append-only', TG_TABLE_NAME;
END $$;
-- +goose StatementEnd
CREATE TRIGGER commands_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON commands
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What a transfer was before the database was put into quarantine, so that
-- releasing it restores that. A quarantine itself is a row of meta.

-- +goose Up
ALTER TABLE transfers ADD COLUMN held_from TEXT NOT NULL DEFAULT '';

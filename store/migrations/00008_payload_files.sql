-- Payload can stay in files (design D3): where that of a transfer is, '' for the
-- block rows. docs/database.md has the values.

-- +goose Up
ALTER TABLE transfers ADD COLUMN payload_in TEXT NOT NULL DEFAULT '';

-- Payload can be sealed at rest: which key a row needs, '' for none. The index
-- holds sealed rows only; from it the server learns at start which keys it must
-- have.

-- +goose Up
ALTER TABLE blocks ADD COLUMN key_id TEXT NOT NULL DEFAULT '';
CREATE INDEX blocks_sealed ON blocks (key_id) WHERE key_id <> '';

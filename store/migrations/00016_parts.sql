-- Of files whose first and last telegram are parts of their own, header and
-- trailer: their bytes, which say where the telegrams between them begin.

-- +goose Up
ALTER TABLE transfers ADD COLUMN head_size BIGINT NOT NULL DEFAULT 0;
ALTER TABLE transfers ADD COLUMN tail_size BIGINT NOT NULL DEFAULT 0;

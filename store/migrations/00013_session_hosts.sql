-- Sessions and their logs: which host's directories have the log, and the
-- sessions of one counterparty by time, for "pabal session list".

-- +goose Up
ALTER TABLE sessions ADD COLUMN host TEXT NOT NULL DEFAULT '';
CREATE INDEX sessions_institution ON sessions (institution, opened_at);

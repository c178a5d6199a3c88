-- Leases of instances and the lines of counterparties (design D4). An instance
-- of the program before this one has no lease of its own; it gets the default,
-- and as it does not beat it is dead after it.

-- +goose Up
ALTER TABLE instances ADD COLUMN lease BIGINT NOT NULL DEFAULT 15000000;
ALTER TABLE instances ADD COLUMN beats BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN ended BIGINT NOT NULL DEFAULT 0;
ALTER TABLE instances ADD COLUMN ended_by TEXT NOT NULL DEFAULT '';

-- A row is a session that is open with a counterparty. One whose owner's term
-- is over counts as none.
CREATE TABLE lines (
    institution TEXT   NOT NULL,
    direction   TEXT   NOT NULL,
    slot        BIGINT NOT NULL,
    session_id  {{key}} NOT NULL,
    owner       TEXT   NOT NULL,
    term        BIGINT NOT NULL,
    taken_at    BIGINT NOT NULL,
    PRIMARY KEY (institution, direction, slot)
);
CREATE INDEX lines_session ON lines (session_id);

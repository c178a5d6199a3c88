-- Retention. released_at says from when on payload is not to be used any more,
-- purged_at that none of its rows is left. The index holds the finished
-- transfers that may still have payload: the others cost nothing.

-- +goose Up
ALTER TABLE transfers ADD COLUMN purged_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX transfers_purge ON transfers (released_at, ended_at) WHERE claimable = 0 AND purged_at = 0;

-- Payload is written once and deleted once. A dead block is hundreds of
-- kilobytes of TOAST, so space must come back after far fewer rows than the
-- default fifth of the table, and without long pauses in between.
ALTER TABLE blocks SET (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 200,
    toast.autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_threshold = 2000,
    toast.autovacuum_vacuum_cost_limit = 2000);

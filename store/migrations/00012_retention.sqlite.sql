-- Retention. released_at says from when on payload is not to be used any more,
-- purged_at that none of its rows is left. The index holds the finished
-- transfers that may still have payload: the others cost nothing.

-- +goose Up
ALTER TABLE transfers ADD COLUMN purged_at BIGINT NOT NULL DEFAULT 0;
CREATE INDEX transfers_purge ON transfers (released_at, ended_at) WHERE claimable = 0 AND purged_at = 0;

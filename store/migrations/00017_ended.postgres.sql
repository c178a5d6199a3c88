-- Questions that cost the same however many transfers have ended.

-- +goose Up

-- What has ended is looked for by status, and by institution and status. Only
-- that is in these indexes: before, a transfer paid for its place among a
-- million ended ones with each change of its status.
DROP INDEX transfers_status;
CREATE INDEX transfers_ended ON transfers (status, created_at, id) WHERE claimable = 0;
CREATE INDEX transfers_ended_of ON transfers (institution, status, created_at, id) WHERE claimable = 0;

-- What a session can claim: without it the files of all other counterparties
-- would be looked at as well.
CREATE INDEX transfers_ready ON transfers (institution, direction, status, created_at, id) WHERE claimable = 1;

-- As before, with all that is asked for when the work directory is compared.
DROP INDEX transfers_not_backed_up;
CREATE INDEX transfers_not_backed_up ON transfers (place, created_at, id, work_path, backed_up_at) WHERE backed_up_at = 0 AND work_path <> '';

-- Each change of a status leaves a dead entry in every index, and a claim, which
-- begins with the oldest, goes through those that lie before it. By default they
-- are removed when a fifth of the table is dead, and not even then where that is
-- on few pages: beside a million rows practically never.
ALTER TABLE transfers SET (autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 1000, vacuum_index_cleanup = on);

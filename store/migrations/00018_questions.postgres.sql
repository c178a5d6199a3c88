-- An index for each kind of question, and no other that would do as well: two
-- that looked alike were taken for each other, as the statistics had met open
-- rows or not. A condition names its index by a term that is true anyway.

-- +goose Up
DROP INDEX transfers_claimable;
DROP INDEX transfers_ready;
DROP INDEX transfers_open;
DROP INDEX transfers_owned;
DROP INDEX transfers_ended;
DROP INDEX transfers_ended_of;
DROP INDEX transfers_identity;
DROP INDEX transfers_created;

-- Of the columns that say whether something is still to be done there are no
-- statistics: they change from one moment to the next, and plans with them. So the
-- server always expects half a percent of the rows. A new type, which is the old one,
-- removes what was gathered before.
ALTER TABLE transfers
    ALTER COLUMN claimable TYPE INTEGER, ALTER COLUMN due TYPE INTEGER, ALTER COLUMN ask TYPE TEXT,
    ALTER COLUMN place TYPE TEXT, ALTER COLUMN work_path TYPE TEXT,
    ALTER COLUMN backed_up_at TYPE BIGINT, ALTER COLUMN released_at TYPE BIGINT, ALTER COLUMN purged_at TYPE BIGINT;
ALTER TABLE transfers
    ALTER COLUMN claimable SET STATISTICS 0, ALTER COLUMN due SET STATISTICS 0, ALTER COLUMN ask SET STATISTICS 0,
    ALTER COLUMN place SET STATISTICS 0, ALTER COLUMN work_path SET STATISTICS 0,
    ALTER COLUMN backed_up_at SET STATISTICS 0, ALTER COLUMN released_at SET STATISTICS 0, ALTER COLUMN purged_at SET STATISTICS 0;

-- By status, what is open of all. Direction and place are there to be counted.
CREATE INDEX transfers_claimable ON transfers (claimable, status, created_at, id, direction, place) WHERE claimable = 1 AND status <> '';
-- By counterparty: what a session can claim.
CREATE INDEX transfers_ready ON transfers (institution, status, direction, created_at, id) WHERE claimable = 1 AND institution <> '';
-- By name.
CREATE INDEX transfers_open ON transfers (wire_name, institution, direction) WHERE claimable = 1 AND wire_name <> '';
-- By who has it in hand.
CREATE INDEX transfers_owned ON transfers (owner, term) WHERE claimable = 1 AND owner <> '';
-- What has ended, by status, and by counterparty.
CREATE INDEX transfers_ended ON transfers (status, created_at, id, direction, place) WHERE claimable = 0 AND status <> '';
CREATE INDEX transfers_ended_of ON transfers (institution, status, created_at, id) WHERE claimable = 0 AND institution <> '';
-- Of all rows: the identity of a file, and the newest.
CREATE INDEX transfers_identity ON transfers (wire_name, institution, direction, base_date, serial) WHERE direction <> '';
CREATE INDEX transfers_created ON transfers (created_at, id) WHERE id <> '';

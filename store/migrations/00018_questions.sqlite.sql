-- An index for each kind of question, and no other that would do as well.
-- A condition names its index by a term that is true anyway.

-- +goose Up

-- By status, what is open of all. Direction and place are there to be counted.
DROP INDEX transfers_claimable;
CREATE INDEX transfers_claimable ON transfers (claimable, status, created_at, id, direction, place) WHERE claimable = 1 AND status <> '';
-- By counterparty: what a session can claim.
DROP INDEX transfers_ready;
CREATE INDEX transfers_ready ON transfers (institution, status, direction, created_at, id) WHERE claimable = 1 AND institution <> '';
-- By name.
DROP INDEX transfers_open;
CREATE INDEX transfers_open ON transfers (wire_name, institution, direction) WHERE claimable = 1 AND wire_name <> '';
-- By who has it in hand.
DROP INDEX transfers_owned;
CREATE INDEX transfers_owned ON transfers (owner, term) WHERE claimable = 1 AND owner <> '';
-- What has ended, by status, and by counterparty.
DROP INDEX transfers_ended;
CREATE INDEX transfers_ended ON transfers (status, created_at, id, direction, place) WHERE claimable = 0 AND status <> '';
DROP INDEX transfers_ended_of;
CREATE INDEX transfers_ended_of ON transfers (institution, status, created_at, id) WHERE claimable = 0 AND institution <> '';
-- Of all rows: the identity of a file, and the newest.
DROP INDEX transfers_identity;
CREATE INDEX transfers_identity ON transfers (wire_name, institution, direction, base_date, serial) WHERE direction <> '';
DROP INDEX transfers_created;
CREATE INDEX transfers_created ON transfers (created_at, id) WHERE id <> '';

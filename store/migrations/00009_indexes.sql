-- Questions that would otherwise look at finished transfers, however many there
-- are. Only rows that a stage or a person still has work with are in these.

-- +goose Up

-- What is open of an institution and of a name: half files that a peer goes on
-- with, files that wait for a caller, lists of what is open.
CREATE INDEX transfers_open ON transfers (institution, direction, wire_name) WHERE claimable = 1;
-- What a person wants the peer to be asked about: mostly finished files, but
-- few of them.
CREATE INDEX transfers_asked ON transfers (status, institution, created_at, id) WHERE claimable = 1 AND ask <> '';

-- Tables of the first version. Both engines run this text; {{id}}, {{bytes}}
-- and {{key}} are replaced by the engine's words for a numbered key, for
-- binary data and for ids that sort by their bytes. Times are microseconds since 1970 in UTC, 0 is "not yet";
-- truth values are 0 or 1. docs/database.md explains every column.

-- +goose Up
CREATE TABLE meta (
    name  TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

CREATE TABLE instances (
    id      TEXT   NOT NULL PRIMARY KEY,
    term    BIGINT NOT NULL,
    beat    BIGINT NOT NULL,
    host    TEXT   NOT NULL,
    pid     BIGINT NOT NULL,
    started BIGINT NOT NULL
);

CREATE TABLE transfers (
    id           {{key}} NOT NULL PRIMARY KEY,
    direction    TEXT    NOT NULL,
    status       TEXT    NOT NULL,
    institution  TEXT    NOT NULL,
    job          TEXT    NOT NULL,
    file_id      TEXT    NOT NULL,
    wire_name    TEXT    NOT NULL,
    base_date    TEXT    NOT NULL,
    serial       TEXT    NOT NULL,
    name         TEXT    NOT NULL,
    place        TEXT    NOT NULL,
    source_id    TEXT    NOT NULL,
    work_path    TEXT    NOT NULL,
    backup_path  TEXT    NOT NULL,
    final_path   TEXT    NOT NULL,
    form         TEXT    NOT NULL,
    encoding     TEXT    NOT NULL,
    file_size    BIGINT  NOT NULL,
    wire_size    BIGINT  NOT NULL,
    message_size BIGINT  NOT NULL,
    data_size    BIGINT  NOT NULL,
    per_block    BIGINT  NOT NULL,
    records      BIGINT  NOT NULL,
    sequences    BIGINT  NOT NULL,
    blocks       BIGINT  NOT NULL,
    file_digest  TEXT    NOT NULL,
    wire_digest  TEXT    NOT NULL,
    owner        TEXT    NOT NULL,
    term         BIGINT  NOT NULL,
    attempt      BIGINT  NOT NULL,
    session_id   TEXT    NOT NULL,
    sent_bytes   BIGINT  NOT NULL,
    resent       BIGINT  NOT NULL,
    missed       BIGINT  NOT NULL,
    tries        BIGINT  NOT NULL,
    next_try     BIGINT  NOT NULL,
    ended_once   INTEGER NOT NULL,
    response     TEXT    NOT NULL,
    error_code   TEXT    NOT NULL,
    error_detail TEXT    NOT NULL,
    proofs       TEXT    NOT NULL,
    ask          TEXT    NOT NULL,
    created_at   BIGINT  NOT NULL,
    updated_at   BIGINT  NOT NULL,
    started_at   BIGINT  NOT NULL,
    backed_up_at BIGINT  NOT NULL,
    ended_at     BIGINT  NOT NULL,
    released_at  BIGINT  NOT NULL,
    claimable    INTEGER NOT NULL
);

-- What stages still have work with. Finished rows are not in it, so a claim
-- costs the same however many there are. The first column, which is always 1,
-- makes SQLite prefer it to transfers_status, which has the finished ones too.
CREATE INDEX transfers_claimable ON transfers (claimable, status, created_at, id) WHERE claimable = 1;
-- Rows that an instance holds, for settling them when it starts again.
CREATE INDEX transfers_owned ON transfers (owner, term) WHERE claimable = 1;
-- Claimed files that are not backed up yet (a send stage never waits for it).
CREATE INDEX transfers_not_backed_up ON transfers (place, created_at) WHERE backed_up_at = 0 AND work_path <> '';
-- The identity of a file (design D6). Repeats are legal, so it is not unique.
CREATE INDEX transfers_identity ON transfers (institution, direction, wire_name, base_date, serial);
CREATE INDEX transfers_created ON transfers (created_at, id);
CREATE INDEX transfers_status ON transfers (status, created_at, id);

CREATE TABLE blocks (
    id          {{id}},
    transfer_id {{key}} NOT NULL REFERENCES transfers (id),
    number      BIGINT  NOT NULL,
    byte_offset BIGINT  NOT NULL,
    length      BIGINT  NOT NULL,
    checksum    BIGINT  NOT NULL,
    lengths     {{bytes}} NOT NULL,
    stored_at   BIGINT  NOT NULL,
    payload     {{bytes}} NOT NULL,
    UNIQUE (transfer_id, number)
);
-- Everything is read by offset; blocks of a received file are as long as the
-- peer made them.
CREATE INDEX blocks_by_offset ON blocks (transfer_id, byte_offset);

CREATE TABLE events (
    id           {{id}},
    at           BIGINT NOT NULL,
    transfer_id  {{key}} NOT NULL,
    session_id   TEXT   NOT NULL,
    kind         TEXT   NOT NULL,
    from_status  TEXT   NOT NULL,
    to_status    TEXT   NOT NULL,
    code         TEXT   NOT NULL,
    detail       TEXT   NOT NULL,
    processed_at BIGINT NOT NULL DEFAULT 0
);
CREATE INDEX events_transfer ON events (transfer_id, id);
CREATE INDEX events_session ON events (session_id, id) WHERE session_id <> '';
CREATE INDEX events_unprocessed ON events (id) WHERE processed_at = 0;

CREATE TABLE commands (
    id            {{id}},
    at            BIGINT NOT NULL,
    name          TEXT   NOT NULL,
    transfer_id   {{key}} NOT NULL,
    who           TEXT   NOT NULL,
    host          TEXT   NOT NULL,
    reason        TEXT   NOT NULL,
    before_status TEXT   NOT NULL,
    after_status  TEXT   NOT NULL
);
CREATE INDEX commands_transfer ON commands (transfer_id, id);

CREATE TABLE sessions (
    id           {{key}} NOT NULL PRIMARY KEY,
    institution  TEXT    NOT NULL,
    profile      TEXT    NOT NULL,
    instance     TEXT    NOT NULL,
    direction    TEXT    NOT NULL,
    calling      INTEGER NOT NULL,
    peer         TEXT    NOT NULL,
    opened_at    BIGINT  NOT NULL,
    closed_at    BIGINT  NOT NULL,
    files        BIGINT  NOT NULL,
    error_code   TEXT    NOT NULL,
    error_detail TEXT    NOT NULL
);
CREATE INDEX sessions_opened ON sessions (opened_at);
CREATE INDEX sessions_open ON sessions (instance) WHERE closed_at = 0;

CREATE TABLE windows (
    name         TEXT   NOT NULL PRIMARY KEY,
    last_try     BIGINT NOT NULL,
    last_success BIGINT NOT NULL,
    updated_at   BIGINT NOT NULL
);

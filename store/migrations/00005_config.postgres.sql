-- Versions of the configuration (design D10), what each host said about a
-- proposal, and the processes that follow. History is append-only: of a
-- version only its state changes.

-- +goose Up
CREATE TABLE config_versions (
    number      BIGINT NOT NULL PRIMARY KEY,
    state       TEXT   NOT NULL,
    document    TEXT   NOT NULL,
    digest      TEXT   NOT NULL,
    base        BIGINT NOT NULL,
    origin      TEXT   NOT NULL,
    source      TEXT   NOT NULL,
    who         TEXT   NOT NULL,
    host        TEXT   NOT NULL,
    reason      TEXT   NOT NULL,
    proposed_at BIGINT NOT NULL,
    decided_at  BIGINT NOT NULL
);
CREATE INDEX config_versions_open ON config_versions (number) WHERE state = 'proposed';

CREATE TABLE config_answers (
    number   BIGINT  NOT NULL REFERENCES config_versions (number),
    host     TEXT    NOT NULL,
    pid      BIGINT  NOT NULL,
    accepted INTEGER NOT NULL,
    problems TEXT    NOT NULL,
    at       BIGINT  NOT NULL,
    PRIMARY KEY (number, host, pid)
);

CREATE TABLE config_followers (
    host    TEXT   NOT NULL,
    pid     BIGINT NOT NULL,
    version BIGINT NOT NULL,
    since   BIGINT NOT NULL,
    PRIMARY KEY (host, pid)
);

-- What former programs noted in place of versions.
DELETE FROM meta WHERE name = 'config';

CREATE TRIGGER config_versions_fixed BEFORE UPDATE OF number, document, digest, base, origin, source, who, host, reason, proposed_at ON config_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER config_versions_no_delete BEFORE DELETE OR TRUNCATE ON config_versions
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE VIEW config_versions_readable AS
SELECT number, state, digest, base, origin, source, who, host, reason,
       readable_time(proposed_at) AS proposed, readable_time(decided_at) AS decided
FROM config_versions;

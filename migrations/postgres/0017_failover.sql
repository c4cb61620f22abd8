-- How gateways agree that nothing was lost when the database moves to another server, after a failover or a restore
-- (docs/RECOVERY.md).

SET LOCAL search_path TO core;

CREATE TABLE ledger_servers (
    number    BIGINT NOT NULL CONSTRAINT ledger_servers_pkey PRIMARY KEY, -- counted from 1; the newest is in force
    server    TEXT   NOT NULL,
    epoch     BIGINT NOT NULL,
    agreed_at BIGINT NOT NULL
);

CREATE TABLE ledger_attestations (
    gateway     TEXT   NOT NULL,
    server      TEXT   NOT NULL,           -- where it compared the history with its files and its memory
    epoch       BIGINT NOT NULL,
    finding     TEXT,                      -- what the database lacks; null for nothing
    attested_at BIGINT NOT NULL,           -- by the clock of the server
    CONSTRAINT ledger_attestations_pkey PRIMARY KEY (gateway, server)
);

CREATE TRIGGER ledger_servers_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_servers FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- What distinguishes a server from one that takes its place: the cluster, and its timeline, which every promotion and every recovery to a
-- point in time changes. A restart and a crash change neither. Null on a standby.
CREATE FUNCTION core.database_server() RETURNS TEXT LANGUAGE sql VOLATILE AS $$
    SELECT CASE WHEN NOT pg_is_in_recovery()
        THEN c.system_identifier::text || '/' || left(pg_walfile_name(pg_current_wal_lsn()), 8) END
    FROM pg_control_system() AS c
$$;

-- Whether this is the server that the gateways agreed on last; also where they have not agreed on any yet.
CREATE FUNCTION core.is_agreed_server() RETURNS BOOLEAN LANGUAGE sql VOLATILE AS $$
    SELECT coalesce((SELECT s.server = core.database_server() FROM core.ledger_servers s ORDER BY s.number DESC LIMIT 1), true)
$$;

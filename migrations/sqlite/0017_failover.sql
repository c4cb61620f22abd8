-- How gateways agree that nothing was lost when the database moves to another server (docs/RECOVERY.md). SQLite has no server:
-- the tables are here so that both engines have the same ones.

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

CREATE TRIGGER ledger_servers_no_update BEFORE UPDATE ON ledger_servers BEGIN SELECT RAISE(ABORT, 'ledger_servers is insert-only'); END;
CREATE TRIGGER ledger_servers_no_delete BEFORE DELETE ON ledger_servers BEGIN SELECT RAISE(ABORT, 'ledger_servers is insert-only'); END;

-- What a history that was turned back is recognised by (docs/RECOVERY.md). The epoch of the log is agreed on here, and not by
-- a setting of each host. The ends of access are numbered here and copied to a journal outside the database.

CREATE TABLE ledger_epochs (
    epoch    BIGINT NOT NULL CONSTRAINT ledger_epochs_pkey PRIMARY KEY,
    began_at BIGINT NOT NULL
);

CREATE TABLE ends (
    number BIGINT NOT NULL CONSTRAINT ends_pkey PRIMARY KEY,
    -- The ledger entry of the act.
    id     TEXT   NOT NULL CONSTRAINT ends_id_key UNIQUE,
    epoch  BIGINT NOT NULL,
    kind   TEXT   NOT NULL,
    target TEXT   NOT NULL,
    detail TEXT   NOT NULL,
    actor  TEXT   NOT NULL,
    at     BIGINT NOT NULL
);

CREATE TRIGGER ledger_epochs_no_update BEFORE UPDATE ON ledger_epochs BEGIN SELECT RAISE(ABORT, 'ledger_epochs is insert-only'); END;
CREATE TRIGGER ledger_epochs_no_delete BEFORE DELETE ON ledger_epochs BEGIN SELECT RAISE(ABORT, 'ledger_epochs is insert-only'); END;
CREATE TRIGGER ends_no_update BEFORE UPDATE ON ends BEGIN SELECT RAISE(ABORT, 'ends is insert-only'); END;
CREATE TRIGGER ends_no_delete BEFORE DELETE ON ends BEGIN SELECT RAISE(ABORT, 'ends is insert-only'); END;

-- What every answer writes, without looking up what was written with it: entry, opening, queued row and leaf are written
-- by the same functions in the same transaction or from an entry that was read, entries cannot be deleted, and `ledger
-- verify` names whatever belongs to no entry. Leaves are two trees instead of three, and the queue is one instead of two.

CREATE TABLE ledger_openings_kept (
    entry_id   TEXT NOT NULL CONSTRAINT ledger_openings_pkey PRIMARY KEY,
    client_id  TEXT,
    consent_id TEXT,
    body       TEXT NOT NULL
);
INSERT INTO ledger_openings_kept SELECT entry_id, client_id, consent_id, body FROM ledger_openings ORDER BY rowid;
DROP TABLE ledger_openings;
ALTER TABLE ledger_openings_kept RENAME TO ledger_openings;
CREATE INDEX ledger_openings_client_index ON ledger_openings (client_id, entry_id);

CREATE TABLE ledger_unsealed_kept (
    entry_id TEXT NOT NULL CONSTRAINT ledger_unsealed_pkey PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO ledger_unsealed_kept SELECT entry_id FROM ledger_unsealed ORDER BY entry_id;
DROP TABLE ledger_unsealed;
ALTER TABLE ledger_unsealed_kept RENAME TO ledger_unsealed;

CREATE TABLE ledger_leaves_kept (
    leaf_index BIGINT NOT NULL CONSTRAINT ledger_leaves_pkey PRIMARY KEY,
    entry_id   TEXT   NOT NULL CONSTRAINT ledger_leaves_entry_key UNIQUE
) WITHOUT ROWID;
INSERT INTO ledger_leaves_kept SELECT leaf_index, entry_id FROM ledger_leaves ORDER BY leaf_index;
DROP TABLE ledger_leaves;
ALTER TABLE ledger_leaves_kept RENAME TO ledger_leaves;
CREATE TRIGGER ledger_leaves_no_update BEFORE UPDATE ON ledger_leaves BEGIN SELECT RAISE(ABORT, 'ledger_leaves is insert-only'); END;
CREATE TRIGGER ledger_leaves_no_delete BEFORE DELETE ON ledger_leaves BEGIN SELECT RAISE(ABORT, 'ledger_leaves is insert-only'); END;

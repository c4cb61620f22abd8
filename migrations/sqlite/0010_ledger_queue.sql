-- The queue of the sealer as one tree instead of two, and without looking up the entry once more: each of its rows is
-- written with its entry by the same function in the same transaction, entries cannot be deleted, and `ledger verify`
-- names a row without one.

CREATE TABLE ledger_queue (
    entry_id TEXT NOT NULL CONSTRAINT ledger_unsealed_pkey PRIMARY KEY
) WITHOUT ROWID;
INSERT INTO ledger_queue (entry_id) SELECT entry_id FROM ledger_unsealed;
DROP TABLE ledger_unsealed;
ALTER TABLE ledger_queue RENAME TO ledger_unsealed;

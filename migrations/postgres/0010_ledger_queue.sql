-- What every answer writes, without a trigger and a locked row for each reference. The guarantee stands elsewhere: entry,
-- opening and queued row are written by the same functions in the same transaction, a leaf is made of an entry that was
-- read, entries cannot be deleted, and `ledger verify` names whatever belongs to no entry.

SET LOCAL search_path TO core;

ALTER TABLE ledger_openings DROP CONSTRAINT ledger_openings_entry_id_fkey;
ALTER TABLE ledger_unsealed DROP CONSTRAINT ledger_unsealed_entry_id_fkey;
ALTER TABLE ledger_leaves DROP CONSTRAINT ledger_leaves_entry_id_fkey;

-- Texts full of random salts: compressing them is work for nothing.
ALTER TABLE ledger_entries ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE ledger_openings ALTER COLUMN body SET STORAGE EXTERNAL;
ALTER TABLE ledger_entries SET (toast_tuple_target = 8160);
ALTER TABLE ledger_openings SET (toast_tuple_target = 8160);

-- A queue: all of it is dead rows before long.
ALTER TABLE ledger_unsealed SET (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 10000);

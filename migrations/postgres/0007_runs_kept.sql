-- What a run needs to be reckoned again: its catalogue as it was, and the last import of facts that it read.

ALTER TABLE runs ADD COLUMN catalogue_digest TEXT NOT NULL DEFAULT '';
ALTER TABLE runs ADD COLUMN imports_to BIGINT NOT NULL DEFAULT 0;

-- Facts are kept as chunks from here on; what was imported as rows is imported again from its files.
UPDATE imports SET state = 'discarded' WHERE template = 'records' AND state = 'accepted';

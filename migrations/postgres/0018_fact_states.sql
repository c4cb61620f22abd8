-- Facts that are taken back, documents that are one act, and files that replace others.

-- How facts are counted. 1: by day and source, as delivered. 2: by document, without facts that were taken back. A run is
-- replayed and explained as it was made.
ALTER TABLE runs ADD COLUMN counting BIGINT NOT NULL DEFAULT 1;
ALTER TABLE corrections ADD COLUMN counting BIGINT NOT NULL DEFAULT 1;

ALTER TABLE imports ADD COLUMN options TEXT;                        -- how it was read; none of imports before this step
ALTER TABLE imports ADD COLUMN replaced_by BIGINT;                  -- number of the import whose rows count instead
ALTER TABLE imports ADD COLUMN identity BIGINT NOT NULL DEFAULT 1;  -- 2: a document is in it once

-- A file may be accepted again, after others changed what it had delivered.
DROP INDEX imports_digest_key;
CREATE INDEX imports_digest_index ON imports (template, sha256);

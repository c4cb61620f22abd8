-- The version of the method by which a run was computed, so that it is replayed and corrected by the same one. In version 1 a
-- stock counts in its own half-year only, and the branches of a head that is not rated count for nobody; in version 2 a stock
-- counts as long as the catalogue says, and these branches count for the head above.

ALTER TABLE runs ADD COLUMN method BIGINT NOT NULL DEFAULT 1; -- 1 | 2

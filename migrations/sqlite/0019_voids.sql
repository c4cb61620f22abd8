-- Facts that were taken back (reconsideration, court, error). The last accepted row of a document decides.
CREATE TABLE IF NOT EXISTS bulk.voids (
    subject_code TEXT   NOT NULL,
    measure      TEXT   NOT NULL,
    document     TEXT   NOT NULL,                  -- the reference without differences of writing
    import_seq   BIGINT NOT NULL,
    reference    TEXT   NOT NULL,                  -- as it was written
    reason       TEXT   NOT NULL,
    decided_on   TEXT   NOT NULL,                  -- day
    decision     TEXT,                             -- the reference of the decision
    restored     BIGINT NOT NULL,                  -- 1: the fact counts again
    PRIMARY KEY (subject_code, measure, document, import_seq)
) WITHOUT ROWID;

-- Documents of events by chunk of facts, so that an import finds those that were delivered before.
CREATE TABLE IF NOT EXISTS bulk.fact_documents (
    import_seq BIGINT NOT NULL,
    part       BIGINT NOT NULL,                    -- of the chunk
    documents  BLOB   NOT NULL,                    -- hashes of subject, measure and document, sorted
    PRIMARY KEY (import_seq, part)
) WITHOUT ROWID;

-- Documents that an import moved to another half-year: facts of them from earlier imports do not count.
CREATE TABLE IF NOT EXISTS bulk.fact_revisions (
    subject_code TEXT   NOT NULL,
    measure      TEXT   NOT NULL,
    document     TEXT   NOT NULL,
    import_seq   BIGINT NOT NULL,
    PRIMARY KEY (subject_code, measure, document, import_seq)
) WITHOUT ROWID;

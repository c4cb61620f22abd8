-- Credit facts in sorted, compressed columns; what a run found, without what can be reckoned again.

DROP TABLE IF EXISTS bulk.records;
DROP TABLE IF EXISTS bulk.results;

-- A chunk: facts of one import, one kind and one half-year, of subjects from one code to another. The first part comes
-- before the second in the row, so that a run, which needs it alone, reads no more.
CREATE TABLE bulk.fact_chunks (
    import_seq BIGINT NOT NULL,
    part       BIGINT NOT NULL,
    kind       TEXT   NOT NULL,
    period     TEXT   NOT NULL,                    -- 2026-H1
    first_code TEXT COLLATE "C" NOT NULL,
    last_code  TEXT COLLATE "C" NOT NULL,
    row_count  BIGINT NOT NULL,
    digest     BYTEA  NOT NULL,                    -- SHA-256 over both parts
    totals     BYTEA  NOT NULL,                    -- what facts add up to, by subject and measure
    facts      BYTEA  NOT NULL,                    -- the facts, in blocks
    PRIMARY KEY (import_seq, part)
);
CREATE INDEX fact_chunks_subject_index ON bulk.fact_chunks (kind, period, first_code, last_code);

-- Working rows of runs.
CREATE TABLE bulk.run_results (
    run_id       TEXT   NOT NULL,
    subject_code TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    reason       TEXT,
    grade        TEXT,
    points       BIGINT,
    findings     TEXT   NOT NULL,                  -- JSON: what each part of the model came to
    standing     TEXT   NOT NULL,                  -- JSON: what of the subject's file was looked at
    PRIMARY KEY (run_id, subject_code)
);

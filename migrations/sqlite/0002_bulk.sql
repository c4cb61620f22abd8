-- Immutable batches: nothing here is ever changed. `import_seq` names the import that brought a row; it counts only
-- when that import is accepted in core.imports. Applied to bulk.db, attached as `bulk`.

-- Settlement months. Every version is kept: the accepted import with the highest seq is the present one.
CREATE TABLE IF NOT EXISTS bulk.settlements (
    subject_code    TEXT   NOT NULL,
    month           TEXT   NOT NULL,
    insurance       TEXT   NOT NULL,               -- employee | resident
    import_seq      BIGINT NOT NULL,
    visits          BIGINT NOT NULL,
    persons         BIGINT NOT NULL,
    billed_fen      BIGINT NOT NULL,
    claimed_fen     BIGINT NOT NULL,
    settled_fen     BIGINT NOT NULL,
    paid_fen        BIGINT NOT NULL,
    retained_fen    BIGINT NOT NULL,
    disallowed_fen  BIGINT NOT NULL,
    deducted_fen    BIGINT NOT NULL,
    prepaid_fen     BIGINT NOT NULL,
    offset_fen      BIGINT NOT NULL,
    payable_fen     BIGINT NOT NULL,
    status          TEXT   NOT NULL,               -- provisional | final
    as_of           TEXT   NOT NULL,               -- day
    PRIMARY KEY (subject_code, month, insurance, import_seq)
) WITHOUT ROWID;

-- Credit facts, one a row. Source and reference tell facts of one day apart; the latest accepted import of one counts.
CREATE TABLE IF NOT EXISTS bulk.records (
    subject_code TEXT   NOT NULL,
    measure      TEXT   NOT NULL,
    occurred_on  TEXT   NOT NULL,
    import_seq   BIGINT NOT NULL,
    line         BIGINT NOT NULL,                  -- of the file, so that a fact can be found again
    value_e4     BIGINT NOT NULL,                  -- ten-thousandths
    source       TEXT   NOT NULL,
    reference    TEXT   NOT NULL,
    PRIMARY KEY (subject_code, measure, occurred_on, import_seq, source, reference)
) WITHOUT ROWID;

-- Adverse facts with their periods of publication (令第36号).
CREATE TABLE IF NOT EXISTS bulk.adverse (
    subject_code       TEXT   NOT NULL,
    reference          TEXT   NOT NULL,
    import_seq         BIGINT NOT NULL,
    source             TEXT   NOT NULL,
    tier               TEXT   NOT NULL,            -- minor | general | serious
    decided_on         TEXT   NOT NULL,
    publish_from_on    TEXT,
    earliest_repair_on TEXT,
    latest_end_on      TEXT,
    status             TEXT   NOT NULL,            -- effective | repaired | withdrawn
    PRIMARY KEY (subject_code, reference, import_seq)
) WITHOUT ROWID;

-- Who practises where.
CREATE TABLE IF NOT EXISTS bulk.affiliations (
    person_code      TEXT   NOT NULL,
    institution_code TEXT   NOT NULL,
    import_seq       BIGINT NOT NULL,
    main             BIGINT NOT NULL,              -- 0 | 1
    from_on          TEXT   NOT NULL,
    to_on            TEXT,
    PRIMARY KEY (person_code, institution_code, import_seq, from_on)
) WITHOUT ROWID;

-- Settlement accounts, as keyed hashes only.
CREATE TABLE IF NOT EXISTS bulk.accounts (
    subject_code  TEXT   NOT NULL,
    bank_code     TEXT   NOT NULL,
    account_hash  BLOB   NOT NULL,
    valid_from_on TEXT   NOT NULL,
    import_seq    BIGINT NOT NULL,
    PRIMARY KEY (subject_code, valid_from_on, import_seq)
) WITHOUT ROWID;

-- Subjects staged by an import, until its last transaction moves them to core.
CREATE TABLE IF NOT EXISTS bulk.staged_subjects (
    import_seq BIGINT NOT NULL,
    line       BIGINT NOT NULL,
    body       TEXT   NOT NULL,                    -- JSON of the row, personal parts sealed
    PRIMARY KEY (import_seq, line)
) WITHOUT ROWID;

-- Working rows of runs.
CREATE TABLE IF NOT EXISTS bulk.results (
    run_id       TEXT   NOT NULL,
    subject_code TEXT   NOT NULL,
    status       TEXT   NOT NULL,
    reason       TEXT,
    grade        TEXT,
    points       BIGINT,
    explanation  TEXT   NOT NULL,                  -- JSON
    PRIMARY KEY (run_id, subject_code)
) WITHOUT ROWID;

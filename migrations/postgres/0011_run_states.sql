-- What befalls a run after it was made, and corrections of what was published.

ALTER TABLE runs ADD COLUMN preassessed_at BIGINT;     -- since when subjects may object to it (预评定)
ALTER TABLE runs ADD COLUMN superseded_by TEXT;        -- the run that took its place
ALTER TABLE runs ADD COLUMN ended_at BIGINT;           -- when it was superseded or discarded

-- One pre-assessment of a scheme and kind at a time: a subject objects to one result.
CREATE UNIQUE INDEX runs_preassessment_key ON runs (kind, scheme) WHERE state = 'preassessment';

-- How a version of an assessment after its first came about: enough to reckon it again. Insert and select only.
CREATE TABLE corrections (
    run_id       TEXT   NOT NULL REFERENCES runs (id),
    subject_code TEXT   NOT NULL,
    version      BIGINT NOT NULL,                      -- of the assessment it made
    reason       TEXT   NOT NULL,                      -- the operator's words; never told outside
    operator     TEXT   NOT NULL,
    imports_to   BIGINT NOT NULL,                      -- the last import of facts that was read
    findings     TEXT   NOT NULL,                      -- JSON, as in run_results
    standing     TEXT   NOT NULL,                      -- JSON, as in run_results
    made_at      BIGINT NOT NULL,
    CONSTRAINT corrections_pkey PRIMARY KEY (subject_code, run_id, version)
);
CREATE INDEX corrections_run_index ON corrections (run_id);

-- Objections of subjects to their results, and the promised last day of objections to a run.

ALTER TABLE runs ADD COLUMN objections_until_on TEXT; -- the last day of objections, as it was promised at pre-assessment

CREATE TABLE objections (
    id           TEXT   NOT NULL CONSTRAINT objections_pkey PRIMARY KEY,
    subject_code TEXT   NOT NULL,
    run_id       TEXT   REFERENCES runs (id),          -- the result that it is about, where one is named
    reason       TEXT   NOT NULL,                      -- in the operator's words; never shown outside
    opened_at    BIGINT NOT NULL,
    opened_by    TEXT   NOT NULL,
    due_on       TEXT   NOT NULL,                      -- the last day to decide it, in working days
    outcome      TEXT,                                 -- upheld, rejected or withdrawn; null while it is open
    decision     TEXT,                                 -- the reason of the decision
    decided_at   BIGINT,
    decided_by   TEXT
);

-- A subject has one open objection at a time: its mark is released when that one is decided.
CREATE UNIQUE INDEX objections_open_key ON objections (subject_code) WHERE outcome IS NULL;
CREATE INDEX objections_due_index ON objections (due_on) WHERE outcome IS NULL;

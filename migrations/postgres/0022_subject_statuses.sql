-- Since when the present statuses of a subject hold, and what they were before. A subject without rows in the history has had its
-- present statuses from the beginning.

ALTER TABLE subjects ADD COLUMN agreement_status_on TEXT; -- the first day of agreement_status; null: from the beginning
ALTER TABLE subjects ADD COLUMN licence_status_on TEXT;   -- the first day of licence_status; null: from the beginning

-- Insert and select only. On a day, the status of the latest import counts whose from_on is not after that day.
CREATE TABLE subject_statuses (
    subject_code TEXT   NOT NULL,
    subject_of   TEXT   NOT NULL,                      -- agreement | licence
    import_seq   BIGINT NOT NULL,                      -- the import that reported it
    from_on      TEXT,                                 -- the first day; null: from the beginning
    status       TEXT   NOT NULL,
    CONSTRAINT subject_statuses_pkey PRIMARY KEY (subject_code, subject_of, import_seq)
);

-- Packages for platforms: what is sent to whom, how far it came, and what each platform answered.

CREATE TABLE push_platforms (
    platform       TEXT   NOT NULL CONSTRAINT push_platforms_pkey PRIMARY KEY,
    owner          TEXT,                           -- the gateway that delivers to it
    lease_until_at BIGINT,
    failures       BIGINT NOT NULL,                -- in succession
    open_until_at  BIGINT,                         -- the circuit breaker: nothing is delivered before
    last_error     TEXT,                           -- in words; nothing personal
    last_error_at  BIGINT,
    paused_at      BIGINT,                         -- by an operator
    paused_by      TEXT,
    pause_reason   TEXT
);

-- A package: rows that were frozen together. While it is being made it has the number 0.
CREATE TABLE push_packages (
    id             TEXT   NOT NULL CONSTRAINT push_packages_pkey PRIMARY KEY,
    platform       TEXT   NOT NULL,
    number         BIGINT NOT NULL,                -- of the platform's packages, from 1
    state          TEXT   NOT NULL,                -- building | open | closed
    cause          TEXT   NOT NULL,                -- scheduled | correction | resend | manual
    dataset        TEXT   NOT NULL,                -- grades | usage
    receiver_set   TEXT   NOT NULL,                -- the platform's code of the data set
    kind           TEXT,
    scheme         TEXT,
    period         TEXT   NOT NULL,
    run_id         TEXT   REFERENCES runs (id),
    definition     TEXT   NOT NULL,                -- SHA-256 of the platform's file
    row_count      BIGINT NOT NULL,
    page_count     BIGINT NOT NULL,
    digest         TEXT   NOT NULL,                -- SHA-256 over the digests of the pages
    manifest       TEXT   NOT NULL,                -- canonical JSON
    signature      TEXT   NOT NULL,                -- a detached JWS over the manifest
    made_at        BIGINT NOT NULL,
    made_by        TEXT   NOT NULL,
    due_at         BIGINT NOT NULL,                -- when every row should have been answered
    receipts_after TEXT,                           -- how far the receipts are read
    receipts_at    BIGINT NOT NULL,                -- when to read them next
    receipts_tries BIGINT NOT NULL,                -- without anything new
    closed_at      BIGINT
);
CREATE UNIQUE INDEX push_packages_number_key ON push_packages (platform, number) WHERE number > 0;
CREATE INDEX push_packages_open_index ON push_packages (platform, id) WHERE state <> 'closed';

-- A page, as it was frozen; delivered as the outbox item says.
CREATE TABLE push_pages (
    package_id TEXT   NOT NULL REFERENCES push_packages (id),
    page       BIGINT NOT NULL,
    lane       BIGINT NOT NULL,                    -- rows of one record are always in the same lane
    row_count  BIGINT NOT NULL,
    body       TEXT   NOT NULL,                    -- JSON: field names, and the rows in order
    digest     TEXT   NOT NULL,                    -- SHA-256 of the body
    item_id    TEXT   REFERENCES outbox_items (id),
    CONSTRAINT push_pages_pkey PRIMARY KEY (package_id, page)
);

-- A version of a record, sent to one platform.
CREATE TABLE push_rows (
    platform   TEXT   NOT NULL,
    record_id  TEXT   NOT NULL,
    version    BIGINT NOT NULL,
    package_id TEXT   NOT NULL REFERENCES push_packages (id),
    page       BIGINT NOT NULL,
    code       TEXT,                               -- the subject; null for counts
    operation  TEXT   NOT NULL,                    -- I | U | D
    content    TEXT   NOT NULL,                    -- SHA-256 of the fields without version and operation
    digest     TEXT   NOT NULL,                    -- SHA-256 of the fields, as the platform's inventory has it
    state      TEXT   NOT NULL,                    -- open | accepted | rejected | resolved | waived | withheld | recalled
    reason     TEXT,                               -- R01 to R99; why it was withheld or waived
    note       TEXT,                               -- the receiver's words, unverified
    decided_at BIGINT,
    CONSTRAINT push_rows_pkey PRIMARY KEY (platform, record_id, version)
);
CREATE INDEX push_rows_page_index ON push_rows (package_id, page);
CREATE INDEX push_rows_subject_index ON push_rows (code) WHERE code IS NOT NULL;
CREATE INDEX push_rows_open_index ON push_rows (package_id) WHERE state = 'open';
CREATE INDEX push_rows_rejected_index ON push_rows (platform, package_id) WHERE state = 'rejected';

-- What the schedules have made, also where nothing was to be sent.
CREATE TABLE push_scheduled (
    platform TEXT   NOT NULL,
    dataset  TEXT   NOT NULL,
    occasion TEXT   NOT NULL,                      -- a run, a month of a run, or a period of counts
    made_at  BIGINT NOT NULL,
    CONSTRAINT push_scheduled_pkey PRIMARY KEY (platform, dataset, occasion)
);

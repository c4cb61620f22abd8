-- Files that departments' systems deliver over the network.

-- Which client delivered an import; null where an operator brought it.
ALTER TABLE imports ADD COLUMN client_id TEXT;

-- What a department may deliver, JSON: templates, and the sources it speaks for; null for banks.
ALTER TABLE clients ADD COLUMN delivers TEXT;

-- What a client was told of its import, to be asked for again.
CREATE TABLE import_reports (
    import_id TEXT   NOT NULL CONSTRAINT import_reports_pkey PRIMARY KEY REFERENCES imports (id),
    client_id TEXT   NOT NULL REFERENCES clients (id),
    body      TEXT   NOT NULL,                     -- JSON, as it was answered
    made_at   BIGINT NOT NULL
);
CREATE INDEX import_reports_time_index ON import_reports (made_at);

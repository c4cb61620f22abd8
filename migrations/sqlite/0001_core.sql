-- What an append must check or change together. Times (`*_at`) are UTC microseconds, days (`*_on`) ISO dates,
-- months `2026-03`, amounts fen, points thousandths. JSON is TEXT. Ids are TEXT with a prefix that names their kind.

-- Settings the gateway keeps for itself, such as the ledger's epoch.
CREATE TABLE settings (
    name  TEXT NOT NULL CONSTRAINT settings_pkey PRIMARY KEY,
    value TEXT NOT NULL
);

-- One row. Every change that other processes must learn of within a second raises it.
CREATE TABLE change_counter (
    id     BIGINT NOT NULL CONSTRAINT change_counter_pkey PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL
);
INSERT INTO change_counter (id, number) VALUES (1, 1);

-- One row. Raised by every publication or correction of grades; appends compare it.
CREATE TABLE publication (
    id     BIGINT NOT NULL CONSTRAINT publication_pkey PRIMARY KEY CHECK (id = 1),
    number BIGINT NOT NULL
);
INSERT INTO publication (id, number) VALUES (1, 1);

-- Authorities whose client certificates the partner listener accepts; our own is one of them.
CREATE TABLE authorities (
    id                  TEXT   NOT NULL CONSTRAINT authorities_pkey PRIMARY KEY,
    name                TEXT   NOT NULL CONSTRAINT authorities_name_key UNIQUE,
    kind                TEXT   NOT NULL,           -- own | partner
    certificate         BLOB   NOT NULL,           -- DER
    crl_file            TEXT,                      -- partner: the watched file
    crl                 BLOB,                      -- own: the current list, DER
    crl_number          BIGINT NOT NULL,
    crl_this_update_at  BIGINT,                    -- partner: of the youngest list that was ever in use
    crl_next_update_at  BIGINT,
    added_at            BIGINT NOT NULL,
    removed_at          BIGINT                     -- null while trusted
);

-- Certificates our own authority issued.
CREATE TABLE certificates (
    id                TEXT   NOT NULL CONSTRAINT certificates_pkey PRIMARY KEY,
    authority_id      TEXT   NOT NULL REFERENCES authorities (id),
    serial            TEXT   NOT NULL,             -- lower-case hex, no leading zeros
    thumbprint        TEXT   NOT NULL CONSTRAINT certificates_thumbprint_key UNIQUE, -- base64url SHA-256 of the DER
    profile           TEXT   NOT NULL,             -- server | bank-client
    subject           TEXT   NOT NULL,
    certificate       BLOB   NOT NULL,             -- DER
    not_before_at     BIGINT NOT NULL,
    not_after_at      BIGINT NOT NULL,
    issued_at         BIGINT NOT NULL,
    revoked_at        BIGINT,
    revocation_reason TEXT,
    CONSTRAINT certificates_serial_key UNIQUE (authority_id, serial)
);

-- Certificates refused here whatever their authority says (an operator acts faster than a list is issued).
CREATE TABLE refused_certificates (
    thumbprint TEXT   NOT NULL CONSTRAINT refused_certificates_pkey PRIMARY KEY,
    reason     TEXT   NOT NULL,
    refused_at BIGINT NOT NULL
);

-- Private keys, encrypted under a key-encryption key from a file and bound to row and purpose.
CREATE TABLE keys (
    id             TEXT   NOT NULL CONSTRAINT keys_pkey PRIMARY KEY,
    purpose        TEXT   NOT NULL,                -- token_signing | answer_signing | ledger_signing | authority
    suite          TEXT   NOT NULL,                -- ES256 | Ed25519
    public_key     BLOB   NOT NULL,                -- SubjectPublicKeyInfo, DER
    sealed_private BLOB   NOT NULL,                -- PKCS#8, sealed
    state          TEXT   NOT NULL,                -- active | retired | revoked
    created_at     BIGINT NOT NULL,
    retired_at     BIGINT,                         -- still published, no longer signs
    revoked_at     BIGINT                          -- no longer good for anything
);

-- One key of a purpose signs at a time.
CREATE UNIQUE INDEX keys_active_key ON keys (purpose) WHERE state = 'active';

-- Banks and departments.
CREATE TABLE clients (
    id                TEXT   NOT NULL CONSTRAINT clients_pkey PRIMARY KEY,
    name              TEXT   NOT NULL CONSTRAINT clients_name_key UNIQUE,
    kind              TEXT   NOT NULL,             -- bank | department
    authority_id      TEXT   NOT NULL REFERENCES authorities (id),
    subject           TEXT   NOT NULL,             -- RFC 4514 text of the certificate's subject
    auth_methods      TEXT   NOT NULL,             -- JSON: tls_client_auth, private_key_jwt
    jwks              TEXT,                        -- JSON Web Key Set of the client
    scopes            TEXT   NOT NULL,             -- JSON
    limits            TEXT   NOT NULL,             -- JSON: overrides of named limits
    max_pending       BIGINT NOT NULL,             -- pending consent requests at once
    epoch             BIGINT NOT NULL,             -- raised when it is suspended, or its certificate or a token revoked
    state             TEXT   NOT NULL,             -- active | suspended | closed
    registered_at     BIGINT NOT NULL,
    state_changed_at  BIGINT NOT NULL,
    CONSTRAINT clients_identity_key UNIQUE (authority_id, subject)
);

-- Access tokens that ended before their time; rows go when the token would have expired.
CREATE TABLE revoked_tokens (
    token_id   TEXT   NOT NULL CONSTRAINT revoked_tokens_pkey PRIMARY KEY,
    client_id  TEXT   NOT NULL REFERENCES clients (id),
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT NOT NULL
);

-- Identifiers of client assertions already used.
CREATE TABLE used_assertions (
    client_id  TEXT   NOT NULL REFERENCES clients (id),
    assertion  TEXT   NOT NULL,                    -- SHA-256 of the jti, base64url
    expires_at BIGINT NOT NULL,
    CONSTRAINT used_assertions_pkey PRIMARY KEY (client_id, assertion)
);

-- Imported files. A batch in bulk tables is visible when its row here says accepted.
CREATE TABLE imports (
    seq         BIGINT NOT NULL CONSTRAINT imports_pkey PRIMARY KEY, -- order of acceptance decides versions
    id          TEXT   NOT NULL CONSTRAINT imports_id_key UNIQUE,
    template    TEXT   NOT NULL,
    file_name   TEXT   NOT NULL,
    sha256      TEXT   NOT NULL,                   -- hex
    row_count   BIGINT NOT NULL,
    accepted    BIGINT NOT NULL,
    rejected    BIGINT NOT NULL,
    state       TEXT   NOT NULL,                   -- staging | accepted | discarding | discarded
    started_at  BIGINT NOT NULL,
    accepted_at BIGINT
);
CREATE UNIQUE INDEX imports_digest_key ON imports (template, sha256) WHERE state = 'accepted';

-- Graded subjects, by national code.
CREATE TABLE subjects (
    code                 TEXT   NOT NULL CONSTRAINT subjects_pkey PRIMARY KEY,
    kind                 TEXT   NOT NULL,
    uscc                 TEXT,
    name                 TEXT   NOT NULL,
    region               TEXT   NOT NULL,
    level                TEXT,
    parent_code          TEXT,
    sealed_identity      BLOB,                     -- id type and number, legal representative: sealed, bound to the row
    agreement_signed_on  TEXT,
    agreement_status     TEXT   NOT NULL,          -- active | ended_by_subject | ended_by_bureau | suspended
    licence_status       TEXT   NOT NULL,          -- active | suspended | revoked
    under_objection      BIGINT NOT NULL,          -- 0 | 1
    version              BIGINT NOT NULL,          -- raised by objection, repair, correction and every change of the row
    import_seq           BIGINT NOT NULL,
    updated_at           BIGINT NOT NULL
);
CREATE INDEX subjects_uscc_index ON subjects (uscc);
CREATE INDEX subjects_kind_index ON subjects (kind, code);

-- Models as they were when a run used them.
CREATE TABLE models (
    digest   TEXT   NOT NULL CONSTRAINT models_pkey PRIMARY KEY, -- SHA-256 of the canonical form, hex
    model_id TEXT   NOT NULL,
    body     TEXT   NOT NULL,                      -- canonical JSON
    seen_at  BIGINT NOT NULL
);

-- Grading runs. A published one is a round.
CREATE TABLE runs (
    id             TEXT   NOT NULL CONSTRAINT runs_pkey PRIMARY KEY,
    model_id       TEXT   NOT NULL,
    model_digest   TEXT   NOT NULL REFERENCES models (digest),
    scheme         TEXT   NOT NULL,
    kind           TEXT   NOT NULL,
    period         TEXT   NOT NULL,                -- 2026-H1
    state          TEXT   NOT NULL,                -- trial | preassessment | published | superseded
    input_digest   TEXT   NOT NULL,
    outcome_digest TEXT   NOT NULL,
    subject_count  BIGINT NOT NULL,
    created_at     BIGINT NOT NULL,
    published_at   BIGINT,
    valid_until_on TEXT                            -- last day on which a grade of the round is good
);
-- One published run of a scheme and kind at a time.
CREATE UNIQUE INDEX runs_published_key ON runs (kind, scheme) WHERE state = 'published';

-- Published assessments. A correction adds a version.
CREATE TABLE assessments (
    run_id       TEXT   NOT NULL REFERENCES runs (id),
    subject_code TEXT   NOT NULL,
    version      BIGINT NOT NULL,
    status       TEXT   NOT NULL,                  -- graded | not_rated
    reason       TEXT,                             -- why not rated
    grade        TEXT,
    points       BIGINT,
    made_at      BIGINT NOT NULL,
    CONSTRAINT assessments_pkey PRIMARY KEY (subject_code, run_id, version)
);

-- Consents. The row is the present state; consent_events is the history.
CREATE TABLE consents (
    id             TEXT   NOT NULL CONSTRAINT consents_pkey PRIMARY KEY,
    version        BIGINT NOT NULL,
    client_id      TEXT   NOT NULL REFERENCES clients (id),
    uscc           TEXT   NOT NULL,
    state          TEXT   NOT NULL,                -- pending | active | suspended | revoked | expired | superseded | rejected
    permissions    TEXT   NOT NULL,                -- JSON
    purposes       TEXT   NOT NULL,                -- JSON
    product        TEXT   NOT NULL,
    reference      TEXT,                           -- the bank's own number
    data_from      TEXT   NOT NULL,                -- first month of data covered
    data_to        TEXT   NOT NULL,                -- last month of data covered
    max_fetches    BIGINT,
    daily_budget   BIGINT,
    text_sha256    TEXT,                           -- hex digest of the signed text
    text_version   TEXT,
    signer         TEXT,                           -- legal_representative | authorised_agent
    channel        TEXT,
    status_reason  TEXT,
    requested_at   BIGINT NOT NULL,
    request_expires_at BIGINT NOT NULL,            -- a pending request that nobody grants ends here
    granted_at     BIGINT,
    expires_at     BIGINT,                         -- end of validity once granted
    ended_at       BIGINT
);
CREATE INDEX consents_client_index ON consents (client_id, id);
CREATE INDEX consents_uscc_index ON consents (uscc);

-- The medical-insurance codes a consent covers (one USCC owns many).
CREATE TABLE consent_codes (
    consent_id   TEXT NOT NULL REFERENCES consents (id),
    subject_code TEXT NOT NULL,
    CONSTRAINT consent_codes_pkey PRIMARY KEY (consent_id, subject_code)
);
CREATE INDEX consent_codes_subject_index ON consent_codes (subject_code);

-- Every transition, written with it.
CREATE TABLE consent_events (
    consent_id      TEXT   NOT NULL REFERENCES consents (id),
    version         BIGINT NOT NULL,
    event           TEXT   NOT NULL,               -- requested | granted | suspended | resumed | amended | revoked | expired | superseded | rejected
    actor           TEXT   NOT NULL,               -- bank:cli_… | operator:… | subject:… | system
    channel         TEXT   NOT NULL,
    reason          TEXT,
    evidence_sha256 TEXT,
    changes         TEXT   NOT NULL,               -- JSON of changed values
    at              BIGINT NOT NULL,
    CONSTRAINT consent_events_pkey PRIMARY KEY (consent_id, version)
);

-- Fetches used, where a consent limits them. Written only by the append.
CREATE TABLE consent_use (
    consent_id TEXT   NOT NULL CONSTRAINT consent_use_pkey PRIMARY KEY REFERENCES consents (id),
    used       BIGINT NOT NULL,
    day        TEXT   NOT NULL,
    used_today BIGINT NOT NULL
);

-- The ledger: canonical JSON and its leaf hash. Insert and select only.
CREATE TABLE ledger_entries (
    id           TEXT   NOT NULL CONSTRAINT ledger_entries_pkey PRIMARY KEY,
    type         TEXT   NOT NULL,
    body         TEXT   NOT NULL,
    leaf_hash    BLOB   NOT NULL,
    committed_at BIGINT NOT NULL
);

-- What the commitments of an entry hide. Rows may be erased, each erasure being an entry of its own.
CREATE TABLE ledger_openings (
    entry_id   TEXT NOT NULL CONSTRAINT ledger_openings_pkey PRIMARY KEY REFERENCES ledger_entries (id),
    client_id  TEXT,
    consent_id TEXT,
    body       TEXT NOT NULL                       -- JSON: values and salts
);
CREATE INDEX ledger_openings_client_index ON ledger_openings (client_id, entry_id);

-- Committed entries that are not in the tree yet.
CREATE TABLE ledger_unsealed (
    entry_id TEXT NOT NULL CONSTRAINT ledger_unsealed_pkey PRIMARY KEY REFERENCES ledger_entries (id)
);

-- The tree's order. Its primary key fences sealers. Insert and select only.
CREATE TABLE ledger_leaves (
    leaf_index BIGINT NOT NULL CONSTRAINT ledger_leaves_pkey PRIMARY KEY,
    entry_id   TEXT   NOT NULL CONSTRAINT ledger_leaves_entry_key UNIQUE REFERENCES ledger_entries (id)
);

-- Full hash tiles (C2SP tlog-tiles, 256 hashes each). Insert and select only.
CREATE TABLE ledger_tiles (
    level      BIGINT NOT NULL,
    tile_index BIGINT NOT NULL,
    hashes     BLOB   NOT NULL,
    root       BLOB   NOT NULL,                    -- of the subtree it spans: its hash in the tile above
    CONSTRAINT ledger_tiles_pkey PRIMARY KEY (level, tile_index)
);

-- Signed checkpoints. Insert and select only.
CREATE TABLE ledger_checkpoints (
    tree_size BIGINT NOT NULL CONSTRAINT ledger_checkpoints_pkey PRIMARY KEY,
    root      BLOB   NOT NULL,
    note      TEXT   NOT NULL,
    sealed_at BIGINT NOT NULL
);

CREATE TRIGGER ledger_entries_no_update BEFORE UPDATE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is insert-only'); END;
CREATE TRIGGER ledger_entries_no_delete BEFORE DELETE ON ledger_entries BEGIN SELECT RAISE(ABORT, 'ledger_entries is insert-only'); END;
CREATE TRIGGER ledger_leaves_no_update BEFORE UPDATE ON ledger_leaves BEGIN SELECT RAISE(ABORT, 'ledger_leaves is insert-only'); END;
CREATE TRIGGER ledger_leaves_no_delete BEFORE DELETE ON ledger_leaves BEGIN SELECT RAISE(ABORT, 'ledger_leaves is insert-only'); END;
CREATE TRIGGER ledger_tiles_no_update BEFORE UPDATE ON ledger_tiles BEGIN SELECT RAISE(ABORT, 'ledger_tiles is insert-only'); END;
CREATE TRIGGER ledger_tiles_no_delete BEFORE DELETE ON ledger_tiles BEGIN SELECT RAISE(ABORT, 'ledger_tiles is insert-only'); END;
CREATE TRIGGER ledger_checkpoints_no_update BEFORE UPDATE ON ledger_checkpoints BEGIN SELECT RAISE(ABORT, 'ledger_checkpoints is insert-only'); END;
CREATE TRIGGER ledger_checkpoints_no_delete BEFORE DELETE ON ledger_checkpoints BEGIN SELECT RAISE(ABORT, 'ledger_checkpoints is insert-only'); END;

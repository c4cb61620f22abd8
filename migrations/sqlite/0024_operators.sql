-- Operators: the people who administer the gateway, their roles, and their sessions in the console.

CREATE TABLE operators (
    id          TEXT   NOT NULL CONSTRAINT operators_pkey PRIMARY KEY,
    name        TEXT   NOT NULL,                       -- as entries of the ledger have it
    name_key    TEXT   NOT NULL CONSTRAINT operators_name_key UNIQUE, -- the name as it is compared: without differences of case and spaces
    state       TEXT   NOT NULL,                       -- invited, active or suspended
    password    TEXT,                                  -- argon2id, as a PHC string; null until the operator has enrolled
    sealed_totp BLOB,                                  -- the secret of the one-time codes, sealed under a key-encryption key; null until enrolled
    totp_step   BIGINT NOT NULL,                       -- the 30 seconds whose code was accepted last: no code of these or of earlier ones is accepted
    created_at  BIGINT NOT NULL,
    enrolled_at BIGINT,
    seen_at     BIGINT                                 -- the last sign-in
);

CREATE TABLE operator_roles (
    operator_id TEXT   NOT NULL REFERENCES operators (id),
    role        TEXT   NOT NULL,
    regions     TEXT,                                  -- six digits each, separated by spaces; null: all
    CONSTRAINT operator_roles_pkey PRIMARY KEY (operator_id, role)
);

-- Nobody administers the system, its keys and its record together.
CREATE UNIQUE INDEX operator_roles_exclusive_key ON operator_roles (operator_id) WHERE role IN ('system', 'security', 'audit');

-- At most one for each operator: a new one replaces it, and enrolling removes it.
CREATE TABLE operator_invitations (
    operator_id  TEXT   NOT NULL CONSTRAINT operator_invitations_pkey PRIMARY KEY REFERENCES operators (id),
    token_digest TEXT   NOT NULL CONSTRAINT operator_invitations_token_key UNIQUE, -- SHA-256 of the link's token, hex
    sealed_totp  BLOB   NOT NULL,                      -- the secret that is shown, sealed
    expires_at   BIGINT NOT NULL
);

-- A used code is removed.
CREATE TABLE operator_recovery_codes (
    operator_id TEXT   NOT NULL REFERENCES operators (id),
    code_digest TEXT   NOT NULL,                       -- SHA-256 of operator and code, hex
    CONSTRAINT operator_recovery_codes_pkey PRIMARY KEY (operator_id, code_digest)
);

-- Attempts to sign in that failed since the last one that did not. Names that no operator has are counted too: the answers do not
-- show which names exist.
CREATE TABLE operator_failures (
    name_digest  TEXT   NOT NULL CONSTRAINT operator_failures_pkey PRIMARY KEY, -- SHA-256 of the name as it is compared, hex
    failures     BIGINT NOT NULL,
    locked_until BIGINT,                               -- no attempt is accepted before; null: none is locked out
    failed_at    BIGINT NOT NULL
);

-- A session that ends is removed.
CREATE TABLE operator_sessions (
    id           TEXT   NOT NULL CONSTRAINT operator_sessions_pkey PRIMARY KEY,
    token_digest TEXT   NOT NULL CONSTRAINT operator_sessions_token_key UNIQUE, -- SHA-256 of the cookie's value, hex
    operator_id  TEXT   NOT NULL REFERENCES operators (id),
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL,                      -- the last request, to half a minute
    address      TEXT   NOT NULL,                      -- where the operator signed in from
    agent        TEXT   NOT NULL                       -- the browser, as it names itself
);
CREATE INDEX operator_sessions_operator_index ON operator_sessions (operator_id);

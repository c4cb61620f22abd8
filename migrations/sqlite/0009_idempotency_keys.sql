-- Answers kept under a client's Idempotency-Key for 24 hours, written with what they say was created. Nothing disclosed is
-- ever in them.
CREATE TABLE idempotency_keys (
    client_id  TEXT   NOT NULL REFERENCES clients (id),
    key        TEXT   NOT NULL,                    -- SHA-256 of the key, base64url
    request    TEXT   NOT NULL,                    -- SHA-256 of method, path and body, base64url
    status     BIGINT NOT NULL,
    location   TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (client_id, key)
);
CREATE INDEX idempotency_keys_created_index ON idempotency_keys (created_at);

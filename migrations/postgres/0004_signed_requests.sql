-- Whether a client signs its requests (RFC 9421) with a key of its set: ignored | allowed | required.
ALTER TABLE clients ADD COLUMN signed_requests TEXT NOT NULL DEFAULT 'ignored';

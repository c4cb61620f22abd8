-- What is to be told to others. Written in the transaction of the change that caused it.

-- Something that happened. Its receivers become known later, and get items.
CREATE TABLE outbox_events (
    id           TEXT   NOT NULL CONSTRAINT outbox_events_pkey PRIMARY KEY,
    topic        TEXT   NOT NULL,                  -- settlements.changed
    ordering_key TEXT   NOT NULL,                  -- what it is about
    body         TEXT   NOT NULL,                  -- JSON, nothing personal
    happened_at  BIGINT NOT NULL,
    routed_at    BIGINT                            -- null until its receivers have items
);
CREATE INDEX outbox_events_unrouted_index ON outbox_events (happened_at, id) WHERE routed_at IS NULL;
CREATE INDEX outbox_events_time_index ON outbox_events (happened_at);

-- Something on its way to one target. Its id is the idempotency key of every attempt.
CREATE TABLE outbox_items (
    id             TEXT   NOT NULL CONSTRAINT outbox_items_pkey PRIMARY KEY,
    topic          TEXT   NOT NULL,
    target         TEXT   NOT NULL,
    ordering_key   TEXT   NOT NULL,
    position       BIGINT NOT NULL,                -- its place among those of the same target and key
    idempotency    TEXT   NOT NULL,                -- by what it is recognised when it is enqueued again
    body           TEXT   NOT NULL,
    state          TEXT   NOT NULL,                -- queued | leased | retry | delivered | dead | cancelled
    attempts       BIGINT NOT NULL,                -- in all; the last one's number
    tries          BIGINT NOT NULL,                -- since it was enqueued or taken up again
    due_at         BIGINT NOT NULL,
    lease_owner    TEXT,
    lease_until_at BIGINT,
    created_at     BIGINT NOT NULL,
    ended_at       BIGINT,
    CONSTRAINT outbox_items_position_key UNIQUE (target, ordering_key, position),
    CONSTRAINT outbox_items_idempotency_key UNIQUE (target, idempotency)
);
CREATE INDEX outbox_items_due_index ON outbox_items (due_at, id) WHERE state IN ('queued', 'retry');
CREATE INDEX outbox_items_leased_index ON outbox_items (lease_until_at) WHERE state = 'leased';
CREATE INDEX outbox_items_open_index ON outbox_items (target, ordering_key, position)
    WHERE state NOT IN ('delivered', 'cancelled');

-- Every attempt, with what the receiver gave in exchange.
CREATE TABLE outbox_attempts (
    item_id    TEXT   NOT NULL REFERENCES outbox_items (id),
    number     BIGINT NOT NULL,
    owner      TEXT   NOT NULL,                    -- which worker
    started_at BIGINT NOT NULL,
    ended_at   BIGINT,
    outcome    TEXT   NOT NULL,                    -- running | delivered | lost | what went wrong
    status     BIGINT,
    receipt    TEXT,                               -- JSON
    CONSTRAINT outbox_attempts_pkey PRIMARY KEY (item_id, number)
);

-- What the clock of each gateway showed when it last wrote, and of row 0 when an operator last accepted a clock. Gateways
-- compare each other by it, and one that starts compares itself with the time the store has last seen (docs/CLOCKS.md).
CREATE TABLE gateway_clocks (
    gateway     BIGINT NOT NULL,           -- counted from 1, a new one at each start; 0 for the accepted time
    reading_at  BIGINT NOT NULL,           -- what the clock showed
    consistent  BIGINT NOT NULL,           -- 1 where it agrees with the database's clock and its own past
    sealed_size BIGINT NOT NULL DEFAULT 0, -- of row 0: checkpoints up to this size are not compared
    CONSTRAINT gateway_clocks_pkey PRIMARY KEY (gateway)
);

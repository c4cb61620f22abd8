-- Approvals: acts that one operator proposes and another decides, before they are done.

CREATE TABLE proposals (
    id             TEXT   NOT NULL CONSTRAINT proposals_pkey PRIMARY KEY,
    act            TEXT   NOT NULL,                    -- what is to be done, a word
    target         TEXT   NOT NULL,                    -- what it is about
    proposed       TEXT   NOT NULL,                    -- the act with its particulars, JSON
    reason         TEXT   NOT NULL,
    state          TEXT   NOT NULL,                    -- open, approved, rejected, withdrawn, executed, or broken_glass: done without an approval
    proposed_at    BIGINT NOT NULL,
    proposed_by    TEXT   NOT NULL,                    -- operator:NAME, as entries of the ledger have it
    expires_at     BIGINT NOT NULL,                    -- from then on it is neither decided nor executed
    decided_at     BIGINT,                             -- of an approval, a rejection or a withdrawal
    decided_by     TEXT,
    decision       TEXT,                               -- the reason of the decision
    decision_entry TEXT,                               -- the ledger entry of the approval
    executed_at    BIGINT,
    executed_by    TEXT,
    execution      TEXT                                -- random: the entries of one execution have it in common
);

CREATE INDEX proposals_state_index ON proposals (state, expires_at);

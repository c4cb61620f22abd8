-- A batch of answers in one turn of the server: locks, comparison and insertion as one statement, which is its own
-- transaction. Every statement within has a snapshot of its own (the function is volatile), so what is compared is younger
-- than every narrowing that had the locks before, as it was when each was a statement of the gateway's.

CREATE FUNCTION core.record_disclosures(
    moment BIGINT,
    -- What the answers rest on, row by row (`HeadColumns` in src/store/ledger/append.rs).
    positions BIGINT[], clients TEXT[], epochs BIGINT[], consents TEXT[], consent_versions BIGINT[],
    publications BIGINT[], rendered BIGINT[], subjects TEXT[], subject_versions BIGINT[],
    -- Of each answer, in the order of their positions from nought: the position of its bank's row, entry and opening.
    banks BIGINT[], ids TEXT[], types TEXT[], bodies TEXT[], leaves BYTEA[],
    opening_clients TEXT[], opening_consents TEXT[], openings TEXT[]
) RETURNS BIGINT[]  -- the positions of the rows that do not hold any more: answers that rest on them are not recorded
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
-- The arrays differ from call to call and what is done with them does not: planned once for each connection.
SET plan_cache_mode TO force_generic_plan
AS $$
#variable_conflict use_variable
DECLARE
    stale BIGINT[];
BEGIN
    -- In sorted order, so that two batches cannot wait for each other; until the end of the transaction.
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(bank, 0))
        FROM (SELECT DISTINCT client AS bank FROM UNNEST(clients, epochs) AS of(client, epoch)
            WHERE epoch IS NOT NULL ORDER BY 1) of;

    -- Each row is looked up by its key alone: the rest is said of the row that was found.
    SELECT coalesce(array_agg(DISTINCT h.position), '{}') INTO stale
        FROM UNNEST(positions, clients, epochs, consents, consent_versions, publications, rendered, subjects, subject_versions)
            AS h(position, client, epoch, consent, consent_version, publication, rendered_at, subject, subject_version)
        WHERE (h.epoch IS NOT NULL AND h.epoch IS DISTINCT FROM
                (SELECT CASE WHEN c.state = 'active' THEN c.epoch END FROM core.clients c WHERE c.id = h.client))
            OR (h.consent IS NOT NULL AND (
                h.consent_version IS DISTINCT FROM (SELECT CASE WHEN g.client_id = h.client AND g.state = 'active'
                    AND g.expires_at > h.rendered_at AND g.expires_at > moment THEN g.version END
                    FROM core.consents g WHERE g.id = h.consent)
                OR h.publication IS DISTINCT FROM (SELECT p.number FROM core.publication p WHERE p.id = 1)))
            OR (h.subject IS NOT NULL AND h.subject_version IS DISTINCT FROM
                (SELECT s.version FROM core.subjects s WHERE s.code = h.subject));

    INSERT INTO core.ledger_entries (id, type, body, leaf_hash, committed_at)
        SELECT e.id, e.type, e.body, e.leaf, moment
        FROM UNNEST(banks, ids, types, bodies, leaves) WITH ORDINALITY AS e(bank, id, type, body, leaf, nth)
        WHERE e.nth - 1 <> ALL (stale) AND e.bank <> ALL (stale);
    INSERT INTO core.ledger_unsealed (entry_id)
        SELECT e.id FROM UNNEST(banks, ids) WITH ORDINALITY AS e(bank, id, nth)
        WHERE e.nth - 1 <> ALL (stale) AND e.bank <> ALL (stale);
    INSERT INTO core.ledger_openings (entry_id, client_id, consent_id, body)
        SELECT o.id, o.client, o.consent, o.body
        FROM UNNEST(banks, ids, opening_clients, opening_consents, openings) WITH ORDINALITY
            AS o(bank, id, client, consent, body, nth)
        WHERE o.nth - 1 <> ALL (stale) AND o.bank <> ALL (stale);
    RETURN stale;
END
$$;

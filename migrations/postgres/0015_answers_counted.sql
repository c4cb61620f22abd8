-- Answers are counted for every consent, whether or not it limits them: a limit that an amendment adds then counts the
-- answers before it, and `ledger verify` compares every count with the entries.

-- The answers so far, from their openings. A count that is higher stays: openings may be erased.
INSERT INTO core.consent_use (consent_id, used, day, used_today)
    SELECT consent_id, CAST(sum(answers) AS BIGINT), max(day), (array_agg(answers ORDER BY day DESC))[1]
    FROM (SELECT o.consent_id, to_char(timestamp 'epoch' + (e.committed_at / 1000000 + 28800) * interval '1 second', 'YYYY-MM-DD') AS day,
            count(*) AS answers
        FROM core.ledger_openings o JOIN core.ledger_entries e ON e.id = o.entry_id JOIN core.consents c ON c.id = o.consent_id
        WHERE e.type = 'disclosure' GROUP BY 1, 2) AS by_day
    GROUP BY consent_id
    ON CONFLICT (consent_id) DO UPDATE SET used = excluded.used WHERE excluded.used > consent_use.used;

-- The function of `0013_ledger_one_turn`, which counts the answers it records: they are in the same transaction as before.
CREATE OR REPLACE FUNCTION core.record_disclosures(
    moment BIGINT,
    -- What the answers rest on, row by row (`VersionColumns` in src/store/ledger/append.rs).
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
    -- In sorted order, so that two batches cannot wait for each other's rows.
    INSERT INTO core.consent_use AS u (consent_id, used, day, used_today)
        SELECT o.consent, count(*), to_char(timestamp 'epoch' + (moment / 1000000 + 28800) * interval '1 second', 'YYYY-MM-DD'), count(*)
        FROM UNNEST(banks, opening_consents) WITH ORDINALITY AS o(bank, consent, nth)
        WHERE o.consent IS NOT NULL AND o.nth - 1 <> ALL (stale) AND o.bank <> ALL (stale)
        GROUP BY o.consent ORDER BY o.consent
        ON CONFLICT (consent_id) DO UPDATE SET used = u.used + excluded.used, day = greatest(u.day, excluded.day),
            used_today = CASE WHEN excluded.day > u.day THEN excluded.used_today ELSE u.used_today + excluded.used_today END;
    RETURN stale;
END
$$;

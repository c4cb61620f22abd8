-- What a history that was turned back is recognised by (docs/RECOVERY.md). The epoch of the log is agreed on here, and not by
-- a setting of each host. The ends of access are numbered here and copied to a journal outside the database.

SET LOCAL search_path TO core;

CREATE TABLE ledger_epochs (
    epoch    BIGINT NOT NULL CONSTRAINT ledger_epochs_pkey PRIMARY KEY,
    began_at BIGINT NOT NULL
);

CREATE TABLE ends (
    number BIGINT NOT NULL CONSTRAINT ends_pkey PRIMARY KEY,
    -- The ledger entry of the act.
    id     TEXT   NOT NULL CONSTRAINT ends_id_key UNIQUE,
    epoch  BIGINT NOT NULL,
    kind   TEXT   NOT NULL,
    target TEXT   NOT NULL,
    detail TEXT   NOT NULL,
    actor  TEXT   NOT NULL,
    at     BIGINT NOT NULL
);

CREATE TRIGGER ledger_epochs_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_epochs FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER ends_insert_only BEFORE UPDATE OR DELETE OR TRUNCATE ON ends FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- `record_disclosures`, unless the database is not the one that the gateway knows: of another epoch, or without an entry that
-- the gateway saw committed (`BEHIND` in src/store/ledger/append.rs). One statement and one transaction, like what it calls.
CREATE FUNCTION core.record_known_disclosures(
    ledger_epoch BIGINT, known TEXT[], moment BIGINT,
    positions BIGINT[], clients TEXT[], epochs BIGINT[], consents TEXT[], consent_versions BIGINT[],
    publications BIGINT[], rendered BIGINT[], subjects TEXT[], subject_versions BIGINT[],
    banks BIGINT[], ids TEXT[], types TEXT[], bodies TEXT[], leaves BYTEA[],
    opening_clients TEXT[], opening_consents TEXT[], openings TEXT[]
) RETURNS BIGINT[]  -- as `record_disclosures`, or the one position -1000000000: nothing is recorded then
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
#variable_conflict use_variable
BEGIN
    IF (ledger_epoch IS NOT NULL
            AND ledger_epoch IS DISTINCT FROM coalesce((SELECT max(e.epoch) FROM core.ledger_epochs e), ledger_epoch))
        OR EXISTS (SELECT 1 FROM UNNEST(known) AS k(id)
            WHERE NOT EXISTS (SELECT 1 FROM core.ledger_entries l WHERE l.id = k.id)) THEN
        RETURN ARRAY[-1000000000::BIGINT];
    END IF;
    RETURN core.record_disclosures(
        moment => moment, positions => positions, clients => clients, epochs => epochs, consents => consents,
        consent_versions => consent_versions, publications => publications, rendered => rendered, subjects => subjects,
        subject_versions => subject_versions, banks => banks, ids => ids, types => types, bodies => bodies,
        leaves => leaves, opening_clients => opening_clients, opening_consents => opening_consents, openings => openings);
END
$$;

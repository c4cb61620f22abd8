//! The rights of the PostgreSQL role that `serve` connects as: one list of tables.
//!
//! The role that migrates owns the tables. The role that serves cannot change or remove ledger rows, even if the process is
//! taken over: it lacks the right, and triggers refuse it, too.

use super::{
    DbError, args,
    db::{Db, Engine, Tx, record},
};

/// Rows are inserted and never changed.
const APPEND: &str = "SELECT, INSERT";
/// Rows are inserted and deleted in whole batches.
const BATCH: &str = "SELECT, INSERT, DELETE";
/// Rows with current state.
const STATE: &str = "SELECT, INSERT, UPDATE";
/// Rows with current state that expire.
const PASSING: &str = "SELECT, INSERT, UPDATE, DELETE";

/// Every table with the rights of the serving role.
pub const RIGHTS: &[(&str, &str)] = &[
    ("core.schema_migrations", "SELECT"),
    ("core.settings", STATE),
    ("core.change_counter", "SELECT, UPDATE"),
    ("core.publication", "SELECT, UPDATE"),
    ("core.gateway_clocks", PASSING),
    ("core.authorities", STATE),
    ("core.certificates", STATE),
    ("core.refused_certificates", STATE),
    ("core.keys", STATE),
    ("core.clients", STATE),
    ("core.revoked_tokens", PASSING),
    ("core.used_assertions", PASSING),
    ("core.idempotency_keys", BATCH),
    ("core.imports", STATE),
    ("core.subjects", STATE),
    ("core.subject_statuses", APPEND),
    ("core.models", APPEND),
    ("core.runs", STATE),
    ("core.assessments", APPEND),
    ("core.corrections", APPEND),
    ("core.objections", STATE),
    ("core.consents", STATE),
    ("core.consent_codes", BATCH),
    ("core.consent_events", APPEND),
    ("core.consent_use", STATE),
    ("core.ledger_entries", APPEND),
    ("core.ledger_openings", APPEND),
    ("core.ledger_unsealed", BATCH),
    ("core.ledger_leaves", APPEND),
    ("core.ledger_tiles", APPEND),
    ("core.ledger_checkpoints", APPEND),
    // Only the role that migrates, and recovers, raises the epoch.
    ("core.ledger_epochs", "SELECT"),
    ("core.ledger_servers", APPEND),
    ("core.ledger_attestations", PASSING),
    ("core.ends", APPEND),
    ("core.import_reports", BATCH),
    ("core.outbox_events", PASSING),
    ("core.outbox_items", STATE),
    ("core.outbox_attempts", STATE),
    ("core.push_platforms", STATE),
    // A package whose maker was killed is deleted before it is made again.
    ("core.push_packages", PASSING),
    ("core.push_pages", PASSING),
    ("core.push_rows", PASSING),
    ("core.push_scheduled", BATCH),
    ("core.operators", STATE),
    ("core.operator_roles", BATCH),
    ("core.operator_invitations", PASSING),
    ("core.operator_recovery_codes", BATCH),
    ("core.operator_failures", PASSING),
    ("core.operator_sessions", PASSING),
    ("core.proposals", STATE),
    ("bulk.settlements", BATCH),
    ("bulk.fact_chunks", BATCH),
    ("bulk.fact_documents", BATCH),
    ("bulk.fact_revisions", BATCH),
    ("bulk.voids", BATCH),
    ("bulk.adverse", BATCH),
    ("bulk.affiliations", BATCH),
    ("bulk.accounts", BATCH),
    ("bulk.staged_subjects", BATCH),
    ("bulk.run_results", BATCH),
];

/// Every function that the serving role calls.
pub const FUNCTIONS: &[&str] =
    &["core.record_disclosures", "core.record_known_disclosures", "core.database_server", "core.is_agreed_server"];

/// Gives an existing role exactly the rights of [`RIGHTS`] within the caller's transaction, and revokes all others.
pub async fn grant(tx: &mut Tx, role: &str) -> Result<(), DbError> {
    if tx.engine() == Engine::Sqlite {
        return Err(DbError::Setup("roles are PostgreSQL's".into()));
    }
    // A name in a GRANT cannot be bound, so only letters are accepted that need no quoting.
    let plain = role.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if !plain || role.is_empty() || role.len() > 63 || role.starts_with(|first: char| first.is_ascii_digit()) {
        return Err(DbError::Setup(format!("{role:?} is not a role's name of lower-case letters, digits and _")));
    }
    // Revoked first, in the same transaction: a right that an earlier version granted does not stay.
    let mut lines = vec![
        format!("REVOKE ALL ON ALL TABLES IN SCHEMA core, bulk FROM \"{role}\";"),
        format!("REVOKE ALL ON SCHEMA core, bulk FROM \"{role}\";"),
        format!("GRANT USAGE ON SCHEMA core, bulk TO \"{role}\";"),
    ];
    lines.extend(RIGHTS.iter().map(|(table, rights)| format!("GRANT {rights} ON {table} TO \"{role}\";")));
    lines.extend(FUNCTIONS.iter().map(|name| format!("GRANT EXECUTE ON FUNCTION {name} TO \"{role}\";")));
    tx.script(lines.join("\n")).await
}

record! {
    struct Excess {
        is_superuser: i64,
        is_owner: i64,
        may_change: i64,
    }
}

/// The role may be a member of the one it has its power from, so that the inherited rights are what counts.
const POSTGRES_EXCESS: &str = "/* grants::excess */ \
    SELECT CAST(EXISTS (SELECT 1 FROM pg_roles WHERE rolname = current_user AND rolsuper) AS INTEGER)::bigint AS is_superuser, \
           CAST(EXISTS (SELECT 1 FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace \
               WHERE n.nspname IN ('core', 'bulk') AND t.relkind IN ('r', 'p') \
                 AND pg_has_role(current_user, t.relowner, 'MEMBER')) AS INTEGER)::bigint AS is_owner, \
           CAST(COALESCE(has_table_privilege(to_regclass('core.ledger_entries')::oid, 'UPDATE, DELETE, TRUNCATE'), false) \
               AS INTEGER)::bigint AS may_change";

/// What the connected role could do to the ledger that a serving role must not be able to, as the end of a sentence; `None`
/// for a role with no such power, and on SQLite.
pub async fn excess(db: &Db) -> Result<Option<&'static str>, DbError> {
    if db.engine() == Engine::Sqlite {
        return Ok(None);
    }
    let found: Excess = db.read("grants::excess").fetch_one(POSTGRES_EXCESS, args![]).await?;
    // The greatest power first: a superuser is an owner, too.
    Ok(match found {
        Excess { is_superuser: 1, .. } => Some("is a superuser"),
        Excess { is_owner: 1, .. } => Some("owns tables of the gateway, or may act for their owner"),
        Excess { may_change: 1, .. } => Some("may change or remove entries of the ledger"),
        _ => None,
    })
}

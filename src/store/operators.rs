//! Operators: accounts, roles, invitations, recovery codes and failed attempts to sign in. Their sessions are in
//! `operator_sessions`.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An operator's account.
    pub struct OperatorRow {
        pub id: String,
        pub name: String,
        pub name_key: String,
        /// invited, active or suspended.
        pub state: String,
        /// argon2id, as a PHC string; none until the operator has enrolled.
        pub password: Option<String>,
        /// The secret of the one-time codes, sealed.
        pub sealed_totp: Option<Vec<u8>>,
        /// The time step whose code was accepted last.
        pub totp_step: i64,
        pub created_at: i64,
        pub enrolled_at: Option<i64>,
        pub seen_at: Option<i64>,
    }
}

record! {
    /// A role of an operator.
    pub struct RoleRow {
        pub operator_id: String,
        pub role: String,
        /// Separated by spaces; none for all.
        pub regions: Option<String>,
    }
}

record! {
    /// A link by which an operator enrols, with its operator.
    pub struct InvitationRow {
        pub operator_id: String,
        pub name: String,
        /// The secret that is shown, sealed.
        pub sealed_totp: Vec<u8>,
        pub expires_at: i64,
    }
}

record! {
    /// Failed attempts under a name.
    pub struct FailuresRow {
        pub failures: i64,
        pub locked_until: Option<i64>,
    }
}

record! {
    /// A sealed secret: of an operator (`operators`) or of an invitation (`operator_invitations`).
    pub struct SealedTotpRow {
        pub kind: String,
        pub operator_id: String,
        pub sealed_totp: Vec<u8>,
    }
}

record! {
    struct DigestRow {
        digest: String,
    }
}

record! {
    struct CountRow {
        count: i64,
    }
}

macro_rules! select {
    ($name:literal, $rest:literal) => {
        concat!(
            "/* operators::",
            $name,
            " */ SELECT id, name, name_key, state, password, sealed_totp, totp_step, created_at, enrolled_at, seen_at FROM operators ",
            $rest
        )
    };
}

const FIND: &str = select!("find", "WHERE name_key = $1");

/// The operator with a name, as it is compared.
pub async fn find(db: &Db, name_key: &str) -> Result<Option<OperatorRow>, DbError> {
    db.read("operators::find").fetch_optional(FIND, args![name_key]).await
}

const LIST: &str = select!("list", "ORDER BY name_key");

/// Every operator, by name.
pub async fn list(db: &Db) -> Result<Vec<OperatorRow>, DbError> {
    db.read("operators::list").fetch_all(LIST, args![]).await
}

// Locks the row: two changes of one operator come one after the other, and a sign-in before or after either.
const LOCK: &str = "/* operators::lock */ UPDATE operators SET state = state WHERE name_key = $1";
const FIND_ID: &str = select!("find_id", "WHERE id = $1");

/// Locks an operator by its name until the transaction ends.
pub async fn lock(tx: &mut Tx, name_key: &str) -> Result<Option<OperatorRow>, DbError> {
    tx.execute(LOCK, args![name_key]).await?;
    tx.fetch_optional(FIND, args![name_key]).await
}

/// The operator with an id.
pub async fn find_id(db: &Db, id: &str) -> Result<Option<OperatorRow>, DbError> {
    db.read("operators::find_id").fetch_optional(FIND_ID, args![id]).await
}

const INSERT: &str = "/* operators::insert */
    INSERT INTO operators (id, name, name_key, state, totp_step, created_at) VALUES ($1, $2, $3, $4, $5, $6)";

/// Inserts an operator that has not enrolled.
pub async fn insert(tx: &mut Tx, row: &OperatorRow) -> Result<(), DbError> {
    let args = args![&row.id, &row.name, &row.name_key, &row.state, row.totp_step, row.created_at];
    tx.execute(INSERT, args).await.map(|_| ())
}

const SET_STATE: &str = "/* operators::set_state */ UPDATE operators SET state = $2 WHERE id = $1";

/// Sets the state of an operator.
pub async fn set_state(tx: &mut Tx, id: &str, state: &str) -> Result<(), DbError> {
    tx.execute(SET_STATE, args![id, state]).await.map(|_| ())
}

const ENROL: &str = "/* operators::enrol */
    UPDATE operators SET state = 'active', password = $2, sealed_totp = $3, totp_step = $4, enrolled_at = $5 WHERE id = $1";

/// Gives an operator its password and its secret, and makes it active.
pub async fn enrol(
    tx: &mut Tx,
    id: &str,
    password: &str,
    (sealed_totp, step): (&[u8], i64),
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(ENROL, args![id, password, sealed_totp, step, now]).await.map(|_| ())
}

const FORGET: &str = "/* operators::forget */
    UPDATE operators SET state = 'invited', password = NULL, sealed_totp = NULL, enrolled_at = NULL WHERE id = $1";

/// Takes an operator's password and secret away.
pub async fn forget(tx: &mut Tx, id: &str) -> Result<(), DbError> {
    tx.execute(FORGET, args![id]).await.map(|_| ())
}

// The comparison decides: of two attempts with one code, on any gateways, one changes a row.
const USE_STEP: &str = "/* operators::use_step */
    UPDATE operators SET totp_step = $2 WHERE id = $1 AND totp_step < $2";

/// Uses the code of a time step; `false` when it, or that of a later one, was used before.
pub async fn use_step(tx: &mut Tx, id: &str, step: i64) -> Result<bool, DbError> {
    Ok(tx.execute(USE_STEP, args![id, step]).await? == 1)
}

const SEEN: &str = "/* operators::seen */ UPDATE operators SET seen_at = $2 WHERE id = $1";

/// Notes a sign-in.
pub async fn seen(tx: &mut Tx, id: &str, now: Timestamp) -> Result<(), DbError> {
    tx.execute(SEEN, args![id, now]).await.map(|_| ())
}

const ROLES: &str =
    "/* operators::roles */ SELECT operator_id, role, regions FROM operator_roles WHERE operator_id = $1";
const ALL_ROLES: &str = "/* operators::all_roles */ SELECT operator_id, role, regions FROM operator_roles";
const DELETE_ROLES: &str = "/* operators::delete_roles */ DELETE FROM operator_roles WHERE operator_id = $1";
const INSERT_ROLE: &str = "/* operators::insert_role */
    INSERT INTO operator_roles (operator_id, role, regions) VALUES ($1, $2, $3)";

/// The roles of an operator.
pub async fn roles(db: &Db, id: &str) -> Result<Vec<RoleRow>, DbError> {
    db.read("operators::roles").fetch_all(ROLES, args![id]).await
}

/// The roles of an operator, within a transaction.
pub async fn roles_in(tx: &mut Tx, id: &str) -> Result<Vec<RoleRow>, DbError> {
    tx.fetch_all(ROLES, args![id]).await
}

/// The roles of every operator.
pub async fn all_roles(db: &Db) -> Result<Vec<RoleRow>, DbError> {
    db.read("operators::all_roles").fetch_all(ALL_ROLES, args![]).await
}

/// Replaces the roles of an operator.
pub async fn set_roles(tx: &mut Tx, id: &str, roles: &[RoleRow]) -> Result<(), DbError> {
    tx.execute(DELETE_ROLES, args![id]).await?;
    for row in roles {
        tx.execute(INSERT_ROLE, args![id, &row.role, row.regions.as_deref()]).await?;
    }
    Ok(())
}

const INVITE: &str = "/* operators::invite */
    INSERT INTO operator_invitations (operator_id, token_digest, sealed_totp, expires_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (operator_id) DO UPDATE
    SET token_digest = excluded.token_digest, sealed_totp = excluded.sealed_totp, expires_at = excluded.expires_at";

/// Inserts an operator's invitation in place of an earlier one.
pub async fn invite(
    tx: &mut Tx,
    id: &str,
    token_digest: &str,
    sealed_totp: &[u8],
    expires_at: Timestamp,
) -> Result<(), DbError> {
    tx.execute(INVITE, args![id, token_digest, sealed_totp, expires_at]).await.map(|_| ())
}

const INVITATION: &str = "/* operators::invitation */
    SELECT i.operator_id, o.name, i.sealed_totp, i.expires_at FROM operator_invitations i
    JOIN operators o ON o.id = i.operator_id
    WHERE i.token_digest = $1 AND i.expires_at > $2 AND o.state = 'invited'";

/// The invitation of a token, unless it has expired or its operator is suspended.
pub async fn invitation(db: &Db, token_digest: &str, now: Timestamp) -> Result<Option<InvitationRow>, DbError> {
    db.read("operators::invitation").fetch_optional(INVITATION, args![token_digest, now]).await
}

const ACCEPT: &str = "/* operators::accept */
    DELETE FROM operator_invitations WHERE token_digest = $1 AND expires_at > $2
      AND EXISTS (SELECT 1 FROM operators o WHERE o.id = operator_id AND o.state = 'invited')";

/// Uses an invitation up; `false` when it was used, has expired, or its operator is suspended.
pub async fn accept(tx: &mut Tx, token_digest: &str, now: Timestamp) -> Result<bool, DbError> {
    Ok(tx.execute(ACCEPT, args![token_digest, now]).await? == 1)
}

const ADD_CODE: &str = "/* operators::add_code */
    INSERT INTO operator_recovery_codes (operator_id, code_digest) VALUES ($1, $2)";
const USE_CODE: &str = "/* operators::use_code */
    DELETE FROM operator_recovery_codes WHERE operator_id = $1 AND code_digest = $2";
const DELETE_CODES: &str = "/* operators::delete_codes */ DELETE FROM operator_recovery_codes WHERE operator_id = $1";
const CODES: &str = "/* operators::codes */
    SELECT code_digest AS digest FROM operator_recovery_codes WHERE operator_id = $1";
const COUNT_CODES: &str = "/* operators::count_codes */
    SELECT COUNT(*) AS count FROM operator_recovery_codes WHERE operator_id = $1";

/// Replaces an operator's recovery codes, by their digests.
pub async fn set_codes(tx: &mut Tx, id: &str, digests: &[String]) -> Result<(), DbError> {
    tx.execute(DELETE_CODES, args![id]).await?;
    for digest in digests {
        tx.execute(ADD_CODE, args![id, digest]).await?;
    }
    Ok(())
}

/// Uses a recovery code up; `false` when the operator has no such code.
pub async fn use_code(tx: &mut Tx, id: &str, digest: &str) -> Result<bool, DbError> {
    Ok(tx.execute(USE_CODE, args![id, digest]).await? == 1)
}

/// The digests of the recovery codes that an operator has left.
pub async fn codes(db: &Db, id: &str) -> Result<Vec<String>, DbError> {
    let rows: Vec<DigestRow> = db.read("operators::codes").fetch_all(CODES, args![id]).await?;
    Ok(rows.into_iter().map(|row| row.digest).collect())
}

/// How many recovery codes an operator has left.
pub async fn count_codes(db: &Db, id: &str) -> Result<i64, DbError> {
    let row: CountRow = db.read("operators::count_codes").fetch_one(COUNT_CODES, args![id]).await?;
    Ok(row.count)
}

const FORGET_FAILURES: &str = "/* operators::forget_failures */ DELETE FROM operator_failures WHERE failed_at < $1";
const COUNT_FAILURES: &str = "/* operators::count_failures */ SELECT COUNT(*) AS count FROM operator_failures";
const FAIL: &str = "/* operators::fail */
    INSERT INTO operator_failures (name_digest, failures, failed_at) VALUES ($1, 1, $2)
    ON CONFLICT (name_digest) DO UPDATE SET failures = operator_failures.failures + 1, failed_at = excluded.failed_at
    WHERE operator_failures.locked_until IS NULL OR operator_failures.locked_until <= excluded.failed_at
    RETURNING failures, locked_until";
const FAILURES: &str = "/* operators::failures */
    SELECT failures, locked_until FROM operator_failures WHERE name_digest = $1";
const LOCK_NAME: &str = "/* operators::lock_name */
    UPDATE operator_failures SET locked_until = $2 WHERE name_digest = $1";
const CLEAR: &str = "/* operators::clear_failures */ DELETE FROM operator_failures WHERE name_digest = $1";

/// Counts an attempt under a name; none when the name is locked, which `failures` then shows.
pub async fn fail(tx: &mut Tx, name_digest: &str, now: Timestamp) -> Result<Option<FailuresRow>, DbError> {
    tx.fetch_optional(FAIL, args![name_digest, now]).await
}

/// The failed attempts under a name.
pub async fn failures(tx: &mut Tx, name_digest: &str) -> Result<Option<FailuresRow>, DbError> {
    tx.fetch_optional(FAILURES, args![name_digest]).await
}

/// Locks a name until an instant.
pub async fn lock_name(tx: &mut Tx, name_digest: &str, until: Timestamp) -> Result<(), DbError> {
    tx.execute(LOCK_NAME, args![name_digest, until]).await.map(|_| ())
}

/// Forgets the failed attempts under a name.
pub async fn clear_failures(tx: &mut Tx, name_digest: &str) -> Result<(), DbError> {
    tx.execute(CLEAR, args![name_digest]).await.map(|_| ())
}

/// Forgets attempts that failed before an instant, and returns of how many names there are some left.
pub async fn forget_failures(tx: &mut Tx, before: Timestamp) -> Result<i64, DbError> {
    tx.execute(FORGET_FAILURES, args![before]).await?;
    let row: Option<CountRow> = tx.fetch_optional(COUNT_FAILURES, args![]).await?;
    Ok(row.map_or(0, |row| row.count))
}

const SEALED: &str = "/* operators::sealed */
    SELECT 'operators' AS kind, id AS operator_id, sealed_totp FROM operators WHERE sealed_totp IS NOT NULL
    UNION ALL
    SELECT 'operator_invitations' AS kind, operator_id, sealed_totp FROM operator_invitations";
const RESEAL: &str = "/* operators::reseal */ UPDATE operators SET sealed_totp = $2 WHERE id = $1";
const RESEAL_INVITATION: &str = "/* operators::reseal_invitation */
    UPDATE operator_invitations SET sealed_totp = $2 WHERE operator_id = $1";
// Until the transaction ends no operator enrols and none is invited: a secret that changed would be overwritten.
const LOCK_ALL: &str = "/* operators::lock_all */ UPDATE operators SET state = state";

/// Every sealed secret, none of which changes until the transaction ends.
pub async fn sealed(tx: &mut Tx) -> Result<Vec<SealedTotpRow>, DbError> {
    tx.execute(LOCK_ALL, args![]).await?;
    tx.fetch_all(SEALED, args![]).await
}

/// Every sealed secret, to be looked at.
pub async fn sealed_in(db: &Db) -> Result<Vec<SealedTotpRow>, DbError> {
    db.read("operators::sealed").fetch_all(SEALED, args![]).await
}

/// Replaces a sealed secret.
pub async fn reseal(tx: &mut Tx, row: &SealedTotpRow, sealed: &[u8]) -> Result<(), DbError> {
    let sql = if row.kind == "operators" { RESEAL } else { RESEAL_INVITATION };
    tx.execute(sql, args![&row.operator_id, sealed]).await.map(|_| ())
}

//! Certificates our own authority issued.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// A certificate we issued.
    pub struct CertificateRow {
        /// `crt_…`.
        pub id: String,
        pub authority_id: String,
        /// Lower-case hex without leading zeros.
        pub serial: String,
        /// base64url SHA-256 of the DER.
        pub thumbprint: String,
        /// server | bank-client.
        pub profile: String,
        /// Distinguished name, RFC 4514.
        pub subject: String,
        /// DER.
        pub certificate: Vec<u8>,
        /// First instant of validity.
        pub not_before_at: i64,
        /// Last instant of validity.
        pub not_after_at: i64,
        pub issued_at: i64,
        pub revoked_at: Option<i64>,
        /// Name of a reason in RFC 5280.
        pub revocation_reason: Option<String>,
    }
}

record! {
    /// A certificate on a revocation list.
    pub struct RevokedRow {
        /// Lower-case hex.
        pub serial: String,
        pub revoked_at: i64,
        /// Name of a reason in RFC 5280.
        pub revocation_reason: String,
    }
}

const INSERT: &str = "/* certificates::insert */
    INSERT INTO certificates (id, authority_id, serial, thumbprint, profile, subject, certificate, not_before_at, not_after_at, issued_at, revoked_at, revocation_reason)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL, NULL)";
const LIST: &str = "/* certificates::list */
    SELECT id, authority_id, serial, thumbprint, profile, subject, certificate, not_before_at, not_after_at, issued_at, revoked_at, revocation_reason
    FROM certificates ORDER BY issued_at, id";
// An operator may name any of the three: their forms differ, so one parameter serves all.
const FIND: &str = "/* certificates::find */
    SELECT id, authority_id, serial, thumbprint, profile, subject, certificate, not_before_at, not_after_at, issued_at, revoked_at, revocation_reason
    FROM certificates WHERE id = $1 OR serial = $1 OR thumbprint = $1";
const MOVE: &str = "/* certificates::move_to */ UPDATE certificates SET authority_id = $2 WHERE authority_id = $1";
// The first revocation counts: a later one neither moves its time nor changes its reason.
const REVOKE: &str = "/* certificates::revoke */
    UPDATE certificates SET revoked_at = $2, revocation_reason = $3 WHERE id = $1 AND revoked_at IS NULL";
// An expired certificate is refused for its date, so it may leave the list, which would otherwise only grow.
const LIST_REVOKED: &str = "/* certificates::list_revoked */
    SELECT serial, revoked_at, revocation_reason FROM certificates
    WHERE authority_id = $1 AND revoked_at IS NOT NULL AND not_after_at >= $2 ORDER BY revoked_at, serial";

/// Inserts an issued certificate.
pub async fn insert(tx: &mut Tx, row: &CertificateRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.authority_id,
        &row.serial,
        &row.thumbprint,
        &row.profile,
        &row.subject,
        row.certificate.clone(),
        row.not_before_at,
        row.not_after_at,
        row.issued_at,
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// Moves the certificates of an authority to another one, whose lists then name those that are revoked.
pub async fn move_to(tx: &mut Tx, from: &str, to: &str) -> Result<u64, DbError> {
    tx.execute(MOVE, args![from, to]).await
}

/// Every certificate we issued, the oldest first.
pub async fn list(db: &Db) -> Result<Vec<CertificateRow>, DbError> {
    db.read("certificates::list").fetch_all(LIST, args![]).await
}

/// The certificates with an id, a serial number or a thumbprint.
pub async fn find_in(tx: &mut Tx, name: &str) -> Result<Vec<CertificateRow>, DbError> {
    tx.fetch_all(FIND, args![name]).await
}

/// Revokes a certificate. `false` when it was already revoked.
pub async fn revoke(tx: &mut Tx, id: &str, reason: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(REVOKE, args![id, at, reason]).await.map(|changed| changed == 1)
}

/// The entries of a revocation list: certificates that are revoked and did not expire before `expired_before`.
pub async fn list_revoked(tx: &mut Tx, authority: &str, expired_before: Timestamp) -> Result<Vec<RevokedRow>, DbError> {
    tx.fetch_all(LIST_REVOKED, args![authority, expired_before]).await
}

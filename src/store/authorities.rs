//! Authorities whose client certificates are accepted, their revocation lists, and certificates that an operator refuses.

use super::{Db, DbError, Tx, args, record};
use crate::domain::Timestamp;

record! {
    /// An authority, our own or a partner's.
    pub struct AuthorityRow {
        /// `aut_…`.
        pub id: String,
        /// Its name among operators.
        pub name: String,
        /// own | former | partner. `own` is our present authority, `former` one that it replaced: both issue the identities of `own`.
        pub kind: String,
        /// DER.
        pub certificate: Vec<u8>,
        /// Partner: the file that its revocation lists are read from.
        pub crl_file: Option<String>,
        /// Own: the current list, DER.
        pub crl: Option<Vec<u8>>,
        /// Own: the number of the current list.
        pub crl_number: i64,
        /// Own: when the current list was issued. Partner: when the newest list that was ever in use was issued.
        pub crl_this_update_at: Option<i64>,
        /// Own: when the current list expires.
        pub crl_next_update_at: Option<i64>,
        /// When it was first trusted.
        pub added_at: i64,
        /// When it ceased to be trusted.
        pub removed_at: Option<i64>,
    }
}

record! {
    /// A certificate refused by this gateway.
    pub struct RefusedRow {
        /// base64url SHA-256 of the DER.
        pub thumbprint: String,
        /// The reason in the operator's words.
        pub reason: String,
        pub refused_at: i64,
    }
}

record! {
    struct IdRow {
        id: String,
    }
}

record! {
    struct ValueRow {
        value: String,
    }
}

const LIST: &str = "/* authorities::list */
    SELECT id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at
    FROM authorities ORDER BY added_at, id";
const FIND: &str = "/* authorities::find */
    SELECT id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at
    FROM authorities WHERE name = $1";
const FIND_OWN: &str = "/* authorities::find_own */
    SELECT id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at
    FROM authorities WHERE kind = 'own' AND removed_at IS NULL";
// Changes nothing: it takes the row's lock, so that the next statement sees everything committed before.
const LOCK_OWN: &str = "/* authorities::lock_own */
    UPDATE authorities SET kind = kind WHERE kind = 'own' AND removed_at IS NULL";
const FIND_BY_ID: &str = "/* authorities::find_by_id */
    SELECT id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at
    FROM authorities WHERE id = $1";
const LIST_OURS: &str = "/* authorities::list_ours */
    SELECT id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at
    FROM authorities WHERE kind IN ('own', 'former') AND removed_at IS NULL ORDER BY added_at, id";
const REPLACE_OWN: &str = "/* authorities::replace_own */
    UPDATE authorities SET certificate = $2, crl = $3, crl_number = $4, crl_this_update_at = $5, crl_next_update_at = $6
    WHERE id = $1 AND kind = 'own'";
const INSERT: &str = "/* authorities::insert */
    INSERT INTO authorities (id, name, kind, certificate, crl_file, crl, crl_number, crl_this_update_at, crl_next_update_at, added_at, removed_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, NULL)";
// Only a higher number replaces the list: of two gateways that issue lists, the later list stays.
const SET_LIST: &str = "/* authorities::set_list */
    UPDATE authorities SET crl = $2, crl_number = $3, crl_this_update_at = $4, crl_next_update_at = $5
    WHERE id = $1 AND crl_number < $3";
// Trusted again, it keeps the time of its newest list, so that older lists remain refused.
const SET_FILE: &str = "/* authorities::set_file */
    UPDATE authorities SET crl_file = $2, removed_at = NULL WHERE id = $1";
// Never moved back: a gateway that still reads an older file must not make older lists acceptable again.
const NOTE_LIST: &str = "/* authorities::note_list */
    UPDATE authorities SET crl_this_update_at = $2
    WHERE id = $1 AND (crl_this_update_at IS NULL OR crl_this_update_at < $2)";
// The newest list of every issuer below an authority is a row of the settings: they have no order of their own in SQL,
// because numbers of lists have up to twenty octets.
const NEWEST_LISTS: &str = "/* authorities::newest_lists */ SELECT value FROM settings WHERE name = $1";
const SET_NEWEST_LISTS: &str = "/* authorities::set_newest_lists */
    INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
// Changes nothing: it takes the row's lock, so that of two gateways none overwrites what the other notes.
const LOCK: &str = "/* authorities::lock */ UPDATE authorities SET kind = kind WHERE id = $1";
const REMOVE: &str = "/* authorities::remove */
    UPDATE authorities SET removed_at = $2 WHERE id = $1 AND removed_at IS NULL";
// Refused twice, the first reason and time remain.
const REFUSE: &str = "/* authorities::refuse */
    INSERT INTO refused_certificates (thumbprint, reason, refused_at) VALUES ($1, $2, $3)
    ON CONFLICT (thumbprint) DO NOTHING";
const LIST_REFUSED: &str = "/* authorities::list_refused */
    SELECT thumbprint, reason, refused_at FROM refused_certificates ORDER BY refused_at, thumbprint";
const CLIENTS_OF_IDENTITY: &str = "/* authorities::clients_of_identity */
    SELECT id FROM clients WHERE authority_id = $1 AND subject = $2";
const CLIENTS_OF_AUTHORITY: &str = "/* authorities::clients_of_authority */
    SELECT id FROM clients WHERE authority_id = $1 ORDER BY id";
const ALL_CLIENTS: &str = "/* authorities::all_clients */ SELECT id FROM clients ORDER BY id";
const RAISE_EPOCH: &str = "/* authorities::raise_epochs */ UPDATE clients SET epoch = epoch + 1 WHERE id = $1";

/// Every authority that was ever trusted, in the order of trust.
pub async fn list(db: &Db) -> Result<Vec<AuthorityRow>, DbError> {
    db.read("authorities::list").fetch_all(LIST, args![]).await
}

/// [`list`] inside a transaction that will add an authority.
pub async fn list_in(tx: &mut Tx) -> Result<Vec<AuthorityRow>, DbError> {
    tx.fetch_all(LIST, args![]).await
}

/// The authority with a name, whether it is still trusted or not.
pub async fn find_in(tx: &mut Tx, name: &str) -> Result<Option<AuthorityRow>, DbError> {
    tx.fetch_optional(FIND, args![name]).await
}

/// Our own authority.
pub async fn find_own(db: &Db) -> Result<Option<AuthorityRow>, DbError> {
    db.read("authorities::find_own").fetch_optional(FIND_OWN, args![]).await
}

/// Our own authority, locked until the transaction ends, so that its lists are numbered in order.
pub async fn lock_own(tx: &mut Tx) -> Result<Option<AuthorityRow>, DbError> {
    tx.execute(LOCK_OWN, args![]).await?;
    find_own_in(tx).await
}

/// Our own authority, inside a transaction.
pub async fn find_own_in(tx: &mut Tx) -> Result<Option<AuthorityRow>, DbError> {
    tx.fetch_optional(FIND_OWN, args![]).await
}

/// An authority, locked until the transaction ends.
pub async fn lock_in(tx: &mut Tx, id: &str) -> Result<Option<AuthorityRow>, DbError> {
    tx.execute(LOCK, args![id]).await?;
    tx.fetch_optional(FIND_BY_ID, args![id]).await
}

/// Our present authority and the former ones that are still trusted.
pub async fn list_ours(db: &Db) -> Result<Vec<AuthorityRow>, DbError> {
    db.read("authorities::list_ours").fetch_all(LIST_OURS, args![]).await
}

/// Replaces certificate and list of our own authority: its clients stay its clients.
pub async fn replace_own(tx: &mut Tx, id: &str, certificate: &[u8], list: &OwnList) -> Result<bool, DbError> {
    let args = args![id, certificate.to_vec(), list.der.clone(), list.number, list.this_update, list.next_update];
    tx.execute(REPLACE_OWN, args).await.map(|changed| changed == 1)
}

/// Inserts an authority; fails when its name is taken.
pub async fn insert(tx: &mut Tx, row: &AuthorityRow) -> Result<(), DbError> {
    let args = args![
        &row.id,
        &row.name,
        &row.kind,
        row.certificate.clone(),
        row.crl_file.clone(),
        row.crl.clone(),
        row.crl_number,
        row.crl_this_update_at,
        row.crl_next_update_at,
        row.added_at,
    ];
    tx.execute(INSERT, args).await.map(|_| ())
}

/// A revocation list of our own authority.
#[derive(Debug, Clone)]
pub struct OwnList {
    pub der: Vec<u8>,
    /// Its number, higher than that of every list before.
    pub number: i64,
    /// When it was issued.
    pub this_update: Timestamp,
    /// When it expires.
    pub next_update: Timestamp,
}

/// Replaces our own list by a later one. `false` when the stored one is at least as late.
pub async fn set_list(tx: &mut Tx, id: &str, list: &OwnList) -> Result<bool, DbError> {
    let args = args![id, list.der.clone(), list.number, list.this_update, list.next_update];
    tx.execute(SET_LIST, args).await.map(|changed| changed == 1)
}

/// Sets the file that a partner's lists are read from, and trusts the authority again if trust had ended.
pub async fn set_file(tx: &mut Tx, id: &str, file: &str) -> Result<(), DbError> {
    tx.execute(SET_FILE, args![id, file]).await.map(|_| ())
}

/// Stores when a partner's list in use was issued, so that neither this process nor another accepts an older one later.
pub async fn note_list(tx: &mut Tx, id: &str, this_update: Timestamp) -> Result<(), DbError> {
    tx.execute(NOTE_LIST, args![id, this_update]).await.map(|_| ())
}

/// The newest list of every issuer below a partner's authority that was ever in use, as [`set_newest_lists`] stored them.
pub async fn newest_lists(db: &Db, id: &str) -> Result<Option<String>, DbError> {
    let row: Option<ValueRow> =
        db.read("authorities::newest_lists").fetch_optional(NEWEST_LISTS, args![newest_lists_name(id)]).await?;
    Ok(row.map(|row| row.value))
}

/// [`newest_lists`] inside a transaction that will store them; the authority is locked until it ends.
pub async fn lock_newest_lists(tx: &mut Tx, id: &str) -> Result<Option<String>, DbError> {
    tx.execute(LOCK, args![id]).await?;
    let row: Option<ValueRow> = tx.fetch_optional(NEWEST_LISTS, args![newest_lists_name(id)]).await?;
    Ok(row.map(|row| row.value))
}

/// Stores the newest list of every issuer below a partner's authority.
pub async fn set_newest_lists(tx: &mut Tx, id: &str, lists: &str) -> Result<(), DbError> {
    tx.execute(SET_NEWEST_LISTS, args![newest_lists_name(id), lists]).await.map(|_| ())
}

fn newest_lists_name(id: &str) -> String {
    format!("revocation_lists/{id}")
}

/// Ends the trust in an authority. `false` when it had already ended.
pub async fn remove(tx: &mut Tx, id: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(REMOVE, args![id, at]).await.map(|changed| changed == 1)
}

/// Refuses a certificate. `false` when it was already refused.
pub async fn refuse(tx: &mut Tx, thumbprint: &str, reason: &str, at: Timestamp) -> Result<bool, DbError> {
    tx.execute(REFUSE, args![thumbprint, reason, at]).await.map(|changed| changed == 1)
}

/// Every certificate refused by this gateway.
pub async fn list_refused(db: &Db) -> Result<Vec<RefusedRow>, DbError> {
    db.read("authorities::list_refused").fetch_all(LIST_REFUSED, args![]).await
}

/// The clients affected by a change of certificates.
#[derive(Debug, Clone, Copy)]
pub enum AffectedClients<'a> {
    /// The client registered under an authority and a subject.
    Identity(&'a str, &'a str),
    /// Every client of an authority.
    Authority(&'a str),
    /// Every client, when the affected ones are not known.
    All,
}

/// Makes the append compare again every answer in progress for the affected clients, and waits for appends in progress (I2).
/// Returns how many clients are affected.
pub async fn invalidate_answers_of(tx: &mut Tx, concerned: AffectedClients<'_>) -> Result<usize, DbError> {
    let rows: Vec<IdRow> = match concerned {
        AffectedClients::Identity(authority, subject) => {
            tx.fetch_all(CLIENTS_OF_IDENTITY, args![authority, subject]).await?
        }
        AffectedClients::Authority(authority) => tx.fetch_all(CLIENTS_OF_AUTHORITY, args![authority]).await?,
        AffectedClients::All => tx.fetch_all(ALL_CLIENTS, args![]).await?,
    };
    let ids: Vec<String> = rows.into_iter().map(|row| row.id).collect();
    // Before the epochs are raised: an append in progress holds the locks shared, so it commits before this change or
    // compares with the new epoch.
    tx.lock_banks_exclusive(&ids).await?;
    // One statement for each client: changes of certificates are rare.
    for id in &ids {
        tx.execute(RAISE_EPOCH, args![id]).await?;
    }
    Ok(ids.len())
}

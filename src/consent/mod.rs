//! Consents: a bank requests one, the subject grants it, and either side may narrow or end it.
//!
//! Invariants: only this room makes a [`ConsentPermit`]; every transition is one transaction with its event and its ledger
//! entry (C2); every transition first takes the bank's lock exclusively, so that the order of commits decides (I2); expiry
//! is checked when a consent is used, never by a sweeper (C3); terminal states do not change (C1); a cached consent allows
//! only what the append then compares by its version, and refuses nobody. This room knows nothing of HTTP, of grades or of
//! what is disclosed.

mod evidence;
mod grant;
mod idempotency;
mod in_force;
mod lists;
mod model;
mod permit;
mod receipt;
mod request;
mod terms;
mod transition;

pub use evidence::SignedText;
pub use grant::{Amendment, Grant};
pub use idempotency::{IdempotencyKey, Requested, ResponseUnderKey, STORED_FOR, StoredResponse};
pub use lists::{ListedConsent, counts};
pub use model::{Consent, ConsentEvent, ConsentState};
pub use permit::{ConsentPermit, MonthRange, PermitRequest};
pub use receipt::{RECEIPT_TYPE, Receipt};
pub use request::NewConsent;
pub use transition::Decision;

use crate::{
    domain::{
        BoundedCache, Failure, Kinds, Region,
        ids::{ClientId, ConsentId},
    },
    store::{Env, consents, subjects},
};
use std::sync::Arc;

/// The bounds of every consent.
#[derive(Debug, Clone, Copy)]
pub struct ConsentPolicy {
    /// How long a request waits to be granted, in days.
    pub request_days: i64,
    /// Validity when the request names none, in days (pre-loan: 30 to 90).
    pub default_validity_days: i64,
    /// The longest validity, in days (three years).
    pub max_validity_days: i64,
    /// Months of data when the request names none.
    pub default_data_months: i32,
    /// The longest window of data, in months.
    pub max_data_months: i32,
}

/// The entry point of the room.
#[derive(Debug, Clone)]
pub struct Consents {
    env: Env,
    kinds: Arc<Kinds>,
    policy: ConsentPolicy,
    running: idempotency::Running,
    /// Keyed by the client too: another bank's consent is never found here, and takes the same steps as an unknown one (C7).
    recent: Arc<BoundedCache<(ClientId, ConsentId), Arc<Consent>>>,
}

/// The most consents in the cache: some ten megabytes.
const MAX_CACHED: usize = 10_000;

/// The answer for unknown, foreign and malformed ids alike (C7).
pub(crate) fn not_found() -> Failure {
    Failure::not_found("consent_not_found", "There is no consent with this id.")
}

impl Consents {
    /// Opens the room.
    pub fn open(env: Env, kinds: Arc<Kinds>, policy: ConsentPolicy) -> Self {
        Self {
            env,
            kinds,
            policy,
            running: idempotency::Running::default(),
            recent: Arc::new(BoundedCache::new(MAX_CACHED)),
        }
    }

    /// Finds a consent of this client.
    pub async fn get(&self, client: ClientId, id: &str) -> Result<Consent, Failure> {
        let row = self.find(id).await?;
        // Checked before anything more is read, so that a foreign id takes the same time as an unknown one.
        let row = row.filter(|row| row.client_id == client.to_string()).ok_or_else(not_found)?;
        let codes = consents::codes(&self.env.db, &row.id).await?;
        Ok(Consent::from_row(row, codes)?)
    }

    /// Finds the row of an id as the caller wrote it. For a malformed one, an id that no consent has is looked up: it takes
    /// the same time as an unknown id, and no engine gets text that it cannot store.
    async fn find(&self, unverified_id: &str) -> Result<Option<consents::ConsentRow>, Failure> {
        let id = unverified_id.parse::<ConsentId>().map_or_else(|_| "con_none".to_owned(), |id| id.to_string());
        Ok(consents::find(&self.env.db, &id).await?)
    }

    /// Finds a consent of any client, for operators.
    pub async fn get_any(&self, id: &str) -> Result<Consent, Failure> {
        let row = self.find(id).await?.ok_or_else(not_found)?;
        let codes = consents::codes(&self.env.db, &row.id).await?;
        Ok(Consent::from_row(row, codes)?)
    }

    /// Finds a consent of any client, for an operator who sees subjects of some regions. One with a subject elsewhere, or that is not
    /// registered, is like one that does not exist.
    pub async fn get_within(&self, id: &str, covers: impl Fn(Region) -> bool) -> Result<Consent, Failure> {
        let consent = self.get_any(id).await?;
        let codes: Vec<&str> = consent.codes.iter().map(String::as_str).collect();
        let found = subjects::list(&self.env.db.read("consent::regions"), &codes).await?;
        let is_covered = |code: &&str| {
            let row = found.iter().find(|row| row.code == **code);
            row.and_then(|row| row.region.parse().ok()).is_some_and(&covers)
        };
        if codes.iter().all(is_covered) { Ok(consent) } else { Err(not_found()) }
    }

    /// Lists a page of this client's consents, oldest first.
    pub async fn list(&self, client: ClientId, after: Option<&str>, limit: i64) -> Result<Vec<Consent>, Failure> {
        let rows =
            consents::list_of_client(&self.env.db, &client.to_string(), after.unwrap_or_default(), limit).await?;
        self.with_codes(rows).await
    }

    /// Lists a page of every client's consents, oldest first, for operators.
    pub async fn list_any(&self, after: Option<&str>, limit: i64) -> Result<Vec<Consent>, Failure> {
        let rows = consents::list_all(&self.env.db, after.unwrap_or_default(), limit).await?;
        self.with_codes(rows).await
    }

    async fn with_codes(&self, rows: Vec<consents::ConsentRow>) -> Result<Vec<Consent>, Failure> {
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let codes = consents::codes(&self.env.db, &row.id).await?;
            out.push(Consent::from_row(row, codes)?);
        }
        Ok(out)
    }

    /// The fetches used in total, and on one day.
    pub async fn used(&self, consent: &Consent, day: crate::domain::Day) -> Result<(i64, i64), Failure> {
        let used = consents::find_use(&self.env.db, &consent.id.to_string()).await?;
        // The row counts one day: if that has passed, nothing is used today.
        Ok(used.map_or((0, 0), |row| (row.used, if row.day == day.to_string() { row.used_today } else { 0 })))
    }
}

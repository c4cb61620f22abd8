//! A bank's request for a consent.

use std::time::Duration;

use super::{
    Consent, ConsentState, Consents,
    idempotency::{Requested, ResponseUnderKey},
    model::ConsentEvent,
    terms::{Judged, OutOfBounds, Terms, days_after},
    transition::{Decision, first_terms},
};
use crate::{
    domain::{
        Actor, Failure, FailureKind, Month, Timestamp,
        ids::{ClientId, ConsentId},
        permission::{Permission, Purpose},
        printable::check_text,
        uscc::Uscc,
    },
    store::{
        Tx, clients,
        consents::{self, ConsentRow},
    },
};

/// The most codes one consent covers.
const MAX_CODES: usize = 200;

/// A request as the bank sent it.
#[derive(Debug, Clone)]
pub struct NewConsent {
    /// The unified social credit code of the legal entity.
    pub uscc: String,
    /// The medical-insurance codes of that entity to cover.
    pub codes: Vec<String>,
    pub permissions: Vec<Permission>,
    pub purposes: Vec<Purpose>,
    /// The bank's name for its product.
    pub product: String,
    /// The bank's own reference number.
    pub reference: Option<String>,
    /// The first month of data; by default some months back, as configured.
    pub data_from: Option<Month>,
    /// The last month of data; by default the current one.
    pub data_to: Option<Month>,
    /// The validity from the grant on, in days.
    pub valid_for_days: Option<i64>,
    /// The most fetches in total.
    pub max_fetches: Option<i64>,
    /// The most fetches in a day.
    pub daily_budget: Option<i64>,
}

fn invalid(field: &str, public: impl Into<String>) -> Failure {
    Failure::invalid(field, "invalid_request", public)
}

fn deduplicated<T: Ord + Copy>(words: &[T]) -> Vec<T> {
    let mut words = words.to_vec();
    words.sort_unstable();
    words.dedup();
    words
}

impl Consents {
    /// Records a request. Whether the codes exist is not checked, so the answer cannot reveal it: a request for an unknown
    /// code is never granted, and expires like any other.
    pub async fn request(&self, client: ClientId, max_pending: i64, new: &NewConsent) -> Result<Consent, Failure> {
        self.env.require_clock()?;
        let now = self.env.clock.now();
        let (consent, tx) = self.create(client, max_pending, new, now).await?;
        tx.commit().await?;
        tracing::info!(client.id = %client, consent.id = %consent.id, "a bank requested a consent");
        Ok(consent)
    }

    /// Records a request under an idempotency key: sent again, it gets the stored response (M9).
    pub async fn request_idempotent(
        &self,
        client: ClientId,
        max_pending: i64,
        new: &NewConsent,
        under_key: ResponseUnderKey<'_>,
    ) -> Result<Requested, Failure> {
        // A response stored by a clock that is ahead would be replayed for longer, and by one behind be replaced too early.
        self.env.require_clock()?;
        let now = self.env.clock.now();
        let key = under_key.key;
        // Held until the end, so that an equal request to this process is refused meanwhile.
        let _running = self.running.begin(client, &key.key)?;
        // Looked up before any check: a request that was accepted once is not refused when it is repeated.
        if let Some(stored) = self.stored_response(client, key, now).await? {
            return Ok(Requested::Replayed(stored));
        }
        let (consent, mut tx) = match self.create(client, max_pending, new, now).await {
            Ok(created) => created,
            // The limit of pending requests may be reached because another gateway has recorded this same request.
            Err(failure) => {
                return self.stored_response(client, key, now).await?.map(Requested::Replayed).ok_or(failure);
            }
        };
        // Before the commit: where no response can be made, nothing is created.
        let response = (under_key.respond)(&consent)?;
        if !Self::store_response(&mut tx, client, key, &response, now).await? {
            // Another gateway was first: this transaction, with its consent, is rolled back.
            drop(tx);
            let stored = self.stored_response(client, key, now).await?;
            return stored
                .map(Requested::Replayed)
                .ok_or_else(|| Failure::unavailable("state_moving", "the stored response expired during the request"));
        }
        tx.commit().await?;
        tracing::info!(client.id = %client, consent.id = %consent.id, "a bank requested a consent");
        Ok(Requested::Created(response))
    }

    /// Checks and writes a request. The caller commits.
    async fn create(
        &self,
        client: ClientId,
        max_pending: i64,
        new: &NewConsent,
        now: Timestamp,
    ) -> Result<(Consent, Tx), Failure> {
        // Before the transaction begins: a malformed request takes no lock.
        let row = self.checked(client, new, now)?;
        let mut codes = new.codes.clone();
        // Stored sorted, as they are read, so that this consent equals the one that is read later.
        codes.sort_unstable();
        let mut tx = self.env.db.begin("consent::request").await?;
        // The bank's lock, exclusively: concurrent requests must not pass the limit together.
        tx.lock_banks_exclusive(std::slice::from_ref(&row.client_id)).await?;
        Self::require_active(&mut tx, &row.client_id).await?;
        if consents::count_pending(&mut tx, &row.client_id, now).await? >= max_pending {
            return Err(Failure::new(
                FailureKind::Limited {
                    // Nobody knows when one is granted: an hour keeps clients from polling.
                    retry_after: Duration::from_hours(1),
                    policies: vec!["pending-consents".into()],
                },
                "too_many_pending_consents",
                format!(
                    "{max_pending} consent requests of this bank are pending. Wait until they are granted, or withdraw some."
                ),
            ));
        }
        consents::insert(&mut tx, &row, &codes).await?;
        let consent = Consent::from_row(row, codes)?;
        let changes = first_terms(&consent.row);
        self.write_event(&mut tx, &consent, ConsentEvent::Requested, &Decision::by(Actor::bank(client)), &changes)
            .await?;
        Ok((consent, tx))
    }

    /// Refuses a bank that was suspended during its request. Under the bank's lock, which a suspension takes too: what a bank
    /// changes is committed before its suspension, or never.
    pub(super) async fn require_active(tx: &mut Tx, client: &str) -> Result<(), Failure> {
        if clients::may_act(tx, client).await? {
            return Ok(());
        }
        Err(Failure::unavailable("state_moving", "the client was suspended during its request"))
    }

    fn checked(&self, client: ClientId, new: &NewConsent, now: Timestamp) -> Result<ConsentRow, Failure> {
        let uscc = Uscc::parse(&new.uscc).map_err(|error| invalid("/uscc", error.to_string()))?;
        self.check_codes(&new.codes)?;
        let permissions = deduplicated(&new.permissions);
        let purposes = deduplicated(&new.purposes);
        for (field, text, most) in [("/product", Some(&new.product), 100), ("/reference", new.reference.as_ref(), 64)] {
            // Signed for by the subject and shown to operators: what is read must be what is written.
            if let Some(text) = text {
                check_text(text, most).map_err(|error| invalid(field, error.0))?;
            }
        }
        let data_to = new.data_to.unwrap_or_else(|| now.day().month());
        let terms = Terms {
            permissions: &permissions,
            purposes: &purposes,
            // The last month counts as well, so one month less is subtracted.
            data_from: new.data_from.unwrap_or_else(|| data_to.plus(1 - self.policy.default_data_months)),
            data_to,
            max_fetches: new.max_fetches,
            daily_budget: new.daily_budget,
            // Fixed now, as the end of the request is, so that later changes of the policy do not move them.
            expires_at: days_after(now, new.valid_for_days.unwrap_or(self.policy.default_validity_days)),
        };
        self.policy.check(&terms, Judged { requested_at: now, now }).map_err(|error| self.in_request(error))?;
        Ok(ConsentRow {
            id: ConsentId::new(&*self.env.clock, &*self.env.entropy).to_string(),
            version: 1,
            client_id: client.to_string(),
            uscc: uscc.as_str().to_owned(),
            state: ConsentState::Pending.as_str().into(),
            permissions: serde_json::json!(permissions).to_string(),
            purposes: serde_json::json!(purposes).to_string(),
            product: new.product.trim().to_owned(),
            reference: new.reference.clone(),
            data_from: terms.data_from.to_string(),
            data_to: terms.data_to.to_string(),
            max_fetches: terms.max_fetches,
            daily_budget: terms.daily_budget,
            text_sha256: None,
            text_version: None,
            signer: None,
            channel: None,
            status_reason: None,
            requested_at: now.micros(),
            request_expires_at: days_after(now, self.policy.request_days).micros(),
            granted_at: None,
            expires_at: Some(terms.expires_at.micros()),
            ended_at: None,
        })
    }

    fn check_codes(&self, codes: &[String]) -> Result<(), Failure> {
        if codes.is_empty() || codes.len() > MAX_CODES {
            return Err(invalid("/codes", format!("Between 1 and {MAX_CODES} codes.")));
        }
        for (at, code) in codes.iter().enumerate() {
            let field = format!("/codes/{at}");
            let kind = self.kinds.of_code(code).ok_or_else(|| {
                invalid(&field, "Not a national medical-insurance code of a known kind, such as H33030200090.")
            })?;
            if !kind.lendable {
                return Err(invalid(&field, format!("Subjects of the kind {} are not lent to.", kind.id)));
            }
            // All pairs are compared: `MAX_CODES` is small.
            if codes.iter().skip(at + 1).any(|other| other == code) {
                return Err(invalid(&field, "The code is in the list twice."));
            }
        }
        Ok(())
    }

    /// The refusal of a term out of bounds, by its name in a request.
    fn in_request(&self, error: OutOfBounds) -> Failure {
        match error.field {
            "expires_at" => invalid("/valid_for_days", format!("Between 1 and {}.", self.policy.max_validity_days)),
            field => invalid(&format!("/{field}"), error.text),
        }
    }
}

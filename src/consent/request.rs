//! A bank asks for a consent.

use crate::domain::Actor;
use std::time::Duration;

use super::{
    Consent, ConsentState, Consents,
    idempotency::{Once, Requested},
    model::ConsentEvent,
    transition::Decision,
};
use crate::{
    domain::{
        Failure, FailureKind, Month, Timestamp,
        ids::{ClientId, ConsentId},
        permission::{Permission, Purpose},
        uscc::Uscc,
    },
    store::{
        Tx,
        consents::{self, ConsentRow},
    },
};

/// The most codes one consent covers.
const MAX_CODES: usize = 200;
/// A day in seconds.
const DAY: u64 = 86_400;

/// What a bank asks for, as it said it.
#[derive(Debug, Clone)]
pub struct NewConsent {
    /// The legal entity.
    pub uscc: String,
    /// Its codes to be covered.
    pub codes: Vec<String>,
    /// What is to be read.
    pub permissions: Vec<Permission>,
    /// What for.
    pub purposes: Vec<Purpose>,
    /// The bank's product.
    pub product: String,
    /// The bank's own number.
    pub reference: Option<String>,
    /// First month of data.
    pub data_from: Option<Month>,
    /// Last month of data.
    pub data_to: Option<Month>,
    /// Validity once granted, in days.
    pub valid_for_days: Option<i64>,
    /// The most fetches in all.
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
    /// Records a request. Whether the codes exist is neither looked at nor told: one that does not can never be granted,
    /// and expires like any other.
    pub async fn request(&self, client: ClientId, max_pending: i64, new: &NewConsent) -> Result<Consent, Failure> {
        let now = self.env.clock.now();
        let (consent, tx) = self.create(client, max_pending, new, now).await?;
        tx.commit().await?;
        tracing::info!(client.id = %client, consent.id = %consent.id, "a bank requested a consent");
        Ok(consent)
    }

    /// Records a request that counts once, however often it is sent under its key (M9).
    pub async fn request_once(
        &self,
        client: ClientId,
        max_pending: i64,
        new: &NewConsent,
        once: Once<'_>,
    ) -> Result<Requested, Failure> {
        let now = self.env.clock.now();
        let _running = self.running.begin(client, &once.key.key)?;
        // Before anything is judged: what was right when it was carried out is not refused when it is sent again.
        if let Some(kept) = self.kept(client, once.key, now).await? {
            return Ok(Requested::Replayed(kept));
        }
        let (consent, mut tx) = match self.create(client, max_pending, new, now).await {
            Ok(created) => created,
            // Another gateway may have filled the last place with this very request.
            Err(failure) => return self.kept(client, once.key, now).await?.map(Requested::Replayed).ok_or(failure),
        };
        let answer = (once.answer)(&consent)?;
        if !Self::keep(&mut tx, client, once.key, &answer, now).await? {
            drop(tx);
            let kept = self.kept(client, once.key, now).await?;
            return kept
                .map(Requested::Replayed)
                .ok_or_else(|| Failure::unavailable("state_moving", "a kept answer went while it was looked for"));
        }
        tx.commit().await?;
        tracing::info!(client.id = %client, consent.id = %consent.id, "a bank requested a consent");
        Ok(Requested::Created(answer))
    }

    /// Writes a request, uncommitted.
    async fn create(
        &self,
        client: ClientId,
        max_pending: i64,
        new: &NewConsent,
        now: Timestamp,
    ) -> Result<(Consent, Tx), Failure> {
        let row = self.checked(client, new, now)?;
        let mut codes = new.codes.clone();
        codes.sort_unstable();
        let mut tx = self.env.db.begin("consent::request").await?;
        // Under the bank's lock alone, so that parallel requests cannot pass the cap together.
        tx.lock_banks_exclusive(std::slice::from_ref(&row.client_id)).await?;
        if consents::count_pending(&mut tx, &row.client_id, now).await? >= max_pending {
            return Err(Failure::new(
                FailureKind::Limited {
                    retry_after: Duration::from_hours(1),
                    policies: vec!["pending-consents".into()],
                },
                "too_many_pending_consents",
                format!(
                    "{max_pending} consent requests of this bank wait already; let them be granted, or withdraw some."
                ),
            ));
        }
        consents::insert(&mut tx, &row, &codes).await?;
        let consent = Consent::from_row(row, codes)?;
        let changes = serde_json::json!({ "state": [null, "pending"] });
        self.write_event(&mut tx, &consent, ConsentEvent::Requested, &Decision::by(Actor::bank(client)), &changes)
            .await?;
        Ok((consent, tx))
    }

    fn checked(&self, client: ClientId, new: &NewConsent, now: Timestamp) -> Result<ConsentRow, Failure> {
        let uscc = Uscc::parse(&new.uscc).map_err(|error| invalid("/uscc", error.to_string()))?;
        self.check_codes(&new.codes)?;
        let permissions = deduplicated(&new.permissions);
        let purposes = deduplicated(&new.purposes);
        if permissions.is_empty() || purposes.is_empty() {
            let field = if permissions.is_empty() { "/permissions" } else { "/purposes" };
            return Err(invalid(field, "At least one is needed."));
        }
        for (field, text, most) in [("/product", Some(&new.product), 100), ("/reference", new.reference.as_ref(), 64)] {
            let fits = text.is_none_or(|text| {
                !text.trim().is_empty() && text.chars().count() <= most && !text.chars().any(char::is_control)
            });
            if !fits {
                return Err(invalid(field, format!("1 to {most} printable characters.")));
            }
        }
        let (from, to) = self.data_period(new, now)?;
        let days = new.valid_for_days.unwrap_or(self.policy.default_validity_days);
        if !(1..=self.policy.max_validity_days).contains(&days) {
            return Err(invalid("/valid_for_days", format!("Between 1 and {}.", self.policy.max_validity_days)));
        }
        for (field, limit) in [("/max_fetches", new.max_fetches), ("/daily_budget", new.daily_budget)] {
            if limit.is_some_and(|limit| !(1..=1_000_000).contains(&limit)) {
                return Err(invalid(field, "Between 1 and 1000000, or left out."));
            }
        }
        let after = |days: i64| now.plus(Duration::from_secs(DAY * u64::try_from(days).unwrap_or(0)));
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
            data_from: from.to_string(),
            data_to: to.to_string(),
            max_fetches: new.max_fetches,
            daily_budget: new.daily_budget,
            text_sha256: None,
            text_version: None,
            signer: None,
            channel: None,
            status_reason: None,
            requested_at: now.micros(),
            request_expires_at: after(self.policy.request_days).micros(),
            granted_at: None,
            expires_at: Some(after(days).micros()),
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
            if codes.iter().skip(at + 1).any(|other| other == code) {
                return Err(invalid(&field, "It stands twice in the list."));
            }
        }
        Ok(())
    }

    /// The window of data: as asked for, within bounds, not beyond the present month.
    fn data_period(&self, new: &NewConsent, now: Timestamp) -> Result<(Month, Month), Failure> {
        let present = now.day().month();
        let to = new.data_to.unwrap_or(present);
        let from = new.data_from.unwrap_or_else(|| to.plus(1 - self.policy.default_data_months));
        if from > to {
            return Err(invalid("/data_from", "It is after data_to."));
        }
        let months = to.months_since(from) + 1;
        if months > self.policy.max_data_months {
            return Err(invalid(
                "/data_from",
                format!("{months} months; at most {} may be asked for.", self.policy.max_data_months),
            ));
        }
        // Post-loan management looks ahead: the window may reach into the months that validity will cover.
        if to.months_since(present) > self.policy.max_data_months {
            return Err(invalid("/data_to", "Too far in the future."));
        }
        Ok((from, to))
    }
}

//! Granting a consent, and every later change of it.

use super::{
    Consent, ConsentEvent, Consents, Decision, SignedText,
    evidence::unprocessable,
    terms::days_after,
    transition::{Step, impossible},
};
use crate::{
    domain::{
        Actor, Failure, FailureKind, Month, Timestamp, ids::ClientId, permission::Permission, permission::Purpose,
    },
    store::consents,
};

/// The evidence of a signed consent, and its terms.
#[derive(Debug, Clone)]
pub struct Grant {
    pub text: SignedText,
    /// An earlier end of validity than the requested one.
    pub expires_at: Option<Timestamp>,
    /// An older consent of the same bank and entity that this one replaces.
    pub replaces: Option<String>,
}

/// The changes of an amendment. Absent values stay as they are.
#[derive(Debug, Clone, Default)]
pub struct Amendment {
    pub permissions: Option<Vec<Permission>>,
    pub purposes: Option<Vec<Purpose>>,
    /// The first and the last month of data.
    pub data: Option<(Month, Month)>,
    /// The most fetches in total.
    pub max_fetches: Option<i64>,
    /// The most fetches in a day.
    pub daily_budget: Option<i64>,
    /// The end of validity.
    pub expires_at: Option<Timestamp>,
    /// The text signed for the amendment; required where it allows more.
    pub text: Option<SignedText>,
}

impl Consents {
    /// Puts a consent in force, with the evidence that it was signed.
    pub async fn grant(&self, id: &str, grant: &Grant, decision: &Decision) -> Result<Consent, Failure> {
        self.env.require_clock()?;
        grant.text.check()?;
        // Checked here for clear refusals. The transition checks the state again, under the lock.
        let consent = self.get_any(id).await?;
        let now = self.env.clock.now();
        if consent.state_at(now).after(ConsentEvent::Granted).is_none() {
            return Err(impossible(&consent, ConsentEvent::Granted, now));
        }
        // Outside the transaction: for a code that changes hands later, reading is refused (`require_entity`).
        self.check_subjects(&consent).await?;
        // The same time as was requested, from now on.
        let requested = now.plus(consent.expires_at.since(consent.requested_at));
        if grant.expires_at.is_some_and(|at| at > requested) {
            return Err(Failure::invalid(
                "expires_at",
                "invalid_request",
                format!("The bank requested validity until {requested} at the latest. Grant an end that is not later."),
            ));
        }
        // The longest validity may have become shorter since the request.
        let expires_at = grant.expires_at.unwrap_or(requested).min(days_after(now, self.policy.max_validity_days));
        let signed = decision.clone().on(Some(&grant.text));
        let replaced = decision.clone().because(Some(format!("replaced by {id}")));
        let sign = |row: &mut consents::ConsentRow| {
            grant.text.write_to(row, &decision.actor);
            row.granted_at = Some(now.micros());
            row.expires_at = Some(expires_at.micros());
        };
        // One transaction for both consents: there is no moment with both in force, or with neither.
        let mut steps = vec![Step { id, owner: None, event: ConsentEvent::Granted, decision: &signed, change: &sign }];
        if let Some(old) = &grant.replaces {
            // Read outside the transaction: bank and entity of a consent never change.
            let former = self.get_any(old).await?;
            if former.client != consent.client || former.uscc != consent.uscc {
                return Err(unprocessable(
                    "consent_not_replaceable",
                    "The consent to replace is of another bank or another entity.",
                ));
            }
            steps.push(Step {
                id: old,
                owner: None,
                event: ConsentEvent::Superseded,
                decision: &replaced,
                change: &|_| {},
            });
        }
        // The first step is the grant; a second one ends the consent that is replaced.
        self.transition(&steps)
            .await?
            .into_iter()
            .next()
            .ok_or_else(|| Failure::internal("a grant returned no consent"))
    }

    /// Checks that every covered code exists and belongs to the entity.
    async fn check_subjects(&self, consent: &Consent) -> Result<(), Failure> {
        let owners = consents::owners(&self.env.db, &consent.codes).await?;
        for code in &consent.codes {
            match owners.iter().find(|row| row.code == *code) {
                None => {
                    return Err(unprocessable("subject_unknown", format!("There is no subject with the code {code}.")));
                }
                Some(row) if row.uscc.as_deref() != Some(&consent.uscc) => {
                    return Err(unprocessable(
                        "subject_of_other_entity",
                        format!("{code} does not belong to {}.", consent.uscc),
                    ));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Rejects a request for a consent.
    pub async fn reject(&self, id: &str, decision: &Decision) -> Result<Consent, Failure> {
        self.transition_one(Step { id, owner: None, event: ConsentEvent::Rejected, decision, change: &|_| {} }).await
    }

    /// Suspends a consent until it is resumed.
    pub async fn suspend(&self, id: &str, decision: &Decision) -> Result<Consent, Failure> {
        self.transition_one(Step { id, owner: None, event: ConsentEvent::Suspended, decision, change: &|_| {} }).await
    }

    /// Puts a suspended consent back in force.
    pub async fn resume(&self, id: &str, decision: &Decision) -> Result<Consent, Failure> {
        self.transition_one(Step { id, owner: None, event: ConsentEvent::Resumed, decision, change: &|_| {} }).await
    }

    /// Revokes a consent. `owner` is the bank if a bank revokes it.
    pub async fn revoke(&self, id: &str, owner: Option<ClientId>, decision: &Decision) -> Result<Consent, Failure> {
        self.transition_one(Step { id, owner, event: ConsentEvent::Revoked, decision, change: &|_| {} }).await
    }

    /// Changes what a consent allows, within the bounds of a request. An amendment that allows more needs a newly signed
    /// text. Tokens that are limited to the consent become invalid with the change (C5).
    pub async fn amend(&self, id: &str, amendment: &Amendment, decision: &Decision) -> Result<Consent, Failure> {
        amendment.text.as_ref().map_or(Ok(()), SignedText::check)?;
        let signed = decision.clone().on(amendment.text.as_ref());
        let change = |row: &mut consents::ConsentRow| {
            if let Some(permissions) = &amendment.permissions {
                row.permissions = serde_json::json!(permissions).to_string();
            }
            if let Some(purposes) = &amendment.purposes {
                row.purposes = serde_json::json!(purposes).to_string();
            }
            if let Some((from, to)) = amendment.data {
                row.data_from = from.to_string();
                row.data_to = to.to_string();
            }
            // An absent limit stays: an amendment moves a limit, and cannot lift it.
            row.max_fetches = amendment.max_fetches.or(row.max_fetches);
            row.daily_budget = amendment.daily_budget.or(row.daily_budget);
            row.expires_at = amendment.expires_at.map(Timestamp::micros).or(row.expires_at);
            if let Some(text) = &amendment.text {
                text.write_to(row, &decision.actor);
            }
        };
        self.transition_one(Step { id, owner: None, event: ConsentEvent::Amended, decision: &signed, change: &change })
            .await
    }

    /// Records the consents that have expired. Nothing depends on the time of this (C3): it keeps history and ledger
    /// complete.
    pub async fn record_expiries(&self) -> Result<usize, Failure> {
        self.record_expiries_until(self.env.clock.now()).await
    }

    /// Records the consents that had expired at an instant, which is not in the future.
    pub async fn record_expiries_until(&self, until: Timestamp) -> Result<usize, Failure> {
        self.env.require_clock()?;
        let due = consents::due(&self.env.db, until).await?;
        let (mut written, mut failed) = (0, None);
        for id in &due {
            let decision = Decision::by(Actor::system());
            let step = Step { id, owner: None, event: ConsentEvent::Expired, decision: &decision, change: &|_| {} };
            match self.transition_one(step).await {
                Ok(_) => written += 1,
                // Another gateway recorded it first.
                Err(Failure { kind: FailureKind::Conflict, .. }) => {}
                // One that cannot be recorded must not stop the others.
                Err(failure) => failed = Some(failure),
            }
        }
        // Reported after all were tried; those that failed are due again at the next sweep.
        failed.map_or(Ok(written), Err)
    }
}

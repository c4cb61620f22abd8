//! Transitions of a consent: new state, event and ledger entry in one transaction.

use serde_json::{Value, json};

use super::{Consent, ConsentEvent, ConsentState, Consents, SignedText, evidence, not_found, terms::Judged};
use crate::{
    domain::{
        Actor, Failure, FailureKind, Timestamp,
        ids::{ClientId, ConsentId, EntryId},
        printable::check_reason,
    },
    ledger::{self, ConsentFacts},
    store::{DbError, NewEnd, Tx, changes, consents},
};

/// The most attempts of a transition when other transactions conflict with it.
const ATTEMPTS: usize = 5;

/// A decision on a consent: who made it, and why.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Who decided, and through which channel.
    pub actor: Actor,
    /// The reason in words.
    pub reason: Option<String>,
    /// The SHA-256 of the evidence, in hex.
    pub evidence_sha256: Option<String>,
}

impl Decision {
    /// A decision without a reason or evidence.
    pub const fn by(actor: Actor) -> Self {
        Self { actor, reason: None, evidence_sha256: None }
    }

    /// The same decision with a reason.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// The same decision with a signed text as its evidence, if there is one.
    #[must_use]
    pub(super) fn on(mut self, text: Option<&SignedText>) -> Self {
        self.evidence_sha256 = text.map(|text| text.sha256.clone()).or(self.evidence_sha256);
        self
    }
}

/// The refusal of an event that the state table (C1) does not allow.
pub(super) fn impossible(consent: &Consent, event: ConsentEvent, now: Timestamp) -> Failure {
    Failure::new(
        FailureKind::Conflict,
        "consent_state_conflict",
        format!("A consent that is {} cannot be {event}.", consent.state_at(now)),
    )
}

/// One event of one consent.
pub(super) struct Step<'a> {
    pub(super) id: &'a str,
    /// The bank that the consent must belong to, when a bank acts.
    pub(super) owner: Option<ClientId>,
    pub(super) event: ConsentEvent,
    pub(super) decision: &'a Decision,
    /// Edits the row. The transition itself sets state, version and end.
    pub(super) change: &'a (dyn Fn(&mut consents::ConsentRow) + Sync),
}

/// A consent before and after a step.
struct Changed<'a> {
    before: &'a Consent,
    after: &'a Consent,
}

impl Consents {
    /// Makes transitions, all of one bank, in one transaction. Retries a few times when other transactions conflict.
    pub(super) async fn transition(&self, steps: &[Step<'_>]) -> Result<Vec<Consent>, Failure> {
        // Before the loop: this depends on the request alone and needs no transaction.
        for step in steps {
            check_reason(step.decision.reason.as_deref())?;
        }
        let mut attempt = 1;
        loop {
            match self.try_transition(steps).await {
                // A failed transaction has left nothing, so a retry cannot record an event twice.
                Err(AttemptError::Db(error)) if error.is_contention() && attempt < ATTEMPTS => attempt += 1,
                Err(AttemptError::Db(error)) => return Err(error.into()),
                Err(AttemptError::Refused(failure)) => return Err(failure),
                Ok(consents) => {
                    for consent in &consents {
                        tracing::info!(consent.id = %consent.id, consent.state = %consent.state, consent.version = consent.version, "a consent changed");
                    }
                    return Ok(consents);
                }
            }
        }
    }

    /// Makes one transition in its own transaction.
    pub(super) async fn transition_one(&self, step: Step<'_>) -> Result<Consent, Failure> {
        self.transition(&[step]).await?.pop().ok_or_else(|| Failure::internal("a transition returned no consent"))
    }

    async fn try_transition(&self, steps: &[Step<'_>]) -> Result<Vec<Consent>, AttemptError> {
        let mut tx = self.env.db.begin("consent::transition").await?;
        let mut done = Vec::with_capacity(steps.len());
        for step in steps {
            done.push(self.apply(&mut tx, step).await?);
        }
        // Last: every transaction that raises the change number waits for its row.
        changes::raise(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    }

    async fn apply(&self, tx: &mut Tx, step: &Step<'_>) -> Result<Consent, AttemptError> {
        // A malformed id is refused as an unknown one (C7), before an engine gets its text.
        let id: ConsentId = step.id.parse().map_err(|_| not_found())?;
        let id = id.to_string();
        let row = consents::find_in(tx, &id).await?.ok_or_else(not_found)?;
        // Before the lock: another bank's id must not make that bank's answers wait.
        if step.owner.is_some_and(|owner| owner.to_string() != row.client_id) {
            return Err(not_found().into());
        }
        // The bank's lock, exclusively: answers in progress for this bank are committed before this transition, or see it
        // (I2). The row is read again under the lock: on PostgreSQL another transaction may have changed it.
        tx.lock_banks_exclusive(std::slice::from_ref(&row.client_id)).await?;
        if step.owner.is_some() {
            Self::require_active(tx, &row.client_id).await?;
        }
        let row = consents::find_in(tx, &id).await?.ok_or_else(not_found)?;
        let codes = consents::codes_in(tx, &id).await?;
        let before = Consent::from_row(row, codes)?;
        let now = self.env.clock.now();
        let trusted = self.env.require_clock();
        if step.event.needs_clock() {
            trusted.clone()?;
        }
        // One that has expired by the clock can still be recorded as expired: for that, the stored state counts. So it does
        // for a revocation by a clock that may be wrong: it must not be refused because all seems to have expired.
        let by_clock = step.event != ConsentEvent::Expired && trusted.is_ok();
        let current = if by_clock { before.state_at(now) } else { before.state };
        let state = current.after(step.event).ok_or_else(|| impossible(&before, step.event, now))?;
        // Judged again here: the list of due consents is older than the lock.
        if step.event == ConsentEvent::Expired && before.state_at(now) != ConsentState::Expired {
            return Err(impossible(&before, step.event, now).into());
        }
        let mut row = before.row.clone();
        (step.change)(&mut row);
        // After the step's own edits, which therefore cannot decide version, state or end.
        row.version += 1;
        row.state = state.as_str().into();
        row.status_reason.clone_from(&step.decision.reason);
        row.ended_at = state.is_terminal().then_some(now.micros());
        // Parsed from the row that will be written: an edit that could not be read back fails here.
        let after = Consent::from_row(row, before.codes.clone())?;
        self.check_terms(tx, step, Changed { before: &before, after: &after }, now).await?;
        // The version in the statement guards against a writer that does not take the lock.
        if !consents::update(tx, &after.row, before.version).await? {
            return Err(DbError::Contention { operation: "consent::transition" }.into());
        }
        let differences = differences(&before.row, &after.row);
        self.write_event(tx, &after, step.event, step.decision, &differences).await?;
        Ok(after)
    }

    /// Checks what a consent allows from now on, under the lock: its terms cannot change between check and commit.
    async fn check_terms(
        &self,
        tx: &mut Tx,
        step: &Step<'_>,
        change: Changed<'_>,
        now: Timestamp,
    ) -> Result<(), AttemptError> {
        if !matches!(step.event, ConsentEvent::Granted | ConsentEvent::Amended) {
            return Ok(());
        }
        let (before, after) = (change.before, change.after);
        let judged = Judged { requested_at: after.requested_at, now };
        self.policy.check(&after.terms(), judged).map_err(Failure::from)?;
        if step.event == ConsentEvent::Amended {
            let digest = step.decision.evidence_sha256.as_deref();
            after.terms().check_signed(&before.terms(), digest.is_some())?;
            if let Some(digest) = digest
                && consents::has_evidence(tx, &after.row.id, digest).await?
            {
                return Err(evidence::used_before().into());
            }
        }
        Ok(())
    }

    /// Writes the event and its ledger entry in the transaction of the change (C2).
    pub(super) async fn write_event(
        &self,
        tx: &mut Tx,
        consent: &Consent,
        event: ConsentEvent,
        decision: &Decision,
        changes: &Value,
    ) -> Result<(), Failure> {
        let now = self.env.clock.now();
        consents::insert_event(
            tx,
            &consents::EventRow {
                consent_id: consent.id.to_string(),
                version: consent.version,
                event: event.as_str().into(),
                actor: decision.actor.to_string(),
                channel: decision.actor.channel().to_string(),
                reason: decision.reason.clone(),
                evidence_sha256: decision.evidence_sha256.clone(),
                changes: changes.to_string(),
                at: now.micros(),
            },
        )
        .await?;
        let id = EntryId::new(&*self.env.clock, &*self.env.entropy);
        if event.narrows() {
            tx.end(NewEnd {
                id: id.to_string(),
                kind: format!("consent_{event}"),
                target: consent.id.to_string(),
                detail: "{}".into(),
                actor: decision.actor.to_string(),
                at: now,
            });
        }
        let facts = ConsentFacts {
            id,
            at: now,
            event: event.as_str(),
            actor: decision.actor.to_string(),
            changes: changes.clone(),
            channel: decision.actor.channel().to_string(),
            client_id: consent.client,
            codes: consent.codes.clone(),
            consent_id: consent.id,
            consent_version: consent.version,
            evidence: decision.evidence_sha256.clone(),
            reason: decision.reason.clone(),
            uscc: consent.uscc.clone(),
        };
        let (entry, opening) =
            facts.into_entry(&*self.env.entropy).map_err(|error| Failure::internal(error.to_string()))?;
        ledger::append(tx, &entry, Some(&opening))
            .await
            // Unavailable and not internal: the transaction is rolled back, so the request may be sent again.
            .map_err(|error| Failure::unavailable("ledger_unavailable", error.to_string()))
    }
}

/// Why one attempt failed.
enum AttemptError {
    Db(DbError),
    Refused(Failure),
}

impl From<DbError> for AttemptError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<Failure> for AttemptError {
    fn from(failure: Failure) -> Self {
        Self::Refused(failure)
    }
}

/// The terms that changed, before and after, for the history.
fn differences(before: &consents::ConsentRow, after: &consents::ConsentRow) -> Value {
    let both = before.terms().into_iter().zip(after.terms());
    let changed = both.filter(|((_, old), (_, new))| old != new);
    changed.map(|((name, old), (_, new))| (name.to_owned(), json!([old, new]))).collect()
}

/// All terms of a request, so that the ledger explains every later state.
pub(super) fn first_terms(row: &consents::ConsentRow) -> Value {
    row.terms().into_iter().map(|(name, value)| (name.to_owned(), json!([null, value]))).collect()
}

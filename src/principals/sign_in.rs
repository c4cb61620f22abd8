//! Signing in: name, password and a code, with one answer for whatever is wrong.
//!
//! An attempt is counted before it is examined, so that parallel ones cannot be more than the limit; a success forgets the count. A
//! crash in between leaves an attempt that counts as failed.

use std::fmt;

use serde_json::json;

use super::{
    Principals, PrincipalsError, SignInError, SignedIn, Visit,
    accounts::OperatorState,
    lockout, name_key,
    secrets::{self, code_digest, name_digest, token_digest},
    totp::{TotpSecret, is_code, totp_context},
};
use crate::{
    domain::{Actor, Timestamp, ids::SessionId},
    ledger::{self, Action, Change},
    store::{
        Tx,
        operator_sessions::{self, SessionRow},
        operators::{self, OperatorRow},
    },
};

/// The longest text of a visit that is stored, in characters.
const LONGEST_VISIT: usize = 200;

/// A new session: the cookie's value, which is shown once, and the operator.
pub struct NewSession {
    /// 256 random bits, base64url; only its digest is stored.
    pub cookie: String,
    pub signed_in: SignedIn,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("signed_in", &self.signed_in).finish_non_exhaustive()
    }
}

/// What proved an operator beside the password.
#[derive(Clone)]
enum Proof {
    /// The one-time code of a time step.
    Step(i64),
    /// A recovery code, by its digest.
    Recovery(String),
}

impl Principals {
    /// Signs an operator in by name, password and the code of its authenticator, or one of its recovery codes.
    pub async fn sign_in(
        &self,
        name: &str,
        password: &str,
        code: &str,
        visit: &Visit,
    ) -> Result<NewSession, SignInError> {
        let key = name_key(name);
        let row = operators::find(&self.env.db, &key).await?;
        let failures = self.count_attempt(&key, row.is_some()).await?;
        // Password and code are both examined, whichever is wrong: the time shows neither.
        let proof = self.examine_code(row.as_ref(), code).await?;
        let stored = row.as_ref().and_then(|row| row.password.as_deref());
        let is_password = self.hasher.verify(password, stored).await?;
        let proved = row.as_ref().zip(proof).filter(|_| is_password);
        if let Some((row, proof)) = proved
            && let Some(session) = self.admit(row, &proof, visit).await?
        {
            return Ok(session);
        }
        if let Some((row, until)) = row.as_ref().zip(self.locked_until(failures)) {
            self.record_lock(row, failures, until).await?;
        }
        Err(SignInError::Refused)
    }

    /// Counts an attempt and locks the name for the next ones where it is due; refused while the name is locked.
    async fn count_attempt(&self, key: &str, exists: bool) -> Result<i64, SignInError> {
        let (now, digest) = (self.env.now(), name_digest(key));
        let mut tx = self.env.db.begin("principals::count_attempt").await?;
        let names = operators::forget_failures(&mut tx, now.minus(lockout::REMEMBERED)).await?;
        let before = operators::failures(&mut tx, &digest).await?;
        if before.is_none() && !exists && names >= lockout::MOST_NAMES {
            return Ok(0);
        }
        let Some(counted) = operators::fail(&mut tx, &digest, now).await? else {
            // Nothing was counted: attempts during a lock do not make it longer. The row is read after the insertion, which
            // waited for the attempt that locked it.
            let row = operators::failures(&mut tx, &digest).await?;
            let until = row.and_then(|row| row.locked_until).map_or(now, Timestamp::from_micros);
            return Err(SignInError::LockedUntil(until));
        };
        if let Some(until) = self.locked_until(counted.failures) {
            operators::lock_name(&mut tx, &digest, until).await?;
        }
        tx.commit().await?;
        Ok(counted.failures)
    }

    fn locked_until(&self, failures: i64) -> Option<Timestamp> {
        lockout::lock(failures).map(|lock| self.env.now().plus(lock))
    }

    /// What a code proves; nothing is used up yet.
    async fn examine_code(&self, row: Option<&OperatorRow>, code: &str) -> Result<Option<Proof>, PrincipalsError> {
        let code = code.trim();
        let id = row.map_or("", |row| row.id.as_str());
        // Read for unknown names and for six digits too: each takes the same steps.
        let digests = operators::codes(&self.env.db, id).await?;
        let Some(sealed) = row.and_then(|row| row.sealed_totp.as_deref()) else { return Ok(None) };
        let secret = TotpSecret::of(&self.crypter.open(totp_context(id), sealed)?);
        let step = secret.step_of(code, self.env.now()).map(Proof::Step);
        let digest = code_digest(id, code);
        let recovery = digests.contains(&digest).then_some(Proof::Recovery(digest));
        Ok(if is_code(code) { step } else { recovery })
    }

    /// Uses the code up and makes a session; none when the code was used, or the operator changed since it was read.
    async fn admit(
        &self,
        read: &OperatorRow,
        proof: &Proof,
        visit: &Visit,
    ) -> Result<Option<NewSession>, PrincipalsError> {
        let now = self.env.now();
        let mut tx = self.env.db.begin("principals::sign_in").await?;
        // Locked: a suspension or a reset is committed before this, and refuses it, or after this, and ends the session.
        let Some(row) = operators::lock(&mut tx, &read.name_key).await? else { return Ok(None) };
        let same = row.id == read.id && row.password == read.password && row.state == OperatorState::Active.as_str();
        if !same || !use_proof(&mut tx, &row.id, proof).await? {
            return Ok(None);
        }
        operators::clear_failures(&mut tx, &name_digest(&row.name_key)).await?;
        operators::seen(&mut tx, &row.id, now).await?;
        if self.env.require_clock().is_ok() {
            let (seen, created) = self.session_limits(now);
            operator_sessions::delete_expired(&mut tx, seen, created).await?;
        }
        let token = secrets::token(&*self.env.entropy);
        let session = SessionRow {
            id: SessionId::new(&*self.env.clock, &*self.env.entropy).to_string(),
            token_digest: token_digest(&token),
            operator_id: row.id.clone(),
            created_at: now.micros(),
            seen_at: now.micros(),
            address: shortened(&visit.address),
            agent: shortened(&visit.agent),
        };
        operator_sessions::insert(&mut tx, &session).await?;
        let roles = operators::roles_in(&mut tx, &row.id).await?;
        let signed_in = SignedIn::new((&row.id, &session.id), row.name, &roles, &token)?;
        let by = if matches!(proof, Proof::Step(_)) { "one_time_code" } else { "recovery_code" };
        let change = Change::of(json!({ "session": session.id, "by": by }));
        ledger::audit(&mut tx, &self.env, &signed_in.actor, Action::OperatorSignedIn, Some(&row.id), change).await?;
        tx.commit().await?;
        Ok(Some(NewSession { cookie: token, signed_in }))
    }

    /// Records that an operator's name is locked. Names without an operator are not recorded: anybody could fill the ledger.
    async fn record_lock(&self, row: &OperatorRow, failures: i64, until: Timestamp) -> Result<(), PrincipalsError> {
        let change = Change::of(json!({ "failures": failures, "until": until.to_string() }));
        let mut tx = self.env.db.begin("principals::record_lock").await?;
        ledger::audit(&mut tx, &self.env, &Actor::system(), Action::SignInLocked, Some(&row.id), change).await?;
        tx.commit().await?;
        tracing::warn!(
            operator.id = %row.id,
            count = failures,
            "an operator's name is locked for a while: attempts to sign in have failed"
        );
        Ok(())
    }
}

async fn use_proof(tx: &mut Tx, operator: &str, proof: &Proof) -> Result<bool, PrincipalsError> {
    Ok(match proof {
        Proof::Step(step) => operators::use_step(tx, operator, *step).await?,
        Proof::Recovery(digest) => operators::use_code(tx, operator, digest).await?,
    })
}

/// A text of the caller's, bounded and without what cannot be seen.
fn shortened(text: &str) -> String {
    let printable = text.chars().filter(|c| !crate::domain::printable::is_unprintable(*c));
    printable.take(LONGEST_VISIT).collect()
}

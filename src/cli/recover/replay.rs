//! Replays ends of access that the journal has and a database that was turned back lacks.

use std::fmt;

use serde_json::Value;

use crate::{
    access,
    authority::{Custody, certificates, keys, partners},
    consent::{Consents, Decision},
    domain::{Failure, FailureKind, Malformed},
    principals::Principals,
    store::EndRow,
};

/// What became of an end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replayed {
    /// The access ended once more.
    Done,
    /// It has ended already, or what it was about does not exist in this database.
    Nothing,
    /// Its consent is suspended with all others: compare it with the paper.
    Suspended,
    /// An operator has to repeat the act.
    ByHand,
}

impl fmt::Display for Replayed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Padded, as a column of the report.
        f.pad(match self {
            Self::Done => "replayed",
            Self::Nothing => "no effect",
            Self::Suspended => "suspended",
            Self::ByHand => "BY HAND",
        })
    }
}

/// The rooms that ends are replayed in.
pub(super) struct Replay<'a> {
    pub(super) custody: &'a Custody,
    pub(super) consents: &'a Consents,
    pub(super) principals: &'a Principals,
    pub(super) reason: &'a str,
}

impl Replay<'_> {
    /// Replays an end in a transaction of its own. Repeated, it has no effect.
    pub(super) async fn end(&self, end: &EndRow) -> Result<Replayed, Failure> {
        match self.act(end).await {
            Ok(done) => Ok(done),
            // The state before is not known here: the object may have ended, or be younger than this database.
            Err(Failure { kind: FailureKind::Conflict | FailureKind::NotFound, .. }) => Ok(Replayed::Nothing),
            Err(Failure { kind: FailureKind::Unprocessable, .. }) => Ok(Replayed::ByHand),
            Err(failure) => Err(failure),
        }
    }

    async fn act(&self, end: &EndRow) -> Result<Replayed, Failure> {
        let Custody { env, actor, .. } = self.custody;
        let decision = Decision::by(actor.clone()).because(Some(self.reason.to_owned()));
        let malformed = |error: Malformed| Failure::internal(format!("the end {}: {}", end.id, error.0));
        let target = end.target.as_str();
        match end.kind.as_str() {
            // What replaced it may be lost, too.
            "consent_revoked" | "consent_superseded" => {
                self.consents.revoke(target, None, &decision).await?;
            }
            "consent_rejected" => {
                self.consents.reject(target, &decision).await?;
            }
            "consent_suspended" | "consent_amended" => return Ok(Replayed::Suspended),
            "client_suspended" => {
                access::suspend(env, actor, Some(self.reason), &target.parse().map_err(malformed)?).await?;
            }
            // Roles and resets are for an operator to repeat: what the account is to have now is not known here.
            "operator_suspended" => {
                let Some(name) = detail(end, "name") else { return Ok(Replayed::ByHand) };
                self.principals.suspend(actor, &name, Some(self.reason)).await?;
            }
            "certificate_revoked" => return self.revoke_certificate(end).await,
            "certificate_refused" => {
                certificates::refuse(self.custody, target, self.reason).await?;
            }
            "authority_distrusted" => {
                let Some(name) = detail(end, "name") else { return Ok(Replayed::ByHand) };
                partners::distrust(self.custody, &name, self.reason).await?;
            }
            "key_revoked" => {
                keys::revoke(self.custody, target.parse().map_err(malformed)?, self.reason).await?;
            }
            _ => return Ok(Replayed::ByHand),
        }
        Ok(Replayed::Done)
    }

    /// Revokes a certificate, or refuses one that was issued after this database was copied.
    async fn revoke_certificate(&self, end: &EndRow) -> Result<Replayed, Failure> {
        match certificates::revoke(self.custody, &end.target, self.reason).await.map_err(Failure::from) {
            Err(Failure { kind: FailureKind::NotFound, .. }) => {
                let Some(thumbprint) = detail(end, "thumbprint") else { return Ok(Replayed::ByHand) };
                certificates::refuse(self.custody, &thumbprint, self.reason).await?;
            }
            other => drop(other?),
        }
        Ok(Replayed::Done)
    }
}

/// A particular of an end.
fn detail(end: &EndRow, name: &str) -> Option<String> {
    let detail: Value = serde_json::from_str(&end.detail).ok()?;
    Some(detail.get(name)?.as_str()?.to_owned())
}

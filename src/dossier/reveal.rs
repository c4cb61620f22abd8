//! What is told of persons: for a purpose that is written down first.

use serde_json::{Value, json};

use super::{Dossier, Dossiers, file::Shown};
use crate::{
    domain::{Actor, Failure},
    ledger::{self, Action, Change, LedgerError},
};

/// Who reads personal parts, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// Who.
    pub actor: &'a Actor,
    /// What for, in the operator's words.
    pub purpose: &'a str,
}

impl Look<'_> {
    /// Refuses a look without a purpose.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.purpose.trim().is_empty() {
            return Err(purpose_required());
        }
        Ok(())
    }
}

/// What is said to a look at personal parts without a purpose.
pub(super) fn purpose_required() -> Failure {
    Failure::invalid("purpose", "purpose_required", "Say for what personal parts are looked at.")
}

impl Dossiers {
    /// A subject's file with its personal parts in full. The look is in the ledger before anything is opened; where it
    /// cannot be entered, nothing is shown.
    pub async fn reveal(&self, code: &str, look: Look<'_>) -> Result<Dossier, Failure> {
        look.check()?;
        // An unknown subject is no look at anybody.
        self.subject(code).await?;
        let detail = json!({ "parts": ["name", "id_number", "legal_representative"] });
        self.enter(look, Action::SubjectRevealed, detail, Some(code)).await?;
        self.file(code, Shown::InFull).await
    }

    /// Enters a look in the ledger: on return it is durable, and what was looked for may be told.
    pub(super) async fn enter(
        &self,
        look: Look<'_>,
        action: Action,
        detail: Value,
        target: Option<&str>,
    ) -> Result<(), Failure> {
        let failed = |error: LedgerError| Failure::unavailable("ledger_unavailable", error.to_string());
        let mut tx = self.env.db.begin("dossier::enter").await?;
        let change = Change::of(detail).because(Some(look.purpose));
        ledger::audit(&mut tx, &self.env, look.actor, action, target, change).await.map_err(failed)?;
        Ok(tx.commit().await?)
    }
}

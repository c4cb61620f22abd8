//! Personal parts in full: for a purpose that is written down first.

use serde_json::json;

use super::{Dossier, Dossiers, file::Shown};
use crate::{
    domain::{Failure, ids::EntryId},
    ledger::{self, LedgerError, OperatorFacts},
};

/// Who looks, and for what.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    /// The operator's name.
    pub operator: &'a str,
    /// What for, in the operator's words.
    pub purpose: &'a str,
}

impl Dossiers {
    /// A subject's file with its personal parts in full. The look is in the ledger before anything is opened; where it
    /// cannot be entered, nothing is shown.
    pub async fn reveal(&self, code: &str, look: Look<'_>) -> Result<Dossier, Failure> {
        if look.purpose.trim().is_empty() {
            return Err(Failure::invalid("purpose", "purpose_required", "Say for what the personal parts are shown."));
        }
        // An unknown subject is no look at anybody.
        self.subject(code).await?;
        let facts = OperatorFacts {
            id: EntryId::new(&*self.clock, &*self.entropy),
            at: self.clock.now(),
            action: "subject_revealed",
            actor: format!("operator:{}", look.operator),
            detail: json!({ "parts": ["name", "id_number", "legal_representative"] }),
            reason: Some(look.purpose.to_owned()),
            target: Some(code.to_owned()),
        };
        let failed = |error: LedgerError| Failure::unavailable("ledger_unavailable", error.to_string());
        let (entry, opening) = facts.into_entry(&*self.entropy).map_err(failed)?;
        let mut tx = self.db.begin("dossier::reveal").await?;
        ledger::append(&mut tx, &entry, Some(&opening)).await.map_err(failed)?;
        tx.commit().await?;
        self.file(code, Shown::InFull).await
    }
}

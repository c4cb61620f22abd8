//! Access to personal data in full, for a purpose that is recorded first.

use serde_json::{Value, json};

use super::{Dossier, Dossiers, file::Masking, unknown_subject};
use crate::{
    domain::{Actor, Failure, Region, ids::EntryId},
    ledger::{self, Action, Change, LedgerError},
};

/// An access to personal data.
#[derive(Debug, Clone, Copy)]
pub struct PersonalAccess<'a> {
    /// Who reads it.
    pub actor: &'a Actor,
    /// The purpose, in the words of the operator.
    pub purpose: &'a str,
}

impl PersonalAccess<'_> {
    /// Refuses an access without a purpose.
    pub(super) fn check(&self) -> Result<(), Failure> {
        if self.purpose.trim().is_empty() {
            return Err(purpose_required());
        }
        Ok(())
    }
}

/// The failure of an access without a purpose.
pub(super) fn purpose_required() -> Failure {
    Failure::invalid("purpose", "purpose_required", "Give the purpose of reading personal data.")
}

impl Dossiers {
    /// A dossier with personal data in full. The access is recorded in the ledger before anything is decrypted; if it cannot
    /// be recorded, nothing is shown.
    pub async fn reveal(&self, code: &str, access: PersonalAccess<'_>) -> Result<Dossier, Failure> {
        access.check()?;
        // An unknown code reveals nobody and needs no entry.
        self.subject(code).await?;
        let detail = json!({ "parts": ["name", "id_number", "legal_representative"] });
        // Committed before the file is read: if the process dies in between, the ledger has an access that showed
        // nothing.
        self.record(access, Action::SubjectRevealed, detail, Some(code)).await?;
        self.file(code, Masking::Off).await
    }

    /// A dossier with personal parts masked, for an operator who sees subjects of some regions. The access is recorded before
    /// anything is read; returns its entry. A subject of another region is like an unknown one.
    pub async fn look(
        &self,
        code: &str,
        access: PersonalAccess<'_>,
        covers: impl Fn(Region) -> bool,
    ) -> Result<(Dossier, EntryId), Failure> {
        access.check()?;
        let region: Option<Region> = self.subject(code).await?.region.parse().ok();
        if !region.is_some_and(covers) {
            return Err(unknown_subject());
        }
        let entry = self.record(access, Action::SubjectViewed, json!({}), Some(code)).await?;
        Ok((self.file(code, Masking::On).await?, entry))
    }

    /// Records an access in the ledger. On return it is durable, and the data may be shown. Returns the entry.
    pub(super) async fn record(
        &self,
        access: PersonalAccess<'_>,
        action: Action,
        detail: Value,
        target: Option<&str>,
    ) -> Result<EntryId, Failure> {
        // Not an internal error: without the ledger nothing is shown, and a later attempt may succeed.
        let failed = |error: LedgerError| Failure::unavailable("ledger_unavailable", error.to_string());
        let mut tx = self.env.db.begin("dossier::record").await?;
        let change = Change::of(detail).because(Some(access.purpose));
        let entry = ledger::audit(&mut tx, &self.env, access.actor, action, target, change).await.map_err(failed)?;
        tx.commit().await?;
        Ok(entry)
    }
}

//! Dossiers (一人一档): everything stored about a subject, for the bureau.
//!
//! Personal data is masked. Access to it in full needs a purpose, and is an entry of the ledger that is committed before
//! anything is decrypted (征信业管理条例 Art 22). Subjects are searched by exact values, through keyed hashes; a search by a
//! person's number or name is such an access too. The room only reads, except for that entry, and never answers a bank.

mod facts;
mod file;
mod find;
mod reveal;
mod voided;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    domain::{Failure, Kinds, region::RegionTable},
    scoring::Catalogue,
    store::{Crypter, Env, personal::PersonalError, subjects, subjects::SubjectRow},
};

pub use facts::{CategoryFacts, MeasureFacts};
pub use file::{AdverseFact, Affiliation, Branches, CoveringConsent, Disclosure, Dossier, Identity, RoundResult};
pub use find::{Found, SearchKey};
pub use reveal::PersonalAccess;
pub use voided::VoidedFact;

/// The reference tables that a dossier needs besides the store.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The kinds of subject.
    pub kinds: Kinds,
    pub regions: RegionTable,
    /// The catalogue of each kind.
    pub catalogues: BTreeMap<String, Catalogue>,
}

/// Reads dossiers.
#[derive(Debug, Clone)]
pub struct Dossiers {
    env: Env,
    crypter: Arc<Crypter>,
    tables: Arc<Tables>,
}

impl Dossiers {
    /// Dossiers of a store, whose personal data `crypter` decrypts.
    pub fn new(env: Env, crypter: Arc<Crypter>, tables: Tables) -> Self {
        Self { env, crypter, tables: Arc::new(tables) }
    }

    async fn subject(&self, code: &str) -> Result<SubjectRow, Failure> {
        let row = subjects::find(&self.env.db.read("subjects::find"), code).await?;
        row.ok_or_else(unknown_subject)
    }
}

/// The failure of a code that no subject has.
fn unknown_subject() -> Failure {
    Failure::not_found("subject_unknown", "There is no subject with this code.")
}

/// The failure of personal data that cannot be decrypted.
fn undecryptable(code: &str) -> impl Fn(PersonalError) -> Failure {
    move |error| Failure::internal(format!("the personal data of {code}: {error}"))
}

//! One file a subject (一人一档): everything held of it, for the eyes of the bureau.
//!
//! Personal parts are masked. Whoever needs them in full says for what: the look is an entry of the ledger, committed
//! before anything is opened (征信业管理条例 Art 22). Subjects are found by exactly what is known of them, by keyed hashes;
//! a search by a person's number or name is such a look too. This room only reads, except for that entry; it never answers
//! a bank.

mod facts;
mod file;
mod find;
mod reveal;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    domain::{Failure, Kinds, region::RegionTable},
    scoring::Catalogue,
    store::{Crypter, Env, personal::PersonalError, subjects, subjects::SubjectRow},
};

pub use facts::{CategoryFacts, MeasureFacts};
pub use file::{Affiliation, Assessed, Branches, Covering, Disclosure, Dossier, Identity};
pub use find::{Found, Wanted};
pub use reveal::Look;

/// What is known of the city besides the store.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The kinds of subject.
    pub kinds: Kinds,
    /// The regions.
    pub regions: RegionTable,
    /// The catalogue of each kind.
    pub catalogues: BTreeMap<String, Catalogue>,
}

/// Opens subjects' files.
#[derive(Debug, Clone)]
pub struct Dossiers {
    env: Env,
    crypter: Arc<Crypter>,
    tables: Arc<Tables>,
}

impl Dossiers {
    /// Over a store, opening personal parts with `crypter`.
    pub fn new(env: Env, crypter: Arc<Crypter>, tables: Tables) -> Self {
        Self { env, crypter, tables: Arc::new(tables) }
    }

    async fn subject(&self, code: &str) -> Result<SubjectRow, Failure> {
        let row = subjects::find(&self.env.db.read("subjects::find"), code).await?;
        row.ok_or_else(|| Failure::not_found("subject_unknown", "There is no subject with this code."))
    }
}

fn unopened(code: &str) -> impl Fn(PersonalError) -> Failure {
    move |error| Failure::internal(format!("the personal parts of {code}: {error}"))
}

//! Search of subjects by exact values.
//!
//! A search by a number or a name reveals whether that person is registered, even where nothing is found. So it needs a
//! purpose, and is recorded in the ledger before it is answered.

use serde::Serialize;
use serde_json::json;

use super::{Dossiers, PersonalAccess, reveal::purpose_required, undecryptable};
use crate::{
    domain::{Failure, Uscc, names},
    ledger::Action,
    store::{
        CrypterError,
        dossier::{self, SearchCriteria},
        personal::{BlindColumn, Personal, masked_name, masked_number},
        subjects,
    },
};

/// The value that a subject is searched by.
#[derive(Clone, PartialEq, Eq)]
pub enum SearchKey {
    /// A certificate number: of the person, or of a legal representative.
    IdNumber(String),
    /// A name: of a natural person, of an institution, or of a legal representative.
    Name(String),
    /// A unified social credit code.
    Uscc(String),
}

impl SearchKey {
    /// The name of the personal value; none for a unified social credit code, which is in a public register.
    const fn personal(&self) -> Option<&'static str> {
        match self {
            Self::IdNumber(_) => Some("id_number"),
            Self::Name(_) => Some("name"),
            Self::Uscc(_) => None,
        }
    }
}

impl std::fmt::Debug for SearchKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SearchKey(withheld)")
    }
}

/// A subject that was found, with masked personal values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    pub code: String,
    pub kind: String,
    /// The name, masked for a natural person.
    pub name: String,
    pub region: String,
    /// Its unified social credit code.
    pub uscc: Option<String>,
    /// The certificate's number, masked.
    pub id_number: Option<String>,
}

impl Dossiers {
    /// The subjects with exactly this value, sorted by code, at most a thousand.
    ///
    /// A search by number or name needs an access with a purpose. The access is recorded before anything is decrypted, with
    /// the codes found and without the value searched for.
    pub async fn find(&self, key: &SearchKey, access: Option<PersonalAccess<'_>>) -> Result<Vec<Found>, Failure> {
        // Required before anything is looked for: whether a search finds somebody is personal already.
        let personal =
            key.personal().map(|by| access.map(|access| (by, access)).ok_or_else(purpose_required)).transpose()?;
        if let Some((_, access)) = personal {
            access.check()?;
        }
        let criteria = self.criteria(key).map_err(|error| Failure::internal(error.to_string()))?;
        let codes = dossier::find(&self.env.db.read("dossier::find"), &criteria).await?;
        // Between the search and the decryption: a crash here leaves an entry for values that nobody saw, never the
        // reverse.
        if let Some((by, access)) = personal {
            self.record(access, Action::SubjectSought, json!({ "by": by, "found": codes }), None).await?;
        }
        let rows = subjects::list(&self.env.db.read("subjects::list"), &codes).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let personal = Personal::of(&self.crypter, &row.code, row.sealed_identity.as_deref());
            let personal = personal.map_err(undecryptable(&row.code))?;
            found.push(Found {
                name: personal.name.as_deref().map_or(row.name, masked_name),
                id_number: personal.id_number.as_deref().map(masked_number),
                code: row.code,
                kind: row.kind,
                region: row.region,
                uscc: row.uscc,
            });
        }
        Ok(found)
    }

    /// The hashes and values that rows are compared with.
    fn criteria(&self, key: &SearchKey) -> Result<SearchCriteria, CrypterError> {
        Ok(match key {
            SearchKey::IdNumber(number) => {
                // As imports normalize it: the check character X of a resident number is a capital letter.
                let number = number.trim().to_uppercase();
                SearchCriteria {
                    // Several hashes: rows that older keys hashed are found too.
                    id_numbers: BlindColumn::IdNumber.hashes(&self.crypter, &number)?,
                    ..SearchCriteria::default()
                }
            }
            SearchKey::Name(name) => {
                // As imports clean it.
                let name = names::trimmed(name);
                SearchCriteria {
                    names: BlindColumn::Name.hashes(&self.crypter, name)?,
                    representatives: BlindColumn::Representative.hashes(&self.crypter, name)?,
                    plain_name: Some(name.to_owned()),
                    ..SearchCriteria::default()
                }
            }
            SearchKey::Uscc(uscc) => {
                // What is no code finds nothing, instead of an error: the caller searches, and does not register.
                let uscc = names::trimmed(uscc);
                let uscc = Uscc::parse(uscc).map_or_else(|_| uscc.to_owned(), |uscc| uscc.to_string());
                SearchCriteria { uscc: Some(uscc), ..SearchCriteria::default() }
            }
        })
    }
}

//! Finding subjects by exactly what is known of them.
//!
//! Whoever has a number or a name learns whether that person is known here, and by which code. So a search by either is a
//! look at somebody even where nobody is found: it has a purpose, and is in the ledger before it is answered.

use serde::Serialize;
use serde_json::json;

use super::{Dossiers, Look, reveal::purpose_required, unopened};
use crate::{
    domain::{Failure, Uscc},
    ledger::Action,
    store::{
        CrypterError,
        dossier::{self, Known},
        personal::{BlindColumn, Personal, masked_name, masked_number},
        subjects,
    },
};

/// What is known of the subject looked for.
#[derive(Clone, PartialEq, Eq)]
pub enum Wanted {
    /// The number of a certificate: the person's own, or a legal representative's.
    IdNumber(String),
    /// A name: of a natural person, of an institution, or of a legal representative.
    Name(String),
    /// A unified social credit code.
    Uscc(String),
}

impl Wanted {
    /// By which personal part, if by one. A unified social credit code is of a public register.
    const fn personal(&self) -> Option<&'static str> {
        match self {
            Self::IdNumber(_) => Some("id_number"),
            Self::Name(_) => Some("name"),
            Self::Uscc(_) => None,
        }
    }
}

impl std::fmt::Debug for Wanted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Wanted(withheld)")
    }
}

/// A subject that was found. What is personal is masked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Its code.
    pub code: String,
    /// Its kind.
    pub kind: String,
    /// Its name, masked where it is a natural person's.
    pub name: String,
    /// Its region.
    pub region: String,
    /// Its unified social credit code.
    pub uscc: Option<String>,
    /// The certificate's number, masked.
    pub id_number: Option<String>,
}

impl Dossiers {
    /// The subjects of which that is known: exactly, no part of it and nothing like it; a thousand at most, by code.
    ///
    /// By a number or a name only with a look, which is in the ledger, with the codes that were found and without what was
    /// looked for, before anything is opened or told.
    pub async fn find(&self, wanted: &Wanted, look: Option<Look<'_>>) -> Result<Vec<Found>, Failure> {
        let personal =
            wanted.personal().map(|by| look.map(|look| (by, look)).ok_or_else(purpose_required)).transpose()?;
        if let Some((_, look)) = personal {
            look.check()?;
        }
        let known = self.known(wanted).map_err(|error| Failure::internal(error.to_string()))?;
        let codes = dossier::find(&self.env.db.read("dossier::find"), &known).await?;
        if let Some((by, look)) = personal {
            self.enter(look, Action::SubjectSought, json!({ "by": by, "found": codes }), None).await?;
        }
        let rows = subjects::list(&self.env.db.read("subjects::list"), &codes).await?;
        let mut found = Vec::with_capacity(rows.len());
        for row in rows {
            let personal = Personal::of(&self.crypter, &row.code, row.sealed_identity.as_deref());
            let personal = personal.map_err(unopened(&row.code))?;
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

    fn known(&self, wanted: &Wanted) -> Result<Known, CrypterError> {
        Ok(match wanted {
            Wanted::IdNumber(number) => {
                // As files must have it: a resident's number ends in a capital X.
                let number = number.trim().to_uppercase();
                Known { id_numbers: BlindColumn::IdNumber.hashes(&self.crypter, &number)?, ..Known::default() }
            }
            Wanted::Name(name) => {
                let name = name.trim();
                Known {
                    names: BlindColumn::Name.hashes(&self.crypter, name)?,
                    representatives: BlindColumn::Representative.hashes(&self.crypter, name)?,
                    plain_name: Some(name.to_owned()),
                    ..Known::default()
                }
            }
            Wanted::Uscc(uscc) => {
                let uscc = Uscc::parse(uscc.trim()).map_or_else(|_| uscc.trim().to_owned(), |uscc| uscc.to_string());
                Known { uscc: Some(uscc), ..Known::default() }
            }
        })
    }
}

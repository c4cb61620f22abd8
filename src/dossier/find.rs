//! Finding subjects by exactly what is known of them.

use serde::Serialize;

use super::{Dossiers, unopened};
use crate::{
    domain::{Failure, Uscc},
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
    pub async fn find(&self, wanted: &Wanted) -> Result<Vec<Found>, Failure> {
        let known = self.known(wanted).map_err(|error| Failure::internal(error.to_string()))?;
        let codes = dossier::find(&self.db.read("dossier::find"), &known).await?;
        let rows = subjects::list(&self.db.read("subjects::list"), &codes).await?;
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

//! The institutions that rows of a report are about.

use std::collections::{HashMap, HashSet};

use super::second_pass::FoundLine;
use crate::{
    importing::ImportError,
    store::{Db, subjects},
};

/// Most subjects in memory.
const MOST_CACHED: usize = 50_000;

#[derive(Debug, Clone, Default)]
struct Institution {
    code: String,
    name: String,
}

/// Institutions by the code of a subject: itself, or for a person the one where the person practises.
#[derive(Debug, Default)]
pub(super) struct Institutions {
    of: HashMap<String, Institution>,
}

impl Institutions {
    /// Looks up the subjects of lines that are not cached.
    pub(super) async fn look_up(&mut self, db: &Db, lines: &[FoundLine]) -> Result<(), ImportError> {
        let failed = || ImportError::store("look up institutions");
        if self.of.len() > MOST_CACHED {
            self.of.clear();
        }
        let codes = lines.iter().filter_map(|line| line.row.as_ref()).map(|row| row.subject.as_str());
        let codes: HashSet<&str> = codes.filter(|code| !code.is_empty() && !self.of.contains_key(*code)).collect();
        if codes.is_empty() {
            return Ok(());
        }
        let codes: Vec<&str> = codes.into_iter().collect();
        // Natural persons have no name in the open, and an unknown code is no subject: both may have an institution.
        let mains =
            subjects::main_institutions(&db.read("subjects::main_institutions"), &codes).await.map_err(failed())?;
        let of_person: HashMap<&str, &str> =
            mains.iter().map(|row| (row.person_code.as_str(), row.institution_code.as_str())).collect();
        let institutions: Vec<&str> = codes.iter().map(|code| of_person.get(code).copied().unwrap_or(code)).collect();
        let rows = subjects::list(&db.read("subjects::list"), &institutions).await.map_err(failed())?;
        let names: HashMap<&str, &str> = rows.iter().map(|row| (row.code.as_str(), row.name.as_str())).collect();
        for (code, institution) in codes.iter().zip(institutions) {
            let name = names.get(institution).copied().unwrap_or_default().to_owned();
            self.of.insert((*code).to_owned(), Institution { code: institution.to_owned(), name });
        }
        Ok(())
    }

    /// The code and the name of the institution of a line; what the row says about itself comes first.
    pub(super) fn of<'a>(&'a self, line: &'a FoundLine) -> (&'a str, &'a str) {
        let Some(row) = &line.row else { return ("", "") };
        match self.of.get(&row.subject) {
            Some(known) if row.name.is_empty() => (&known.code, &known.name),
            Some(known) => (&known.code, &row.name),
            None => (&row.subject, &row.name),
        }
    }
}

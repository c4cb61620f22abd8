//! Facts that a run leaves out: documents that were taken back, events whose consequences ended, and documents that a later
//! import moved to another half-year.
//!
//! They are few: all of them are read once for a run, and the facts of a subject are decoded only where it has one.

use std::collections::HashMap;

use super::GradingError;
use crate::{
    domain::{Day, document_of},
    scoring::{Catalogue, FactIdentity, Measure},
    store::{
        Db,
        voids::{self, Within},
    },
};

/// How facts are counted. Stored with each run, so that it is replayed and explained as it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counting {
    /// By day and source, whatever became of a fact later: as all runs did until documents were compared.
    AsDelivered,
    /// By document, without the facts that this file is about.
    ByDocument,
}

impl Counting {
    /// The way in which new runs count.
    pub(super) const PRESENT: Self = Self::ByDocument;

    /// The number that is stored with a run.
    pub(super) const fn number(self) -> i64 {
        match self {
            Self::AsDelivered => 1,
            Self::ByDocument => 2,
        }
    }

    /// The way with a stored number; that of new runs for a number that this version does not know.
    pub(super) const fn of_number(number: i64) -> Self {
        match number {
            1 => Self::AsDelivered,
            _ => Self::ByDocument,
        }
    }

    /// How facts are distinguished.
    pub(super) const fn identity(self) -> FactIdentity {
        match self {
            Self::AsDelivered => FactIdentity::Delivery,
            Self::ByDocument => FactIdentity::Document,
        }
    }
}

/// A document whose facts do not count.
#[derive(Debug)]
struct Exclusion {
    /// The id of its measure; every event where absent.
    measure: Option<String>,
    document: String,
    /// Only facts of imports before this one; facts of every import where absent.
    before: Option<i64>,
}

impl Exclusion {
    fn is_about(&self, measure: &Measure) -> bool {
        self.measure.as_ref().map_or_else(|| measure.is_event(), |id| *id == measure.id)
    }
}

/// The facts that are left out, by subject.
#[derive(Debug, Default)]
pub(super) struct Excluded(HashMap<String, Vec<Exclusion>>);

impl Excluded {
    /// Reads what a round that ends on `end` leaves out.
    pub(super) async fn read(
        db: &Db,
        catalogue: &Catalogue,
        within: Within<'_>,
        end: Day,
    ) -> Result<Self, GradingError> {
        let during = || GradingError::during("reading the facts that do not count");
        let read = db.read("excluded");
        let mut excluded = Self::default();
        for (subject, measure, document) in voided(voids::list(&read, within).await.map_err(during())?) {
            excluded.add(subject, Exclusion { measure: Some(measure), document, before: None });
        }
        for row in voids::ended(&read, within, &end.to_string()).await.map_err(during())? {
            // `measure/reference` is about one measure, a reference alone about every event of that document.
            let of_measure = row.reference.split_once('/').filter(|(id, _)| catalogue.measure(id).is_some());
            if let Some((id, reference)) = of_measure {
                let (measure, document) = (Some(id.to_owned()), document_of(reference).into_owned());
                excluded.add(row.subject_code.clone(), Exclusion { measure, document, before: None });
            }
            let document = document_of(&row.reference).into_owned();
            excluded.add(row.subject_code, Exclusion { measure: None, document, before: None });
        }
        for row in voids::revisions(&read, within).await.map_err(during())? {
            let (measure, before) = (Some(row.measure), Some(row.import_seq));
            excluded.add(row.subject_code, Exclusion { measure, document: row.document, before });
        }
        Ok(excluded)
    }

    fn add(&mut self, subject: String, exclusion: Exclusion) {
        self.0.entry(subject).or_default().push(exclusion);
    }

    /// Whether nothing is left out.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something of a subject is left out.
    pub(super) fn concerns(&self, subject: &str) -> bool {
        self.0.contains_key(subject)
    }

    fn of(&self, subject: &str, measure: &Measure) -> impl Iterator<Item = &Exclusion> {
        self.0.get(subject).into_iter().flatten().filter(|one| one.is_about(measure))
    }

    /// Whether some facts of a subject's measure may be left out.
    pub(super) fn touches(&self, subject: &str, measure: &Measure) -> bool {
        self.of(subject, measure).next().is_some()
    }

    /// Whether a fact is left out.
    pub(super) fn leaves_out(&self, subject: &str, measure: &Measure, reference: &str, import_seq: i64) -> bool {
        let mut of_measure = self.of(subject, measure).peekable();
        if of_measure.peek().is_none() {
            return false;
        }
        let document = document_of(reference);
        of_measure.any(|one| one.document == document && one.before.is_none_or(|before| import_seq < before))
    }
}

/// The subject, measure and document of facts that are taken back now. The rows are in the order of acceptance.
fn voided(rows: Vec<voids::VoidRow>) -> impl Iterator<Item = (String, String, String)> {
    let mut last = HashMap::new();
    for row in rows {
        last.insert((row.subject_code, row.measure, row.document), row.restored);
    }
    last.into_iter().filter(|(_, restored)| *restored == 0).map(|(key, _)| key)
}

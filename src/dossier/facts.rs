//! The facts of a subject by category: their number, and whether the latest is still valid.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Dossiers;
use crate::{
    domain::{Day, Failure, HalfYear},
    facts::{Chunk, Damaged, FactsOf, Totals},
    scoring::{Catalogue, Category},
    store::{DbError, facts as table, subjects::SubjectRow},
};

/// The facts of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryFacts {
    /// The number of the category in the catalogue.
    pub no: u16,
    pub name_zh: String,
    pub provider_zh: String,
    /// The number of facts.
    pub facts: u64,
    /// The facts by measure.
    pub measures: Vec<MeasureFacts>,
    /// The day of the latest fact.
    pub latest_on: Option<Day>,
    /// The last day on which the latest fact is valid.
    pub valid_to: Option<Day>,
    /// Whether the latest fact is still valid.
    pub fresh: bool,
}

/// The facts of a measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MeasureFacts {
    pub id: String,
    /// The number of facts.
    pub facts: u64,
    /// The day of the latest fact.
    pub latest_on: Day,
}

fn damaged(error: &Damaged) -> DbError {
    DbError::corrupt("facts", error.to_string())
}

impl Dossiers {
    /// The facts of every category of the subject's kind, and the number of facts that belong to no present category.
    pub(super) async fn facts(&self, subject: &SubjectRow) -> Result<(Vec<CategoryFacts>, u64), Failure> {
        let mut counted = self.counts(subject).await?;
        let kind = self.tables.kinds.find(&subject.kind);
        let catalogue = kind.and_then(|kind| self.tables.catalogues.get(kind.catalogue.as_ref()?));
        let today = self.env.clock.now().day();
        let mut categories = Vec::new();
        for category in catalogue.map(Catalogue::categories).unwrap_or_default() {
            let ids = catalogue.into_iter().flat_map(Catalogue::measures).filter(|one| one.category == category.no);
            let measures: Vec<MeasureFacts> = ids
                // Removed and not looked up: what is left at the end belongs to no category.
                .filter_map(|one| counted.remove_entry(&one.id))
                .map(|(id, (facts, latest_on))| MeasureFacts { id, facts, latest_on })
                .collect();
            categories.push(of_category(category, measures, today));
        }
        let unknown = counted.values().fold(0u64, |sum, (count, _)| sum.saturating_add(*count));
        Ok((categories, unknown))
    }

    /// The number of facts of each measure, and the day of the latest. A fact that was delivered twice counts once.
    async fn counts(&self, subject: &SubjectRow) -> Result<BTreeMap<String, (u64, Day)>, Failure> {
        let accepted: BTreeSet<i64> =
            table::accepted(&self.env.db.read("facts::accepted")).await?.into_iter().collect();
        // A subject's dossier has every period; the bounds are below and above all of them.
        let read = self.env.db.read("facts::of_subject");
        let chunks = table::of_subject(&read, &subject.kind, ("0000-H1", "9999-H2"), &subject.code).await?;
        let mut seen = BTreeSet::new();
        // The table has chunks of imports that are not accepted, too.
        for chunk in chunks.into_iter().filter(|chunk| accepted.contains(&chunk.import_seq)) {
            // A fact that was changed in the store must not be shown as one.
            if Chunk::digest_of(&chunk.totals, &chunk.facts).as_slice() != chunk.digest.as_slice() {
                return Err(DbError::corrupt("facts", "a chunk is not the one that was stored".to_owned()).into());
            }
            let period: HalfYear = chunk.period.parse().map_err(|_| damaged(&Damaged("it has no half-year")))?;
            let totals = Totals::read(&chunk.totals).map_err(|error| damaged(&error))?;
            let Some(at) = totals.find(&subject.code) else { continue };
            let mut facts = FactsOf::new(&totals, &chunk.facts, period).map_err(|error| damaged(&error))?;
            for fact in facts.of(at).map_err(|error| damaged(&error))? {
                // A position without a measure gets an empty name and is counted as belonging to no category.
                let measure = totals.measures().get(fact.measure).cloned().unwrap_or_default();
                seen.insert((measure, fact.day, fact.source, fact.reference));
            }
        }
        let mut counted: BTreeMap<String, (u64, Day)> = BTreeMap::new();
        for (measure, day, _, _) in seen {
            let one = counted.entry(measure).or_insert((0, day));
            *one = (one.0 + 1, one.1.max(day));
        }
        Ok(counted)
    }
}

/// Combines the facts of a category.
fn of_category(category: &Category, measures: Vec<MeasureFacts>, today: Day) -> CategoryFacts {
    let latest_on = measures.iter().map(|one| one.latest_on).max();
    let valid_to = latest_on.map(|day| category.valid_to(day));
    CategoryFacts {
        no: category.no,
        name_zh: category.name_zh.clone(),
        provider_zh: category.provider_zh.clone(),
        facts: measures.iter().fold(0u64, |sum, one| sum.saturating_add(one.facts)),
        measures,
        latest_on,
        valid_to,
        fresh: valid_to.is_some_and(|last| today <= last),
    }
}

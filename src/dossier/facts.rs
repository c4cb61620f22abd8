//! The facts of a subject by category: their number, and whether the latest is still valid.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Dossiers, voided::Voids};
use crate::{
    domain::{Day, Failure, HalfYear, document_of},
    facts::{Chunk, Damaged, FactsOf, StoredFact, Totals},
    scoring::{Catalogue, Category, Measure},
    store::{
        DbError, facts as table,
        subjects::SubjectRow,
        voids::{self, Within},
    },
};

/// The facts of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryFacts {
    /// The number of the category in the catalogue.
    pub no: u16,
    pub name_zh: String,
    pub provider_zh: String,
    /// The number of facts; a document counts once.
    pub facts: u64,
    /// How many more were taken back.
    pub voided: u64,
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
    /// The number of facts; a document counts once.
    pub facts: u64,
    /// How many more were taken back.
    pub voided: u64,
    /// The day of the latest fact that counts.
    pub latest_on: Option<Day>,
}

/// The number of facts of a measure.
#[derive(Debug, Clone, Copy, Default)]
struct Counted {
    facts: u64,
    voided: u64,
    latest_on: Option<Day>,
}

/// What distinguishes facts of a subject.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum FactKey {
    /// An event of a document: its measure and the document.
    Document(String, String),
    /// Any other fact: its measure, day, source and reference.
    Fact(String, Day, String, String),
}

fn damaged(error: &Damaged) -> DbError {
    DbError::corrupt("facts", error.to_string())
}

impl Dossiers {
    /// The facts of every category of the subject's kind, and the number of facts that belong to no present category.
    pub(super) async fn facts(
        &self,
        subject: &SubjectRow,
        voids: &Voids,
    ) -> Result<(Vec<CategoryFacts>, u64), Failure> {
        let kind = self.tables.kinds.find(&subject.kind);
        let catalogue = kind.and_then(|kind| self.tables.catalogues.get(kind.catalogue.as_ref()?));
        let mut counted = self.counts(subject, catalogue, voids).await?;
        let today = self.env.clock.now().day();
        let mut categories = Vec::new();
        for category in catalogue.map(Catalogue::categories).unwrap_or_default() {
            let ids = catalogue.into_iter().flat_map(Catalogue::measures).filter(|one| one.category == category.no);
            let measures: Vec<MeasureFacts> = ids
                // Removed and not looked up: what is left at the end belongs to no category.
                .filter_map(|one| counted.remove_entry(&one.id))
                .map(|(id, Counted { facts, voided, latest_on })| MeasureFacts { id, facts, voided, latest_on })
                .collect();
            categories.push(of_category(category, measures, today));
        }
        let unknown = counted.values().fold(0u64, |sum, one| sum.saturating_add(one.facts));
        Ok((categories, unknown))
    }

    /// The decisions about a subject's facts.
    pub(super) async fn voids(&self, code: &str) -> Result<Voids, Failure> {
        let within = Within { imports_to: i64::MAX, subject: Some(code) };
        Ok(Voids::of(voids::list(&self.env.db.read("voids::list"), within).await?))
    }

    /// The number of facts of each measure, and the day of the latest. A fact that was delivered twice counts once.
    async fn counts(
        &self,
        subject: &SubjectRow,
        catalogue: Option<&Catalogue>,
        voids: &Voids,
    ) -> Result<BTreeMap<String, Counted>, Failure> {
        let imports = table::accepted(&self.env.db.read("facts::accepted")).await?;
        let accepted: BTreeSet<i64> =
            imports.into_iter().filter(|import| import.replaced_by.is_none()).map(|import| import.seq).collect();
        // A subject's dossier has every period; the bounds are below and above all of them.
        let read = self.env.db.read("facts::of_subject");
        let mut chunks = table::of_subject(&read, &subject.kind, ("0000-H1", "9999-H2"), &subject.code).await?;
        // Of a document that was delivered twice, the day of the later delivery is shown.
        chunks.sort_by_key(|chunk| chunk.import_seq);
        let mut seen = BTreeMap::new();
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
                let (day, voided) = (fact.day, voids.has(&measure, &fact.reference));
                seen.insert(key(catalogue, measure, fact), (day, voided));
            }
        }
        let mut counted: BTreeMap<String, Counted> = BTreeMap::new();
        for (key, (day, voided)) in seen {
            let (FactKey::Document(measure, _) | FactKey::Fact(measure, ..)) = key;
            let one = counted.entry(measure).or_default();
            if voided {
                one.voided += 1;
            } else {
                one.facts += 1;
                one.latest_on = one.latest_on.max(Some(day));
            }
        }
        Ok(counted)
    }
}

fn key(catalogue: Option<&Catalogue>, measure: String, fact: StoredFact) -> FactKey {
    let is_event = catalogue.and_then(|catalogue| catalogue.measure(&measure)).is_some_and(Measure::is_event);
    let document = document_of(&fact.reference);
    if is_event && !document.is_empty() {
        return FactKey::Document(measure, document.into_owned());
    }
    FactKey::Fact(measure, fact.day, fact.source, fact.reference)
}

/// Combines the facts of a category.
fn of_category(category: &Category, measures: Vec<MeasureFacts>, today: Day) -> CategoryFacts {
    let latest_on = measures.iter().filter_map(|one| one.latest_on).max();
    let valid_to = latest_on.map(|day| category.valid_to(day));
    let sum = |of: fn(&MeasureFacts) -> u64| measures.iter().map(of).fold(0u64, u64::saturating_add);
    CategoryFacts {
        no: category.no,
        name_zh: category.name_zh.clone(),
        provider_zh: category.provider_zh.clone(),
        facts: sum(|one| one.facts),
        voided: sum(|one| one.voided),
        measures,
        latest_on,
        valid_to,
        fresh: valid_to.is_some_and(|last| today <= last),
    }
}

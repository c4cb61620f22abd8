//! How every category of a kind stands in a half-year.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::due::{CategoryState, Due, closes_the_year};
use crate::{
    domain::{Day, HalfYear, Timestamp, clock::SharedClock},
    facts::Totals,
    scoring::{Catalogue, Category, MeasureForm, UpdateFrequency},
    store::{Db, DbError, facts as table},
};

/// Chunks read at a time: their totals are some hundred kilobytes each.
const PAGE: i64 = 16;

/// Why it cannot be told how a kind stands.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    /// The store failed.
    #[error("the store could not {what}")]
    Store {
        /// What it was asked to do.
        what: &'static str,
        /// Why it did not.
        #[source]
        source: DbError,
    },
}

fn failed(what: &'static str) -> impl FnOnce(DbError) -> CollectionError {
    move |source| CollectionError::Store { what, source }
}

/// How a category stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryStatus {
    /// The kind of subject.
    pub kind: String,
    /// The category's number.
    pub no: u16,
    /// Its name.
    pub name_zh: String,
    /// Who owes it.
    pub provider_zh: String,
    /// How often it is reported.
    pub update_frequency: UpdateFrequency,
    /// How it stands.
    pub state: CategoryState,
    /// The last day of the last whole interval that it is due for.
    pub due_for: Option<Day>,
    /// Facts delivered; one that was delivered again counts again.
    pub facts: u64,
    /// Subjects of which there is one.
    pub subjects_with: u64,
    /// Subjects of which there is none.
    pub subjects_without: u64,
    /// When the last delivery with facts of it was accepted.
    pub last_delivery_at: Option<Timestamp>,
}

/// Tells what was delivered.
#[derive(Debug, Clone)]
pub struct Collection {
    db: Db,
    clock: SharedClock,
    grace_days: i64,
}

/// What was found of a category.
#[derive(Clone)]
struct Found {
    facts: u64,
    /// By the subject's place.
    subjects: Vec<bool>,
    last: Option<i64>,
}

impl Collection {
    /// Over a store; a category is late so many days after it was due.
    pub const fn new(db: Db, clock: SharedClock, grace_days: i64) -> Self {
        Self { db, clock, grace_days }
    }

    /// How every category of a kind's catalogue stands in a half-year, in the catalogue's order.
    pub async fn status(
        &self,
        catalogue: &Catalogue,
        period: HalfYear,
    ) -> Result<Vec<CategoryStatus>, CollectionError> {
        let kind = catalogue.kind();
        let codes = table::codes(&self.db.read("facts::codes"), kind).await.map_err(failed("list the subjects"))?;
        let mut found = self.found(catalogue, period, &codes).await?;
        if closes_the_year(period) {
            // What is reported once a year may have come in its first half.
            let earlier = self.found(catalogue, period.plus(-1), &codes).await?;
            for category in catalogue.categories().iter().filter(|one| one.update_frequency == UpdateFrequency::Year) {
                let (Some(now), Some(before)) = (found.get_mut(&category.no), earlier.get(&category.no)) else {
                    continue;
                };
                now.facts = now.facts.saturating_add(before.facts);
                now.last = now.last.max(before.last);
                now.subjects.iter_mut().zip(&before.subjects).for_each(|(now, before)| *now |= before);
            }
        }
        let told = catalogue
            .categories()
            .iter()
            .filter_map(|category| Some(self.told(catalogue, category, period, found.get(&category.no)?, codes.len())));
        Ok(told.collect())
    }

    fn told(
        &self,
        catalogue: &Catalogue,
        category: &Category,
        period: HalfYear,
        found: &Found,
        subjects: usize,
    ) -> CategoryStatus {
        let today = self.clock.now().day();
        let due = Due::of(category.update_frequency, period, today);
        let mut measures = catalogue.measures().iter().filter(|measure| measure.category == category.no);
        let only_events = measures.all(|measure| measure.form == MeasureForm::Event);
        let last = found.last.map(Timestamp::from_micros);
        let with = found.subjects.iter().filter(|has| **has).count();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        CategoryStatus {
            kind: catalogue.kind().to_owned(),
            no: category.no,
            name_zh: category.name_zh.clone(),
            provider_zh: category.provider_zh.clone(),
            update_frequency: category.update_frequency,
            state: due.state(last.map(Timestamp::day), only_events, today, self.grace_days),
            due_for: due.interval_end,
            facts: found.facts,
            subjects_with: count(with),
            subjects_without: count(subjects.saturating_sub(with)),
            last_delivery_at: last,
        }
    }

    /// What there is of each category, from the totals of every chunk of the half-year.
    async fn found(
        &self,
        catalogue: &Catalogue,
        period: HalfYear,
        codes: &[String],
    ) -> Result<BTreeMap<u16, Found>, CollectionError> {
        let reading = || failed("read the totals of facts");
        let nothing = Found { facts: 0, subjects: vec![false; codes.len()], last: None };
        let mut found: BTreeMap<u16, Found> =
            catalogue.categories().iter().map(|category| (category.no, nothing.clone())).collect();
        let places: HashMap<&str, usize> = codes.iter().map(String::as_str).zip(0..).collect();
        let accepted =
            table::accepted_at(&self.db.read("facts::accepted_at")).await.map_err(failed("list the imports"))?;
        let accepted: HashMap<i64, i64> = accepted.into_iter().collect();
        let (period, mut after) = (period.to_string(), (0, -1));
        loop {
            let read = self.db.read("facts::totals_after");
            let page = table::totals_after(&read, (catalogue.kind(), &period), after, PAGE).await.map_err(reading())?;
            let Some(last) = page.last() else { return Ok(found) };
            after = (last.import_seq, last.part);
            for row in page {
                let Some(at) = accepted.get(&row.import_seq) else { continue };
                let totals = Totals::read(&row.totals).map_err(|error| {
                    let what = format!("part {} of import {}: {error}", row.part, row.import_seq);
                    reading()(DbError::corrupt("facts", what))
                })?;
                add(&totals, catalogue, &places, *at, &mut found);
            }
        }
    }
}

/// Adds the totals of a chunk.
fn add(
    totals: &Totals,
    catalogue: &Catalogue,
    places: &HashMap<&str, usize>,
    at: i64,
    found: &mut BTreeMap<u16, Found>,
) {
    let categories: Vec<Option<u16>> =
        totals.measures().iter().map(|id| catalogue.measure(id).map(|measure| measure.category)).collect();
    for nth in 0..totals.len() {
        let place = places.get(totals.code(nth));
        for group in totals.groups(nth) {
            let category = categories.get(group.measure).copied().flatten();
            let Some(of) = category.and_then(|no| found.get_mut(&no)) else { continue };
            of.facts = of.facts.saturating_add(group.count);
            of.last = of.last.max(Some(at));
            if let Some(has) = place.and_then(|place| of.subjects.get_mut(*place)) {
                *has = true;
            }
        }
    }
}

//! The status of every category of a kind in a half-year.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::due::{CategoryState, Due, closes_the_year};
use crate::{
    domain::{Day, HalfYear, Timestamp, clock::SharedClock},
    facts::Totals,
    scoring::{Catalogue, Category, MeasureForm, UpdateFrequency},
    store::{
        Db, DbError,
        facts::{self as table, ChunkKey},
    },
};

/// Chunks read at a time: their totals are some hundred kilobytes each.
const PAGE: i64 = 16;

/// Why the status cannot be determined.
#[derive(Debug, thiserror::Error)]
pub enum CollectionError {
    #[error("the store could not {what}")]
    Store {
        /// The operation that failed.
        what: &'static str,
        #[source]
        source: DbError,
    },
}

fn failed(what: &'static str) -> impl FnOnce(DbError) -> CollectionError {
    move |source| CollectionError::Store { what, source }
}

/// The status of a category.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CategoryStatus {
    /// The kind of subjects it is about.
    pub kind: String,
    pub no: u16,
    pub name_zh: String,
    /// The authority that must deliver it.
    pub provider_zh: String,
    /// How often it must be delivered.
    pub update_frequency: UpdateFrequency,
    /// Whether it was delivered.
    pub state: CategoryState,
    /// The last day of the last complete interval that it is due for.
    pub due_for: Option<Day>,
    /// Number of facts; a fact that was delivered twice counts twice.
    pub facts: u64,
    /// Number of subjects with facts.
    pub subjects_with: u64,
    /// Number of subjects without facts.
    pub subjects_without: u64,
    /// When the last delivery with facts of it was accepted.
    pub last_delivery_at: Option<Timestamp>,
}

/// Determines what was delivered.
#[derive(Debug, Clone)]
pub struct Collection {
    db: Db,
    clock: SharedClock,
    grace_days: i64,
}

/// The deliveries of a category.
#[derive(Clone)]
struct Deliveries {
    facts: u64,
    /// Whether each subject has a fact.
    subjects: Vec<bool>,
    /// When the last import was accepted.
    last: Option<i64>,
}

impl Collection {
    /// Over a store. A category is late `grace_days` after it was due.
    pub const fn new(db: Db, clock: SharedClock, grace_days: i64) -> Self {
        Self { db, clock, grace_days }
    }

    /// The status of every category in a half-year, in the order of the catalogue.
    pub async fn status(
        &self,
        catalogue: &Catalogue,
        period: HalfYear,
    ) -> Result<Vec<CategoryStatus>, CollectionError> {
        let kind = catalogue.kind();
        let codes = table::codes(&self.db.read("facts::codes"), kind).await.map_err(failed("list the subjects"))?;
        let mut deliveries = self.deliveries(catalogue, period, &codes).await?;
        if closes_the_year(period) {
            // A yearly category may have been delivered for the first half of the year.
            let earlier = self.deliveries(catalogue, period.plus(-1), &codes).await?;
            for category in catalogue.categories().iter().filter(|one| one.update_frequency == UpdateFrequency::Year) {
                let (Some(now), Some(before)) = (deliveries.get_mut(&category.no), earlier.get(&category.no)) else {
                    continue;
                };
                now.facts = now.facts.saturating_add(before.facts);
                now.last = now.last.max(before.last);
                now.subjects.iter_mut().zip(&before.subjects).for_each(|(now, before)| *now |= before);
            }
        }
        let status = |category: &Category| {
            let deliveries = deliveries.get(&category.no)?;
            Some(self.category_status(catalogue, category, period, deliveries, codes.len()))
        };
        Ok(catalogue.categories().iter().filter_map(status).collect())
    }

    fn category_status(
        &self,
        catalogue: &Catalogue,
        category: &Category,
        period: HalfYear,
        deliveries: &Deliveries,
        subjects: usize,
    ) -> CategoryStatus {
        let today = self.clock.now().day();
        let due = Due::of(category.update_frequency, period, today);
        let mut measures = catalogue.measures().iter().filter(|measure| measure.category == category.no);
        let only_events = measures.all(|measure| measure.form == MeasureForm::Event);
        let last = deliveries.last.map(Timestamp::from_micros);
        let with = deliveries.subjects.iter().filter(|has| **has).count();
        let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
        CategoryStatus {
            kind: catalogue.kind().to_owned(),
            no: category.no,
            name_zh: category.name_zh.clone(),
            provider_zh: category.provider_zh.clone(),
            update_frequency: category.update_frequency,
            state: due.state(last.map(Timestamp::day), only_events, today, self.grace_days),
            due_for: due.interval_end,
            facts: deliveries.facts,
            subjects_with: count(with),
            subjects_without: count(subjects.saturating_sub(with)),
            last_delivery_at: last,
        }
    }

    /// The deliveries of each category, from the totals of every chunk of the half-year.
    async fn deliveries(
        &self,
        catalogue: &Catalogue,
        period: HalfYear,
        codes: &[String],
    ) -> Result<BTreeMap<u16, Deliveries>, CollectionError> {
        let reading = || failed("read the totals of facts");
        let nothing = Deliveries { facts: 0, subjects: vec![false; codes.len()], last: None };
        let mut deliveries: BTreeMap<u16, Deliveries> =
            catalogue.categories().iter().map(|category| (category.no, nothing.clone())).collect();
        let subjects: HashMap<&str, usize> = codes.iter().map(String::as_str).zip(0..).collect();
        let accepted =
            table::accepted_at(&self.db.read("facts::accepted_at")).await.map_err(failed("list the imports"))?;
        let accepted: HashMap<i64, i64> = accepted.into_iter().collect();
        let (period, mut after) = (period.to_string(), ChunkKey { import_seq: 0, part: -1 });
        loop {
            let read = self.db.read("facts::totals_after");
            let page =
                table::totals_after(&read, catalogue.kind(), &period, after.clone(), PAGE).await.map_err(reading())?;
            let Some(last) = page.last() else { return Ok(deliveries) };
            after = ChunkKey { import_seq: last.import_seq, part: last.part };
            for row in page {
                // Chunks of an import that is staged, or was given up, are in the table, too.
                let Some(at) = accepted.get(&row.import_seq) else { continue };
                let totals = Totals::read(&row.totals).map_err(|error| {
                    let what = format!("part {} of import {}: {error}", row.part, row.import_seq);
                    reading()(DbError::corrupt("facts", what))
                })?;
                add(&totals, catalogue, &subjects, *at, &mut deliveries);
            }
        }
    }
}

/// Adds the totals of a chunk that was accepted at a time.
fn add(
    totals: &Totals,
    catalogue: &Catalogue,
    subjects: &HashMap<&str, usize>,
    at: i64,
    deliveries: &mut BTreeMap<u16, Deliveries>,
) {
    let categories: Vec<Option<u16>> =
        totals.measures().iter().map(|id| catalogue.measure(id).map(|measure| measure.category)).collect();
    for nth in 0..totals.len() {
        let subject = subjects.get(totals.code(nth));
        for group in totals.groups(nth) {
            let category = categories.get(group.measure).copied().flatten();
            let Some(of) = category.and_then(|no| deliveries.get_mut(&no)) else { continue };
            of.facts = of.facts.saturating_add(group.count);
            of.last = of.last.max(Some(at));
            if let Some(has) = subject.and_then(|subject| of.subjects.get_mut(*subject)) {
                *has = true;
            }
        }
    }
}

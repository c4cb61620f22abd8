//! The inputs of a run: measures of subjects, from the chunks in which facts are stored.
//!
//! Subjects are scored from the totals of chunks alone. The facts themselves are decoded only where two imports have facts
//! of one measure for one subject and half-year: a fact may have been delivered twice, and then the later delivery counts.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    GradingError,
    period::{method_of, period_of},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{Chunk, Damaged, FactsOf, Group, StoredFact, Totals},
    scoring::{Catalogue, Decimal, Fact, MeasureSums, Measures, Method, Model, TooLarge, Validity},
    store::{Db, DbError, facts as table, runs::RunRow},
};

/// The facts that a run reads: of which kind, from which half-years, and from which imports.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    pub(super) catalogue: Arc<Catalogue>,
    pub(super) period: HalfYear,
    pub(super) lookback: u8,
    pub(super) method: Method,
    /// The sequence numbers of the imports that count.
    pub(super) imports: Arc<BTreeSet<i64>>,
}

/// A cursor over the totals of a chunk.
struct ChunkCursor {
    import_seq: i64,
    /// Position among the chunks of its import.
    nth: i64,
    back: u8,
    period: HalfYear,
    totals: Totals,
    /// The position of each of its measures in the catalogue, which may no longer have it.
    places: Vec<Option<usize>>,
    /// The position of the next subject.
    at: usize,
    /// The decoded facts, by position of the subject, where chunks overlap.
    decoded: BTreeMap<usize, Vec<StoredFact>>,
}

/// The facts of a page of subjects.
pub(super) struct Page {
    parts: Vec<ChunkCursor>,
    /// Whether [`Scope::needs_day`] is true of any measure; asked once, because a page has many groups.
    by_day: bool,
    /// The number of facts of measures that the catalogue does not have.
    pub(super) unknown: u64,
    /// The stocks for which two sources reported different latest values.
    pub(super) conflicts: Vec<SourceConflict>,
}

/// Two sources reported different values of a stock for one day; the later delivery counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceConflict {
    pub subject_code: String,
    /// The id of the measure.
    pub measure: String,
    pub on: Day,
    /// The sources, the one whose value counts first.
    pub sources: Vec<String>,
}

fn damaged(import_seq: i64, part: i64) -> impl Fn(Damaged) -> DbError {
    move |damage| DbError::corrupt("facts", format!("part {part} of import {import_seq}: {damage}"))
}

impl Scope {
    /// The scope of a half-year by a method: every accepted import.
    pub(super) async fn of_period(
        db: &Db,
        period: HalfYear,
        model: &Model,
        catalogue: Catalogue,
        method: Method,
    ) -> Result<Self, GradingError> {
        // Read once for the whole run: an import that is accepted meanwhile counts for all subjects or for none.
        let imports = table::accepted(&db.read("scope")).await.map_err(GradingError::during("listing the imports"))?;
        Ok(Self {
            catalogue: Arc::new(catalogue),
            period,
            lookback: model.lookback_by(method),
            method,
            imports: Arc::new(imports.into_iter().collect()),
        })
    }

    /// The scope of a stored run: the imports that were accepted up to then.
    pub(super) async fn of_run(
        db: &Db,
        run: &RunRow,
        model: &Model,
        catalogue: Catalogue,
    ) -> Result<Self, GradingError> {
        let now = Self::of_period(db, period_of(run)?, model, catalogue, method_of(run)?).await?;
        Ok(now.up_to(run.imports_to))
    }

    /// The same up to an import.
    #[must_use]
    pub(super) fn up_to(self, import_seq: i64) -> Self {
        let imports = self.imports.range(..=import_seq).copied().collect();
        Self { imports: Arc::new(imports), ..self }
    }

    /// The first and the last half-year.
    pub(super) fn halves(&self) -> (String, String) {
        (self.period.plus(-i32::from(self.lookback)).to_string(), self.period.to_string())
    }

    fn back(&self, period: HalfYear) -> Option<u8> {
        let months = self.period.first_month().months_since(period.first_month());
        u8::try_from(months.div_euclid(6)).ok().filter(|back| *back <= self.lookback)
    }

    /// Whether the totals of a measure in a half-year do not suffice: its value is valid or not by its day.
    fn needs_day(&self, place: usize, back: u8) -> bool {
        // What was reported for the half-year itself counts, and by the first method nothing else does.
        if back == 0 || self.method == Method::First {
            return false;
        }
        let of = self.period.plus(-i32::from(back));
        self.catalogue.reading(place).is_some_and(|reading| reading.validity(of, self.period) == Validity::ByDay)
    }

    /// Whether [`Scope::needs_day`] is true of any measure.
    fn needs_days(&self) -> bool {
        let measures = self.catalogue.measures().len();
        (1..=self.lookback).any(|back| (0..measures).any(|place| self.needs_day(place, back)))
    }

    /// Reads the facts of subjects, which must be in byte order of codes.
    pub(super) async fn page(&self, db: &Db, codes: &[String]) -> Result<Page, GradingError> {
        let failed = || GradingError::during("reading the facts");
        let (Some(first), Some(last)) = (codes.first(), codes.last()) else {
            return Ok(Page { parts: Vec::new(), by_day: false, unknown: 0, conflicts: Vec::new() });
        };
        let (from, to) = self.halves();
        let read = db.read("facts::totals");
        let rows = table::totals(&read, self.catalogue.kind(), (&from, &to), (first, last)).await.map_err(failed())?;
        let mut parts = Vec::with_capacity(rows.len());
        // Chunks of imports that are not accepted, or came after the run, are in the table too.
        for row in rows.into_iter().filter(|row| self.imports.contains(&row.import_seq)) {
            let period = row.period.parse::<HalfYear>();
            let period = period.map_err(|error| failed()(DbError::corrupt("facts::totals", error.0)))?;
            let Some(back) = self.back(period) else { continue };
            let totals = Totals::read(&row.totals).map_err(damaged(row.import_seq, row.part)).map_err(failed())?;
            let places = totals.measures().iter().map(|id| self.catalogue.place(id)).collect();
            let (import_seq, nth) = (row.import_seq, row.part);
            parts.push(ChunkCursor { import_seq, nth, back, period, totals, places, at: 0, decoded: BTreeMap::new() });
        }
        // In the order of imports, because later deliveries replace earlier ones.
        parts.sort_by_key(|part| (part.import_seq, part.nth));
        let mut page = Page { parts, by_day: self.needs_days(), unknown: 0, conflicts: Vec::new() };
        for (nth, subjects) in page.to_decode(self, codes) {
            let Some(part) = page.parts.get_mut(nth) else { continue };
            let blob = table::facts(&read, part.import_seq, part.nth).await.map_err(failed())?;
            let wrong = damaged(part.import_seq, part.nth);
            let mut facts = FactsOf::new(&part.totals, &blob, part.period).map_err(&wrong).map_err(failed())?;
            for at in subjects {
                // Only the subjects concerned are decoded: sums suffice for all others.
                part.decoded.insert(at, facts.of(at).map_err(&wrong).map_err(failed())?);
            }
        }
        Ok(page)
    }

    /// Every fact of one subject.
    pub(super) async fn facts_of(&self, db: &Db, code: &str) -> Result<Vec<Fact>, GradingError> {
        let failed = || GradingError::during("reading the facts");
        let (from, to) = self.halves();
        let read = db.read("facts::of_subject");
        let rows = table::of_subject(&read, self.catalogue.kind(), (&from, &to), code).await.map_err(failed())?;
        let mut facts = Vec::new();
        for row in rows.into_iter().filter(|row| self.imports.contains(&row.import_seq)) {
            let wrong = damaged(row.import_seq, row.part);
            let period = row.period.parse::<HalfYear>();
            let period = period.map_err(|error| failed()(DbError::corrupt("facts::of_subject", error.0)))?;
            Chunk::check(&row.totals, &row.facts, &row.digest).map_err(&wrong).map_err(failed())?;
            let totals = Totals::read(&row.totals).map_err(&wrong).map_err(failed())?;
            let Some(at) = totals.find(code) else { continue };
            let places: Vec<_> = totals.measures().iter().map(|id| self.catalogue.place(id)).collect();
            let stored = FactsOf::new(&totals, &row.facts, period).and_then(|mut facts| facts.of(at));
            let stored = stored.map_err(&wrong).map_err(failed())?;
            facts.extend(stored.into_iter().filter_map(|fact| as_fact(fact, &places, row.import_seq)));
        }
        Ok(facts)
    }
}

fn as_fact(fact: StoredFact, places: &[Option<usize>], import_seq: i64) -> Option<Fact> {
    Some(Fact {
        measure: places.get(fact.measure).copied().flatten()?,
        occurred_on: fact.day,
        value: Decimal(fact.value_e4),
        source: fact.source,
        reference: fact.reference,
        import_seq,
    })
}

/// A group of facts of a subject: one measure in one half-year of one chunk.
#[derive(Clone, Copy)]
struct FactGroup {
    place: usize,
    back: u8,
    part: usize,
    group: Group,
}

impl ChunkCursor {
    /// Advances to a subject; false where the chunk does not have it. Callers must go in byte order of codes.
    fn advance_to(&mut self, code: &str) -> bool {
        while self.at < self.totals.len() {
            match self.totals.code(self.at).cmp(code) {
                std::cmp::Ordering::Less => self.at += 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => return false,
            }
        }
        false
    }
}

impl Page {
    /// The groups of a subject by half-year and measure, and the number of facts of unknown measures.
    fn groups(&mut self, code: &str) -> (Vec<FactGroup>, u64) {
        let (mut found, mut unknown) = (Vec::new(), 0);
        for (nth, part) in self.parts.iter_mut().enumerate() {
            if !part.advance_to(code) {
                continue;
            }
            for group in part.totals.groups(part.at) {
                match part.places.get(group.measure).copied().flatten() {
                    Some(place) => found.push(FactGroup { place, back: part.back, part: nth, group: *group }),
                    None => unknown += group.count,
                }
            }
        }
        // A stable sort: within a measure the imports stay in their order.
        found.sort_by_key(|found| (found.back, found.place));
        (found, unknown)
    }

    /// Puts every cursor back to the first subject.
    fn rewind(&mut self) {
        self.parts.iter_mut().for_each(|part| part.at = 0);
    }

    /// The chunks of which facts must be decoded, because they overlap with those of another import or because days decide,
    /// with the positions of the subjects concerned.
    fn to_decode(&mut self, scope: &Scope, codes: &[String]) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut needed: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        // Most runs read one import a half-year: then nothing overlaps, and no subject needs to be looked at.
        let mut halves: Vec<_> = self.parts.iter().map(|part| (part.import_seq, part.back)).collect();
        halves.sort_unstable();
        halves.dedup();
        halves.sort_unstable_by_key(|(_, back)| *back);
        if !self.by_day && halves.windows(2).all(|pair| matches!(pair, [one, other] if one.1 != other.1)) {
            return needed;
        }
        for code in codes {
            let (found, _) = self.groups(code);
            for same in found.chunk_by(|one, other| (one.back, one.place) == (other.back, other.place)) {
                let by_day = self.by_day && same.iter().any(|found| scope.needs_day(found.place, found.back));
                if same.len() > 1 || by_day {
                    for found in same {
                        let at = self.parts.get(found.part).map_or(0, |part| part.at);
                        needed.entry(found.part).or_default().insert(at);
                    }
                }
            }
        }
        self.rewind();
        needed
    }

    /// The sums of a subject's measures. Callers must go in byte order of codes.
    pub(super) fn sums(&mut self, scope: &Scope, code: &str) -> Result<Vec<MeasureSums>, GradingError> {
        let (found, unknown) = self.groups(code);
        self.unknown += unknown;
        let mut sums = Vec::with_capacity(found.len());
        let mut decoded = Vec::new();
        for same in found.chunk_by(|one, other| (one.back, one.place) == (other.back, other.place)) {
            match same {
                [FactGroup { place, back, group, .. }] if !(self.by_day && scope.needs_day(*place, *back)) => {
                    sums.push(MeasureSums {
                        measure: *place,
                        back: *back,
                        count: group.count,
                        sum: group.sum,
                        latest: group.latest,
                        latest_on: None,
                    });
                }
                several => {
                    for found in several {
                        decoded.extend(self.facts_of_group(found));
                    }
                }
            }
        }
        if !decoded.is_empty() {
            // Only sums are taken from it, so the day of the agreement plays no part.
            let halves = (scope.period, scope.lookback);
            let merged = Measures::collect_by(scope.method, &scope.catalogue, halves, None, decoded);
            let merged = merged.map_err(|source| data(code, source))?;
            sums.extend(merged.sums().map(|(back, measure, one)| MeasureSums {
                measure,
                back,
                count: one.count,
                sum: one.sum.into(),
                latest: one.latest,
                latest_on: merged.latest_on(measure, back),
            }));
            self.conflicts.extend(merged.conflicts().map(|(measure, on, sources)| SourceConflict {
                subject_code: code.to_owned(),
                measure: scope.catalogue.measures().get(measure).map(|one| one.id.clone()).unwrap_or_default(),
                on,
                sources,
            }));
        }
        Ok(sums)
    }

    /// The decoded facts of a group.
    fn facts_of_group(&self, found: &FactGroup) -> impl Iterator<Item = Fact> {
        let part = self.parts.get(found.part);
        let decoded = part.and_then(|part| Some((part, part.decoded.get(&part.at)?)));
        let measure = found.group.measure;
        decoded.into_iter().flat_map(move |(part, facts)| {
            let of = facts.iter().filter(move |fact| fact.measure == measure).cloned();
            of.filter_map(|fact| as_fact(fact, &part.places, part.import_seq))
        })
    }
}

/// The error of a subject whose data is out of range.
pub(super) fn data(code: &str, source: TooLarge) -> GradingError {
    GradingError::Data { subject: code.to_owned(), source }
}

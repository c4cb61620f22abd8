//! The inputs of a run: measures of subjects, from the chunks in which facts are stored.
//!
//! Subjects are scored from the totals of chunks alone. The facts themselves are decoded only where two imports have facts
//! of one measure for one subject and half-year: a fact may have been delivered twice, and then the later delivery counts;
//! and where a fact may have been taken back (`excluded`).

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    GradingError,
    excluded::{Counting, Excluded},
    period::{method_of, period_of},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{Chunk, Damaged, FactsOf, Group, StoredFact, Totals},
    scoring::{Catalogue, Decimal, Fact, Measure, MeasureSums, Measures, Method, Model, TooLarge, Validity},
    store::{
        Db, DbError, facts as table,
        runs::RunRow,
        voids::{self, Within},
    },
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
    /// The number of the last import that was read, of facts or of what takes them back.
    pub(super) imports_to: i64,
    pub(super) counting: Counting,
    /// Those of the imports that may have a document more than once.
    unmerged: Arc<BTreeSet<i64>>,
    /// Whether [`Scope::needs_day`] is true of any measure; asked once, because a page has many groups.
    by_day: bool,
    excluded: Arc<Excluded>,
}

/// Which imports a scope reads, and how their facts are counted.
#[derive(Debug, Clone, Copy)]
pub(super) struct AsOf<'a> {
    pub(super) imports_to: i64,
    pub(super) counting: Counting,
    /// The only subject that will be read, if there is one.
    pub(super) subject: Option<&'a str>,
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

/// Whether a measure's value of an earlier half-year is valid or not by its day. What was reported for the half-year itself
/// counts.
fn needs_day(catalogue: &Catalogue, period: HalfYear, place: usize, back: u8) -> bool {
    let of = period.plus(-i32::from(back));
    back > 0 && catalogue.reading(place).is_some_and(|reading| reading.validity(of, period) == Validity::ByDay)
}

/// Whether [`needs_day`] is true of any measure. By the first method, values of earlier half-years do not count.
fn needs_days(catalogue: &Catalogue, period: HalfYear, lookback: u8, method: Method) -> bool {
    let measures = catalogue.measures().len();
    method != Method::First
        && (1..=lookback).any(|back| (0..measures).any(|place| needs_day(catalogue, period, place, back)))
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
        subject: Option<&str>,
    ) -> Result<Self, GradingError> {
        // Read once for the whole run: an import that is accepted meanwhile counts for all subjects or for none.
        let imports_to = voids::last_import(&db.read("scope")).await;
        let imports_to = imports_to.map_err(GradingError::during("listing the imports"))?;
        let at = AsOf { imports_to, counting: Counting::PRESENT, subject };
        Self::read(db, (period, model.lookback_by(method)), method, Arc::new(catalogue), at).await
    }

    /// The scope of a stored run: the imports that were accepted up to then, counted as it counted.
    pub(super) async fn of_run(
        db: &Db,
        run: &RunRow,
        model: &Model,
        catalogue: Catalogue,
        subject: Option<&str>,
    ) -> Result<Self, GradingError> {
        let counting = Counting::of_number(run.counting);
        let at = AsOf { imports_to: run.imports_to, counting, subject };
        let method = method_of(run)?;
        Self::read(db, (period_of(run)?, model.lookback_by(method)), method, Arc::new(catalogue), at).await
    }

    /// The same half-years as of other imports.
    pub(super) async fn as_of(&self, db: &Db, at: AsOf<'_>) -> Result<Self, GradingError> {
        Self::read(db, (self.period, self.lookback), self.method, Arc::clone(&self.catalogue), at).await
    }

    async fn read(
        db: &Db,
        (period, lookback): (HalfYear, u8),
        method: Method,
        catalogue: Arc<Catalogue>,
        at: AsOf<'_>,
    ) -> Result<Self, GradingError> {
        let AsOf { imports_to, counting, subject } = at;
        let imports = table::accepted(&db.read("scope")).await.map_err(GradingError::during("listing the imports"))?;
        let imports: Vec<_> = imports.into_iter().filter(|import| import.counts_up_to(imports_to)).collect();
        let excluded = match counting {
            Counting::AsDelivered => Excluded::default(),
            Counting::ByDocument => {
                let end = period.last_month().last_day();
                Excluded::read(db, &catalogue, Within { imports_to, subject }, end).await?
            }
        };
        let unmerged = imports.iter().filter(|import| import.identity < 2).map(|import| import.seq).collect();
        let by_day = needs_days(&catalogue, period, lookback, method);
        Ok(Self {
            catalogue,
            period,
            lookback,
            method,
            imports: Arc::new(imports.iter().map(|import| import.seq).collect()),
            imports_to,
            counting,
            unmerged: Arc::new(unmerged),
            by_day,
            excluded: Arc::new(excluded),
        })
    }

    /// The measures that facts of a subject come to.
    pub(super) fn collect(&self, signed: Option<Day>, facts: Vec<Fact>) -> Result<Measures, TooLarge> {
        let halves = (self.period, self.lookback);
        Measures::collect_by(self.method, self.counting.identity(), &self.catalogue, halves, signed, facts)
    }

    /// Whether the facts of a group must be looked at, because its totals may have facts that do not count.
    fn needs_facts(&self, code: &str, found: &FactGroup, import_seq: i64) -> bool {
        let Some(measure) = self.catalogue.measures().get(found.place) else { return false };
        if self.needs_day(found.place, found.back) {
            return true;
        }
        let merged = found.group.count < 2 || self.counting == Counting::AsDelivered || !measure.is_event();
        (!merged && self.unmerged.contains(&import_seq)) || self.excluded.touches(code, measure)
    }

    /// A stored fact as one that counts; `None` where it does not.
    fn fact(&self, code: &str, fact: StoredFact, place: Option<usize>, import_seq: i64) -> Option<Fact> {
        let place = place?;
        let measure: &Measure = self.catalogue.measures().get(place)?;
        if self.excluded.leaves_out(code, measure, &fact.reference, import_seq) {
            return None;
        }
        Some(Fact {
            measure: place,
            occurred_on: fact.day,
            value: Decimal(fact.value_e4),
            source: match self.counting {
                Counting::AsDelivered => fact.source,
                // Facts that were stored before names were compared have the names of their files.
                Counting::ByDocument => self.catalogue.authority(&fact.source).to_owned(),
            },
            reference: fact.reference,
            import_seq,
        })
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
        self.by_day && needs_day(&self.catalogue, self.period, place, back)
    }

    /// Reads the facts of subjects, which must be in byte order of codes.
    pub(super) async fn page(&self, db: &Db, codes: &[String]) -> Result<Page, GradingError> {
        let failed = || GradingError::during("reading the facts");
        let (Some(first), Some(last)) = (codes.first(), codes.last()) else {
            return Ok(Page { parts: Vec::new(), unknown: 0, conflicts: Vec::new() });
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
        let mut page = Page { parts, unknown: 0, conflicts: Vec::new() };
        for (nth, subjects) in page.take_to_decode(self, codes) {
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
            facts.extend(stored.into_iter().filter_map(|fact| {
                let place = places.get(fact.measure).copied().flatten();
                self.fact(code, fact, place, row.import_seq)
            }));
        }
        Ok(facts)
    }
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

    /// The chunks of which facts must be decoded, with the positions of the subjects concerned: where two imports have facts of
    /// one measure, a fact may not count, or days decide.
    fn take_to_decode(&mut self, scope: &Scope, codes: &[String]) -> BTreeMap<usize, BTreeSet<usize>> {
        let mut needed: BTreeMap<usize, BTreeSet<usize>> = BTreeMap::new();
        let unmerged = self.parts.iter().any(|part| scope.unmerged.contains(&part.import_seq));
        let every = scope.by_day || self.imports_overlap() || (unmerged && scope.counting == Counting::ByDocument);
        if !every && scope.excluded.is_empty() {
            return needed;
        }
        for code in codes.iter().filter(|code| every || scope.excluded.concerns(code)) {
            let (found, _) = self.groups(code);
            for same in found.chunk_by(|one, other| (one.back, one.place) == (other.back, other.place)) {
                if same.len() > 1 || same.iter().any(|found| self.needs_facts(scope, code, found)) {
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

    /// Whether two imports have facts of one half-year. Most runs read one import a half-year, and then no subject needs to
    /// be looked at.
    fn imports_overlap(&self) -> bool {
        let mut halves: Vec<_> = self.parts.iter().map(|part| (part.import_seq, part.back)).collect();
        halves.sort_unstable();
        halves.dedup();
        halves.sort_unstable_by_key(|(_, back)| *back);
        !halves.windows(2).all(|pair| matches!(pair, [one, other] if one.1 != other.1))
    }

    fn needs_facts(&self, scope: &Scope, code: &str, found: &FactGroup) -> bool {
        self.parts.get(found.part).is_some_and(|part| scope.needs_facts(code, found, part.import_seq))
    }

    /// The sums of a subject's measures. Callers must go in byte order of codes.
    pub(super) fn sums(&mut self, scope: &Scope, code: &str) -> Result<Vec<MeasureSums>, GradingError> {
        let (found, unknown) = self.groups(code);
        self.unknown += unknown;
        let mut sums = Vec::with_capacity(found.len());
        let mut decoded = Vec::new();
        for same in found.chunk_by(|one, other| (one.back, one.place) == (other.back, other.place)) {
            match same {
                [found @ FactGroup { place, back, group, .. }] if !self.needs_facts(scope, code, found) => {
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
                        decoded.extend(self.facts_of_group(scope, code, found));
                    }
                }
            }
        }
        if !decoded.is_empty() {
            // Only sums are taken from it, so the day of the agreement plays no part.
            let merged = scope.collect(None, decoded).map_err(|source| data(code, source))?;
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

    /// The decoded facts of a group that count.
    fn facts_of_group<'a>(
        &'a self,
        scope: &'a Scope,
        code: &'a str,
        found: &FactGroup,
    ) -> impl Iterator<Item = Fact> + use<'a> {
        let part = self.parts.get(found.part);
        let decoded = part.and_then(|part| Some((part.import_seq, part.decoded.get(&part.at)?)));
        let (measure, place) = (found.group.measure, found.place);
        decoded.into_iter().flat_map(move |(import_seq, facts)| {
            let of = facts.iter().filter(move |fact| fact.measure == measure).cloned();
            of.filter_map(move |fact| scope.fact(code, fact, Some(place), import_seq))
        })
    }
}

/// The error of a subject whose data is out of range.
pub(super) fn data(code: &str, source: TooLarge) -> GradingError {
    GradingError::Data { subject: code.to_owned(), source }
}

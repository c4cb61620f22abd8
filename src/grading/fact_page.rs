//! The measures of a page of subjects, from the chunks in which facts are stored.
//!
//! Subjects are scored from the totals of chunks alone. The facts themselves are decoded only where two imports have facts
//! of one measure for one subject and half-year: a fact may have been delivered twice, and then the later delivery counts;
//! and where a fact may have been taken back (`excluded`).

use std::collections::{BTreeMap, BTreeSet};

use super::{
    GradingError,
    excluded::Counting,
    scope::{Scope, damaged},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{FactsOf, Group, StoredFact, Totals},
    scoring::{Fact, MeasureSums},
    store::{Db, DbError, facts as table},
};

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
pub(super) struct FactPage {
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

impl FactPage {
    /// Reads the facts of subjects, which must be in byte order of codes.
    pub(super) async fn read(scope: &Scope, db: &Db, codes: &[String]) -> Result<Self, GradingError> {
        let failed = || GradingError::during("reading the facts");
        let (Some(first), Some(last)) = (codes.first(), codes.last()) else {
            return Ok(Self { parts: Vec::new(), unknown: 0, conflicts: Vec::new() });
        };
        let (from, to) = scope.halves();
        let read = db.read("facts::totals");
        let rows = table::totals(&read, scope.catalogue.kind(), (&from, &to), (first, last)).await.map_err(failed())?;
        let mut parts = Vec::with_capacity(rows.len());
        // Chunks of imports that are not accepted, or came after the run, are in the table too.
        for row in rows.into_iter().filter(|row| scope.imports.contains(&row.import_seq)) {
            let period = row.period.parse::<HalfYear>();
            let period = period.map_err(|error| failed()(DbError::corrupt("facts::totals", error.0)))?;
            let Some(back) = scope.back(period) else { continue };
            let totals = Totals::read(&row.totals).map_err(damaged(row.import_seq, row.part)).map_err(failed())?;
            let places = totals.measures().iter().map(|id| scope.catalogue.place(id)).collect();
            let (import_seq, nth) = (row.import_seq, row.part);
            parts.push(ChunkCursor { import_seq, nth, back, period, totals, places, at: 0, decoded: BTreeMap::new() });
        }
        // In the order of imports, because later deliveries replace earlier ones.
        parts.sort_by_key(|part| (part.import_seq, part.nth));
        let mut page = Self { parts, unknown: 0, conflicts: Vec::new() };
        for (nth, subjects) in page.take_to_decode(scope, codes) {
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

    /// Whether the facts of a group must be looked at, because its totals may have facts that do not count.
    fn needs_facts(&self, scope: &Scope, code: &str, found: &FactGroup) -> bool {
        let Some(part) = self.parts.get(found.part) else { return false };
        let Some(measure) = scope.catalogue.measures().get(found.place) else { return false };
        if scope.needs_day(found.place, found.back) {
            return true;
        }
        let merged = found.group.count < 2 || scope.counting == Counting::AsDelivered || !measure.is_event();
        (!merged && scope.unmerged.contains(&part.import_seq)) || scope.excluded.touches(code, measure)
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
            let merged = scope.collect(None, decoded).map_err(|source| GradingError::data(code, source))?;
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

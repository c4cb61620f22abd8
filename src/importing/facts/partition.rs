//! One heap at a time: sorted, freed of what it has twice, and packed into chunks.

use std::{
    io,
    sync::atomic::{AtomicUsize, Ordering},
};

use time::Date;

use super::{
    Known, Sifted,
    spill::{Spilled, facts_of},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{Chunk, ChunkBuilder, Row},
};

/// A chunk is closed at the first subject's end beyond this.
const CHUNK_BYTES: usize = 1 << 20;

/// What comes of a heap.
#[derive(Debug)]
pub(in crate::importing) enum PackedPart {
    /// A chunk of a kind.
    Chunk {
        /// The kind.
        kind: String,
        /// The chunk.
        chunk: Box<Chunk>,
    },
    /// Lines whose fact an earlier line has already.
    Repeated(Vec<u64>),
    /// It could not be done.
    Failed(io::Error),
}

/// Settles every heap on some threads, and hands on what comes of them. Ends early when nobody listens.
pub(in crate::importing) fn settle(
    known: &Known,
    sifted: &Sifted,
    threads: usize,
    tell: impl Fn(PackedPart) -> bool + Sync,
) {
    let sources = sifted.spill.sources();
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let heap = next.fetch_add(1, Ordering::Relaxed);
                    if heap >= sifted.spill.heaps() {
                        return;
                    }
                    match settle_one(known, sifted, &sources, heap, &tell) {
                        Ok(true) => {}
                        Ok(false) => return,
                        Err(error) => {
                            tell(PackedPart::Failed(error));
                            return;
                        }
                    }
                }
            });
        }
    });
}

/// Settles a heap; false when nobody listens.
fn settle_one(
    known: &Known,
    sifted: &Sifted,
    sources: &[Box<str>],
    heap: usize,
    tell: &(impl Fn(PackedPart) -> bool + Sync),
) -> io::Result<bool> {
    let bytes = sifted.spill.read(heap)?;
    let mut facts = facts_of(&bytes)?;
    let reference = |fact: &Spilled| {
        let (at, length) = fact.reference;
        bytes.get(at..at + usize::from(length)).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    };
    let source =
        |fact: &Spilled| usize::try_from(fact.source).ok().and_then(|at| sources.get(at)).map_or("", |text| text);
    let kind = |fact: &Spilled| known.kind_of(fact.subject).unwrap_or(0);
    let mut halves = Halves::default();
    facts.sort_by_cached_key(|fact| order(kind(fact), halves.half_of(fact.day), fact));
    sort_ties(&mut facts, |one, other| {
        (source(one), reference(one), one.line).cmp(&(source(other), reference(other), other.line))
    });
    let mut repeated = Vec::new();
    let same = |one: &Spilled, other: &Spilled| {
        (one.subject, one.measure, one.day) == (other.subject, other.measure, other.day)
            && source(one) == source(other)
            && reference(one) == reference(other)
    };
    facts.dedup_by(|later, kept| {
        let again = same(later, kept);
        if again {
            repeated.push(later.line);
        }
        again
    });
    if !repeated.is_empty() && !tell(PackedPart::Repeated(repeated)) {
        return Ok(false);
    }
    let mut packing = Packing { known, open: None, tell };
    for fact in &facts {
        let row = Row {
            code: known.code(fact.subject),
            measure: known.measure_id(fact.measure),
            day: day_of(fact.day),
            source: source(fact),
            reference: reference(fact),
            value_e4: fact.value_e4,
            line: fact.line,
        };
        if !packing.push(kind(fact), &row)? {
            return Ok(false);
        }
    }
    Ok(packing.close())
}

/// Sorts what is equal by the key it was sorted by before.
fn sort_ties(facts: &mut [Spilled], mut order: impl FnMut(&Spilled, &Spilled) -> std::cmp::Ordering) {
    let key = |fact: &Spilled| (fact.subject, fact.measure, fact.day);
    for ties in facts.chunk_by_mut(|one, other| key(one) == key(other)) {
        if ties.len() > 1 {
            ties.sort_unstable_by(&mut order);
        }
    }
}

/// The day of a Julian day number that a checked day was written as.
fn day_of(julian: i32) -> Day {
    let date = Date::from_julian_day(julian).unwrap_or(Date::MIN);
    Day::from(date)
}

/// What facts are sorted by, as one number. The half-year comes before the subject: it parts chunks.
fn order(kind: u16, half: u16, fact: &Spilled) -> u128 {
    let mut key = u128::from(kind);
    key = key << 16 | u128::from(half);
    key = key << 32 | u128::from(fact.subject);
    key = key << 16 | u128::from(fact.measure);
    // Days before the first Julian one do not come through the check of a row.
    key << 32 | u128::from(fact.day.cast_unsigned())
}

/// Half-years of days as numbers that grow. Facts come by the thousand from the same one.
#[derive(Debug, Default)]
struct Halves {
    days: std::ops::Range<i32>,
    number: u16,
}

impl Halves {
    fn half_of(&mut self, julian: i32) -> u16 {
        if !self.days.contains(&julian) {
            let half = HalfYear::of(day_of(julian).month());
            let bound = |day: Day| day.date().to_julian_day();
            self.days = bound(half.first_month().first_day())..bound(half.last_month().last_day()) + 1;
            let month = half.first_month();
            self.number = u16::try_from(month.year() * 2 + i32::from(month.number() > 6)).unwrap_or(u16::MAX);
        }
        self.number
    }
}

/// The chunk being filled.
struct Packing<'a, T> {
    known: &'a Known,
    open: Option<(u16, ChunkBuilder)>,
    tell: &'a T,
}

impl<T: Fn(PackedPart) -> bool> Packing<'_, T> {
    /// Adds a fact; false when nobody listens.
    fn push(&mut self, kind: u16, row: &Row<'_>) -> io::Result<bool> {
        let full = self.open.as_ref().is_some_and(|(open_kind, open)| {
            *open_kind != kind || !open.covers(row.day) || (open.size() >= CHUNK_BYTES && open.code() != Some(row.code))
        });
        if full && !self.close() {
            return Ok(false);
        }
        let empty = || (kind, ChunkBuilder::new(HalfYear::of(row.day.month())));
        let (_, open) = self.open.get_or_insert_with(empty);
        open.push(row).map_err(io::Error::other)?;
        Ok(true)
    }

    /// Hands on the chunk; false when nobody listens.
    fn close(&mut self) -> bool {
        let Some((kind, open)) = self.open.take() else { return true };
        let Some(chunk) = open.finish() else { return true };
        let kind = self.known.kind(kind).to_owned();
        (self.tell)(PackedPart::Chunk { kind, chunk: Box::new(chunk) })
    }
}

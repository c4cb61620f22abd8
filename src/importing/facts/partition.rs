//! One partition at a time: sorted, freed of repeated facts, and packed into chunks.

use std::{
    io,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::{
    Dictionary, FactChecks, Spill,
    documents::{EventDocument, Events},
    spill::{Spilled, day_of, facts_of},
};
use crate::{
    domain::{Day, HalfYear},
    facts::{Chunk, ChunkBuilder, Row},
    importing::{ImportError, batch::Stop, findings::Finding},
};

/// A chunk is closed after the first subject that makes it larger than this.
const CHUNK_BYTES: usize = 1 << 20;

/// A result of packing a partition.
#[derive(Debug)]
pub(in crate::importing) enum PackedPart {
    /// A chunk of facts of one kind, with the documents of its events.
    Chunk { kind: String, chunk: Box<Chunk>, documents: Vec<EventDocument> },
    /// Findings about rows that were merged with others.
    Merged(Vec<Finding>),
    /// Lines with the same fact as an earlier line.
    Repeated(Vec<u64>),
}

/// Packs every partition on `threads` threads. Ends early when `send` fails.
pub(in crate::importing) fn pack(
    checks: &FactChecks,
    spill: &Spill,
    threads: usize,
    send: impl Fn(PackedPart) -> Result<(), Stop> + Sync,
) -> Result<(), Stop> {
    let packer = Packer { dictionary: &checks.dictionary, spill, sources: spill.sources(), send };
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    // Relaxed is enough: the counter orders nothing but itself, and each partition goes to one thread.
                    let partition = next.fetch_add(1, Ordering::Relaxed);
                    if partition >= spill.partitions() {
                        return;
                    }
                    if let Err(stop) = packer.pack(partition) {
                        // No thread takes another partition; the first failure is the one reported.
                        next.store(spill.partitions(), Ordering::Relaxed);
                        failed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(stop);
                        return;
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
}

/// Packs partitions of a spill file.
struct Packer<'a, S> {
    dictionary: &'a Dictionary,
    spill: &'a Spill,
    /// The sources by number.
    sources: Vec<Box<str>>,
    send: S,
}

impl<S: Fn(PackedPart) -> Result<(), Stop>> Packer<'_, S> {
    fn pack(&self, partition: usize) -> Result<(), Stop> {
        let bytes = self.spill.read(partition).map_err(failed)?;
        let mut facts = facts_of(&bytes).map_err(failed)?;
        let texts = Texts { sources: &self.sources, partition: &bytes };
        self.sort(&mut facts, texts);
        let reference = |fact: &Spilled| texts.reference(fact);
        let source = |fact: &Spilled| texts.source(fact);
        let events = Events { dictionary: self.dictionary, reference: &reference, source: &source };
        let repeated = remove_repeated(&mut facts, texts, &events);
        if !repeated.is_empty() {
            (self.send)(PackedPart::Repeated(repeated))?;
        }
        let merged = events.merge(&mut facts);
        if !merged.is_empty() {
            (self.send)(PackedPart::Merged(merged))?;
        }
        let mut open: Option<OpenChunk> = None;
        for fact in &facts {
            let row = Row {
                code: self.dictionary.code(fact.subject),
                measure: self.dictionary.measure_id(fact.measure),
                day: day_of(fact.day),
                source: texts.source(fact),
                reference: texts.reference(fact),
                value_e4: fact.value_e4,
                line: fact.line,
            };
            let kind = self.kind_of(fact);
            if let Some(full) = open.take_if(|open| open.is_full_for(kind, &row)) {
                self.send_chunk(full)?;
            }
            let chunk = open.get_or_insert_with(|| OpenChunk::for_row(kind, &row));
            chunk.builder.push(&row).map_err(io::Error::other).map_err(failed)?;
            chunk.documents.extend(events.document(fact));
        }
        open.map_or(Ok(()), |open| self.send_chunk(open))
    }

    fn kind_of(&self, fact: &Spilled) -> u16 {
        // The same dictionary numbered the subject, so its kind is always found.
        self.dictionary.kind_of(fact.subject).unwrap_or(0)
    }

    /// Sorts facts into the order in which chunks store them; equal facts by line.
    fn sort(&self, facts: &mut [Spilled], texts: Texts<'_>) {
        let mut halves = Halves::default();
        // The key is computed once for each fact and not at each comparison.
        facts.sort_by_cached_key(|fact| sort_key(self.kind_of(fact), halves.half_of(fact.day), fact));
        // Texts are compared only where the numbers are equal.
        let key = |fact: &Spilled| (fact.subject, fact.measure, fact.day);
        for ties in facts.chunk_by_mut(|one, other| key(one) == key(other)) {
            if ties.len() > 1 {
                ties.sort_unstable_by(|one, other| (texts.of(one), one.line).cmp(&(texts.of(other), other.line)));
            }
        }
    }

    fn send_chunk(&self, open: OpenChunk) -> Result<(), Stop> {
        let OpenChunk { kind, builder, documents } = open;
        let Some(chunk) = builder.finish() else { return Ok(()) };
        let kind = self.dictionary.kind(kind).to_owned();
        (self.send)(PackedPart::Chunk { kind, chunk: Box::new(chunk), documents })
    }
}

fn failed(source: io::Error) -> Stop {
    Stop::Failed(ImportError::Spill { source })
}

/// The texts of a partition's facts.
#[derive(Clone, Copy)]
struct Texts<'a> {
    sources: &'a [Box<str>],
    partition: &'a [u8],
}

impl<'a> Texts<'a> {
    fn source(self, fact: &Spilled) -> &'a str {
        usize::try_from(fact.source).ok().and_then(|at| self.sources.get(at)).map_or("", |text| text)
    }

    fn reference(self, fact: &Spilled) -> &'a str {
        let bytes = self.partition.get(fact.reference.clone()).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }

    fn of(self, fact: &Spilled) -> (&'a str, &'a str) {
        (self.source(fact), self.reference(fact))
    }
}

/// Removes facts that are the same as the one before and returns their lines: the first line counts.
fn remove_repeated(facts: &mut Vec<Spilled>, texts: Texts<'_>, events: &Events<'_>) -> Vec<u64> {
    let mut repeated = Vec::new();
    facts.dedup_by(|later, first| {
        let same = (later.subject, later.measure, later.day) == (first.subject, first.measure, first.day)
            && texts.of(later) == texts.of(first)
            && !events.repeats(later);
        if same {
            repeated.push(later.line);
        }
        same
    });
    repeated
}

/// The sort key of a fact as one number. The half-year comes before the subject, because a chunk has one half-year.
fn sort_key(kind: u16, half: u16, fact: &Spilled) -> u128 {
    let mut key = u128::from(kind);
    key = key << 16 | u128::from(half);
    key = key << 32 | u128::from(fact.subject);
    key = key << 16 | u128::from(fact.measure);
    // Never negative: rows with a day before the Julian calendar's first do not parse.
    key << 32 | u128::from(fact.day.cast_unsigned())
}

/// Numbers for half-years, in their order. Remembers the last one, because thousands of facts in a row share it.
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
struct OpenChunk {
    kind: u16,
    builder: ChunkBuilder,
    documents: Vec<EventDocument>,
}

impl OpenChunk {
    fn for_row(kind: u16, row: &Row<'_>) -> Self {
        Self { kind, builder: ChunkBuilder::new(HalfYear::of(row.day.month())), documents: Vec::new() }
    }

    /// Whether a row belongs into the next chunk. A subject's facts of a half-year are never split.
    fn is_full_for(&self, kind: u16, row: &Row<'_>) -> bool {
        let large = self.builder.size() >= CHUNK_BYTES && self.builder.code() != Some(row.code);
        self.kind != kind || !self.builder.covers(row.day) || large
    }
}

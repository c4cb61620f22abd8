//! Reads the `facts` part of a chunk, a block at a time.

use std::ops::Range;

use super::{
    Damaged, StoredFact, Totals,
    build::VERSION,
    bytes::{Reader, text, unpack},
};
use crate::domain::{Day, HalfYear};

/// The last day of a half-year, counted from its first day.
const GREATEST_DAY: u8 = 183;

/// Reads the facts of a chunk. It keeps the last block, so that subjects read in order need one pass.
#[derive(Debug)]
pub struct FactsOf<'a> {
    totals: &'a Totals,
    part: &'a [u8],
    first_day: Day,
    open: Option<Block>,
}

/// A decompressed block and the position in it.
#[derive(Debug)]
struct Block {
    /// Its number in the chunk.
    nth: usize,
    raw: Vec<u8>,
    columns: Columns,
    /// The subject whose facts come next.
    next: usize,
}

impl<'a> FactsOf<'a> {
    /// A reader for the chunk with the given totals and half-year.
    pub fn new(totals: &'a Totals, part: &'a [u8], period: HalfYear) -> Result<Self, Damaged> {
        let [VERSION, blocks @ ..] = part else { return Err(Damaged("it has an unknown version")) };
        Ok(Self { totals, part: blocks, first_day: period.first_month().first_day(), open: None })
    }

    /// All facts of a subject, in order.
    pub fn of(&mut self, at: usize) -> Result<Vec<StoredFact>, Damaged> {
        let (nth, first) = self.block_of(at)?;
        let mut block = match self.open.take() {
            // References and lines are differences from the fact before, so a block is only read forwards.
            Some(block) if block.nth == nth && block.next <= at => block,
            // An earlier subject of the open block: it is decompressed already, and only read again from its beginning.
            Some(block) if block.nth == nth => Block { columns: Columns::of(&block.raw)?, next: first, ..block },
            _ => self.unpack(nth, first)?,
        };
        let totals = self.totals;
        // Saturating: the counts come from the stored bytes, and may be anything.
        let before = (block.next..at).fold(0u64, |sum, at| sum.saturating_add(totals.facts(at)));
        for _ in 0..before {
            block.columns.step(&block.raw)?;
        }
        // Without a capacity: a damaged count must not allocate memory.
        let mut facts = Vec::new();
        for group in totals.groups(at) {
            for _ in 0..group.count {
                let (value_e4, day, source) = block.columns.step(&block.raw)?;
                facts.push(StoredFact {
                    measure: group.measure,
                    day: self.first_day.plus_days(i64::from(day)),
                    source: totals.sources.get(source).ok_or(Damaged("a source is not known"))?.clone(),
                    reference: text(&block.columns.reference)?.to_owned(),
                    value_e4,
                    line: block.columns.line,
                });
            }
        }
        block.next = at + 1;
        self.open = Some(block);
        Ok(facts)
    }

    fn unpack(&self, nth: usize, first: usize) -> Result<Block, Damaged> {
        let blocks = &self.totals.blocks;
        let start = blocks.iter().take(nth).fold(0usize, |sum, block| sum.saturating_add(block.bytes));
        let length = blocks.get(nth).map_or(0, |block| block.bytes);
        let packed = self.part.get(start..start.saturating_add(length)).ok_or(Damaged("a block is missing"))?;
        let raw = unpack(packed)?;
        Ok(Block { nth, columns: Columns::of(&raw)?, raw, next: first })
    }

    /// The number of the block with a subject's facts, and the block's first subject.
    fn block_of(&self, at: usize) -> Result<(usize, usize), Damaged> {
        let mut first = 0usize;
        for (nth, block) in self.totals.blocks.iter().enumerate() {
            let next = first.saturating_add(block.subjects);
            if at < next {
                return Ok((nth, first));
            }
            first = next;
        }
        Err(Damaged("a subject is in no block"))
    }
}

/// The positions in the columns of a block.
#[derive(Debug)]
struct Columns {
    /// The unread range of each column: values, days, sources, references, lines.
    unread: [Range<usize>; 5],
    reference: Vec<u8>,
    line: u64,
}

impl Columns {
    fn of(raw: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(raw);
        let mut unread = [const { 0..0 }; 5];
        for column in &mut unread {
            let length = reader.part()?.0.len();
            let end = raw.len() - reader.0.len();
            *column = end - length..end;
        }
        Ok(Self { unread, reference: Vec::new(), line: 0 })
    }

    /// Moves to the next fact and returns its value, day and source. References and lines are stored as differences
    /// from the fact before, so no fact can be skipped.
    fn step(&mut self, raw: &[u8]) -> Result<(i64, u8, usize), Damaged> {
        // The ranges were made from `raw`; of another block they read as empty, which is an error below.
        let reader = |column: &Range<usize>| Reader(raw.get(column.clone()).unwrap_or_default());
        let [mut values, mut days, mut sources, mut references, mut lines] = self.unread.each_ref().map(reader);
        let value_e4 = values.i64()?;
        let [day @ 0..=GREATEST_DAY] = days.take(1)? else { return Err(Damaged("a day is not of the half-year")) };
        let source = sources.usize()?;
        let shared = references.usize()?;
        let length = references.usize()?;
        let suffix = references.take(length)?;
        if shared > self.reference.len() {
            return Err(Damaged("a reference shares more than the one before has"));
        }
        self.reference.truncate(shared);
        self.reference.extend_from_slice(suffix);
        self.line = self.line.wrapping_add(lines.i64()?.cast_unsigned());
        for (column, reader) in self.unread.iter_mut().zip([values, days, sources, references, lines]) {
            column.start = column.end - reader.0.len();
        }
        Ok((value_e4, *day, source))
    }
}

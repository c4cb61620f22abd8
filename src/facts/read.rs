//! The second part of a chunk: the facts themselves, a block at a time.

use super::{
    Damaged, StoredFact, Totals,
    build::VERSION,
    bytes::{Reader, text, unpack},
};
use crate::domain::{Day, HalfYear};

/// A day of a half-year is at most this many after its first.
const GREATEST_DAY: u8 = 183;

/// The facts of a chunk, with the block opened last: subjects asked for in order are read in one pass.
#[derive(Debug)]
pub struct FactsOf<'a> {
    totals: &'a Totals,
    part: &'a [u8],
    first_day: Day,
    open: Option<Block>,
}

/// A block that was unpacked, and how far it was read.
#[derive(Debug)]
struct Block {
    /// Which one.
    nth: usize,
    raw: Vec<u8>,
    columns: Columns,
    /// The subject whose facts come next.
    next: usize,
}

impl<'a> FactsOf<'a> {
    /// The facts of the chunk whose totals were read, of a half-year.
    pub fn new(totals: &'a Totals, part: &'a [u8], period: HalfYear) -> Result<Self, Damaged> {
        let [VERSION, blocks @ ..] = part else { return Err(Damaged("it has an unknown version")) };
        Ok(Self { totals, part: blocks, first_day: period.first_month().first_day(), open: None })
    }

    /// Every fact of a subject, in their order.
    pub fn of(&mut self, at: usize) -> Result<Vec<StoredFact>, Damaged> {
        let (nth, first) = self.block_of(at)?;
        let mut block = match self.open.take() {
            Some(block) if block.nth == nth && block.next <= at => block,
            Some(block) if block.nth == nth => Block { columns: Columns::of(&block.raw)?, next: first, ..block },
            _ => self.unpack(nth, first)?,
        };
        let totals = self.totals;
        let before = (block.next..at).fold(0u64, |sum, at| sum.saturating_add(totals.facts(at)));
        for _ in 0..before {
            block.columns.step(&block.raw)?;
        }
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
        let start = blocks.iter().take(nth).fold(0usize, |sum, (_, bytes)| sum.saturating_add(*bytes));
        let length = blocks.get(nth).map_or(0, |(_, bytes)| *bytes);
        let packed = self.part.get(start..start.saturating_add(length)).ok_or(Damaged("a block is missing"))?;
        let raw = unpack(packed)?;
        Ok(Block { nth, columns: Columns::of(&raw)?, raw, next: first })
    }

    /// The block a subject's facts are in, and the block's first subject.
    fn block_of(&self, at: usize) -> Result<(usize, usize), Damaged> {
        let mut first = 0usize;
        for (nth, (subjects, _)) in self.totals.blocks.iter().enumerate() {
            let next = first.saturating_add(*subjects);
            if at < next {
                return Ok((nth, first));
            }
            first = next;
        }
        Err(Damaged("a subject is in no block"))
    }
}

/// How far the columns of a block were read: what is left of each, counted from its end, which does not move.
#[derive(Debug)]
struct Columns {
    /// Where each column ends, and how much of it is left: values, days, sources, references, lines.
    left: [(usize, usize); 5],
    reference: Vec<u8>,
    line: u64,
}

impl Columns {
    fn of(raw: &[u8]) -> Result<Self, Damaged> {
        let mut reader = Reader(raw);
        let mut left = [(0, 0); 5];
        for column in &mut left {
            let length = reader.part()?.0.len();
            *column = (raw.len() - reader.0.len(), length);
        }
        Ok(Self { left, reference: Vec::new(), line: 0 })
    }

    /// Moves to the next fact, and gives its value, day and source. Its reference and line are told by how they differ
    /// from those before, so none can be passed over.
    fn step(&mut self, raw: &[u8]) -> Result<(i64, u8, usize), Damaged> {
        let at = |(end, left): (usize, usize)| Reader(raw.get(end.saturating_sub(left)..end).unwrap_or_default());
        let [mut values, mut days, mut sources, mut references, mut lines] = self.left.map(at);
        let value_e4 = values.i64()?;
        let [day @ 0..=GREATEST_DAY] = days.take(1)? else { return Err(Damaged("a day is not of the half-year")) };
        let source = sources.usize()?;
        let shared = references.usize()?;
        let length = references.usize()?;
        let suffix = references.take(length)?;
        if shared > self.reference.len() {
            return Err(Damaged("a reference begins with more than there was"));
        }
        self.reference.truncate(shared);
        self.reference.extend_from_slice(suffix);
        self.line = self.line.wrapping_add(lines.i64()?.cast_unsigned());
        for (column, reader) in self.left.iter_mut().zip([values, days, sources, references, lines]) {
            column.1 = reader.0.len();
        }
        Ok((value_e4, *day, source))
    }
}

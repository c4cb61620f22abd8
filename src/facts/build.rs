//! Builds a chunk from sorted rows.

use std::collections::HashMap;

use aws_lc_rs::digest;

use super::{
    Damaged, Misplaced, Row,
    bytes::{pack, put_i64, put_i128, put_text, put_u64, put_usize},
};
use crate::domain::{Day, HalfYear};

/// The format version of both parts.
pub(super) const VERSION: u8 = 1;

/// A block is closed after the first subject that makes it larger than this. Reading one subject decompresses one
/// block.
const BLOCK_BYTES: usize = 128 << 10;

/// A chunk, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk {
    /// The half-year of its facts.
    pub period: HalfYear,
    /// The code of its first subject.
    pub first_code: String,
    /// The code of its last subject.
    pub last_code: String,
    /// Number of facts.
    pub rows: u64,
    /// The `totals` part: number, sum and latest value by subject and measure.
    pub totals: Vec<u8>,
    /// The `facts` part: every fact.
    pub facts: Vec<u8>,
    /// SHA-256 of the length of `totals`, `totals` and `facts`.
    pub digest: [u8; 32],
}

impl Chunk {
    /// Fails if the parts do not have the digest.
    pub fn check(totals: &[u8], facts: &[u8], digest: &[u8]) -> Result<(), Damaged> {
        if Self::digest_of(totals, facts) == digest { Ok(()) } else { Err(Damaged("its digest is wrong")) }
    }

    /// The digest of both parts.
    pub fn digest_of(totals: &[u8], facts: &[u8]) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        // The length first: bytes moved from one part to the other would otherwise give the same digest.
        context.update(&u64::try_from(totals.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(totals);
        context.update(facts);
        let mut out = [0; 32];
        out.copy_from_slice(context.finish().as_ref());
        out
    }
}

/// Repeated texts, stored once and referred to by index.
#[derive(Debug, Default)]
struct TextTable {
    texts: Vec<String>,
    indexes: HashMap<String, usize>,
    /// The index returned last: most rows repeat the text of the row before.
    last: usize,
}

impl TextTable {
    fn index(&mut self, text: &str) -> usize {
        if self.texts.get(self.last).is_some_and(|last| last == text) {
            return self.last;
        }
        self.last = if let Some(index) = self.indexes.get(text) {
            *index
        } else {
            let index = self.texts.len();
            self.texts.push(text.to_owned());
            self.indexes.insert(text.to_owned(), index);
            index
        };
        self.last
    }

    fn text(&self, index: usize) -> &str {
        self.texts.get(index).map_or("", String::as_str)
    }

    fn put(&self, out: &mut Vec<u8>) {
        put_usize(out, self.texts.len());
        for text in &self.texts {
            put_text(out, text);
        }
    }
}

/// Totals of the subject and measure whose facts are being pushed.
#[derive(Debug, Clone, Copy)]
struct Open {
    count: u64,
    sum: i128,
    latest: i64,
}

/// The columns of the open block.
#[derive(Debug, Default)]
struct Columns {
    values: Vec<u8>,
    days: Vec<u8>,
    sources: Vec<u8>,
    references: Vec<u8>,
    lines: Vec<u8>,
    last_reference: String,
    last_line: u64,
}

impl Columns {
    fn size(&self) -> usize {
        self.values.len() + self.days.len() + self.sources.len() + self.references.len() + self.lines.len()
    }

    fn push(&mut self, row: &Row<'_>, day: u8, source: usize) {
        put_i64(&mut self.values, row.value_e4);
        self.days.push(day);
        put_usize(&mut self.sources, source);
        let shared = shared_prefix(&self.last_reference, row.reference);
        put_usize(&mut self.references, shared);
        put_text(&mut self.references, row.reference.get(shared..).unwrap_or_default());
        self.last_reference.truncate(shared);
        self.last_reference.push_str(row.reference.get(shared..).unwrap_or_default());
        // Wrapping: rows are in the order of facts, so a difference may be negative. Reading wraps it back.
        put_i64(&mut self.lines, row.line.wrapping_sub(self.last_line).cast_signed());
        self.last_line = row.line;
    }

    /// Appends the compressed block to the part, clears the columns and returns the length of the block.
    fn close(&mut self, facts: &mut Vec<u8>) -> usize {
        // 16: a length of at most three bytes for each of the five columns.
        let mut raw = Vec::with_capacity(self.size() + 16);
        for column in [&self.values, &self.days, &self.sources, &self.references, &self.lines] {
            put_usize(&mut raw, column.len());
            raw.extend_from_slice(column);
        }
        for column in [&mut self.values, &mut self.days, &mut self.sources, &mut self.references, &mut self.lines] {
            column.clear();
        }
        // Each block starts its differences again, so that it can be read without the one before.
        self.last_reference.clear();
        self.last_line = 0;
        let before = facts.len();
        pack(facts, &raw);
        facts.len() - before
    }
}

/// The length in bytes of the longest common prefix, in whole characters.
fn shared_prefix(one: &str, other: &str) -> usize {
    let mut shared = one.bytes().zip(other.bytes()).take_while(|(one, other)| one == other).count();
    // Equal bytes may end within a character, and a text is cut only between two.
    while !other.is_char_boundary(shared) {
        shared -= 1;
    }
    shared
}

/// Builds a chunk from rows that are pushed in the order of [`Row::identity`].
#[derive(Debug)]
pub struct ChunkBuilder {
    period: HalfYear,
    first_day: Day,
    last_day: Day,
    measures: TextTable,
    sources: TextTable,
    first_code: String,
    last: Option<Last>,
    open: Open,
    rows: u64,
    codes: Vec<u8>,
    subjects: usize,
    group_counts: Vec<u8>,
    groups_of_subject: usize,
    group_measures: Vec<u8>,
    counts: Vec<u8>,
    sums: Vec<u8>,
    latest: Vec<u8>,
    blocks: Vec<u8>,
    block_count: usize,
    subjects_in_block: usize,
    columns: Columns,
    facts: Vec<u8>,
}

/// The last row.
#[derive(Debug, Clone)]
struct Last {
    code: String,
    measure: usize,
    day: Day,
    source: usize,
    reference: String,
}

/// What a row is the first of.
struct Begins {
    subject: bool,
    /// Its subject and measure.
    group: bool,
}

impl ChunkBuilder {
    /// A builder without rows, for a half-year.
    pub fn new(period: HalfYear) -> Self {
        Self {
            period,
            first_day: period.first_month().first_day(),
            last_day: period.last_month().last_day(),
            measures: TextTable::default(),
            sources: TextTable::default(),
            first_code: String::new(),
            last: None,
            open: Open { count: 0, sum: 0, latest: 0 },
            rows: 0,
            codes: Vec::new(),
            subjects: 0,
            group_counts: Vec::new(),
            groups_of_subject: 0,
            group_measures: Vec::new(),
            counts: Vec::new(),
            sums: Vec::new(),
            latest: Vec::new(),
            blocks: Vec::new(),
            block_count: 0,
            subjects_in_block: 0,
            columns: Columns::default(),
            facts: vec![VERSION],
        }
    }

    /// Whether a day is in the half-year.
    pub fn covers(&self, day: Day) -> bool {
        self.first_day <= day && day <= self.last_day
    }

    /// The number of facts so far.
    pub const fn rows(&self) -> u64 {
        self.rows
    }

    /// The size so far in bytes; the open block counts uncompressed.
    pub fn size(&self) -> usize {
        self.facts.len() + self.columns.size()
    }

    /// The code of the last row.
    pub fn code(&self) -> Option<&str> {
        self.last.as_ref().map(|last| last.code.as_str())
    }

    /// Adds a fact.
    pub fn push(&mut self, row: &Row<'_>) -> Result<(), Misplaced> {
        if !self.covers(row.day) {
            return Err(Misplaced);
        }
        let day = u8::try_from(row.day.days_since(self.first_day)).map_err(|_| Misplaced)?;
        let Begins { subject: new_subject, group: new_group } = self.begins(row)?;
        if new_subject {
            self.begin_subject(row.code);
        }
        let (measure, source) = (self.measures.index(row.measure), self.sources.index(row.source));
        if new_group {
            // Before the new group is counted: the open totals are of the group before it.
            self.close_group();
            self.groups_of_subject += 1;
            put_usize(&mut self.group_measures, measure);
        }
        self.open.count += 1;
        self.open.sum += i128::from(row.value_e4);
        self.open.latest = row.value_e4;
        self.columns.push(row, day, source);
        self.rows += 1;
        match &mut self.last {
            Some(last) => {
                (last.measure, last.day, last.source) = (measure, row.day, source);
                row.reference.clone_into(&mut last.reference);
            }
            // Not reached: `begin_subject` sets it for the first row.
            None => return Err(Misplaced),
        }
        Ok(())
    }

    /// What a row begins; an error if it does not come after the last one.
    fn begins(&self, row: &Row<'_>) -> Result<Begins, Misplaced> {
        let Some(last) = &self.last else { return Ok(Begins { subject: true, group: true }) };
        match last.code.as_str().cmp(row.code) {
            std::cmp::Ordering::Less => return Ok(Begins { subject: true, group: true }),
            std::cmp::Ordering::Greater => return Err(Misplaced),
            std::cmp::Ordering::Equal => {}
        }
        match self.measures.text(last.measure).cmp(row.measure) {
            std::cmp::Ordering::Less => return Ok(Begins { subject: false, group: true }),
            std::cmp::Ordering::Greater => return Err(Misplaced),
            std::cmp::Ordering::Equal => {}
        }
        let in_order = last.day < row.day
            || (last.day == row.day
                && (self.sources.text(last.source), last.reference.as_str()) <= (row.source, row.reference));
        if in_order { Ok(Begins { subject: false, group: false }) } else { Err(Misplaced) }
    }

    fn begin_subject(&mut self, code: &str) {
        self.close_group();
        self.close_subject();
        // Only between subjects: a block holds whole subjects, so that one block is read for one.
        if self.columns.size() >= BLOCK_BYTES {
            self.close_block();
        }
        self.subjects += 1;
        self.subjects_in_block += 1;
        let before = self.code().unwrap_or_default();
        let shared = shared_prefix(before, code);
        put_usize(&mut self.codes, shared);
        put_text(&mut self.codes, code.get(shared..).unwrap_or_default());
        if self.first_code.is_empty() {
            code.clone_into(&mut self.first_code);
        }
        self.last = Some(Last {
            code: code.to_owned(),
            // No index of any text: `push` sets it before anything compares with it.
            measure: usize::MAX,
            day: self.first_day,
            source: usize::MAX,
            reference: String::new(),
        });
    }

    fn close_group(&mut self) {
        let Open { count, sum, latest } = self.open;
        if count > 0 {
            put_u64(&mut self.counts, count);
            put_i128(&mut self.sums, sum);
            // Of a single fact the latest value is the sum, which is stored already.
            if count > 1 {
                put_i64(&mut self.latest, latest);
            }
        }
        self.open = Open { count: 0, sum: 0, latest: 0 };
    }

    fn close_subject(&mut self) {
        if self.groups_of_subject > 0 {
            put_usize(&mut self.group_counts, self.groups_of_subject);
            self.groups_of_subject = 0;
        }
    }

    fn close_block(&mut self) {
        if self.subjects_in_block > 0 {
            put_usize(&mut self.blocks, self.subjects_in_block);
            let length = self.columns.close(&mut self.facts);
            put_usize(&mut self.blocks, length);
            self.block_count += 1;
            self.subjects_in_block = 0;
        }
    }

    /// The chunk; `None` if no fact was added.
    pub fn finish(mut self) -> Option<Chunk> {
        self.close_group();
        self.close_subject();
        self.close_block();
        let last_code = self.last?.code;
        let mut raw = Vec::new();
        self.measures.put(&mut raw);
        self.sources.put(&mut raw);
        put_usize(&mut raw, self.subjects);
        // This order is part of the format.
        for column in [&self.codes, &self.group_counts, &self.group_measures, &self.counts, &self.sums, &self.latest] {
            put_usize(&mut raw, column.len());
            raw.extend_from_slice(column);
        }
        put_usize(&mut raw, self.block_count);
        raw.extend_from_slice(&self.blocks);
        let mut totals = vec![VERSION];
        pack(&mut totals, &raw);
        let digest = Chunk::digest_of(&totals, &self.facts);
        Some(Chunk {
            period: self.period,
            first_code: self.first_code,
            last_code,
            rows: self.rows,
            totals,
            facts: self.facts,
            digest,
        })
    }
}

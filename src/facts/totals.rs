//! Reads the `totals` part of a chunk: number, sum and latest value by subject and measure.

use super::{
    Damaged,
    build::VERSION,
    bytes::{Reader, unpack},
};

/// Totals of the facts of one subject and one measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Index of the measure in [`Totals::measures`].
    pub measure: usize,
    /// Number of facts.
    pub count: u64,
    /// Their sum in ten-thousandths.
    pub sum: i128,
    /// The latest value; of several on one day, that of the greatest source and then the greatest reference.
    pub latest: i64,
}

/// The size of a block of facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockSize {
    pub(super) subjects: usize,
    /// Compressed length.
    pub(super) bytes: usize,
}

/// The totals of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    measures: Vec<String>,
    pub(super) sources: Vec<String>,
    /// All codes, one after the other.
    codes: String,
    /// The end of each code.
    code_ends: Vec<usize>,
    groups: Vec<Group>,
    /// The end of each subject's groups.
    group_ends: Vec<usize>,
    /// The blocks of the `facts` part.
    pub(super) blocks: Vec<BlockSize>,
}

fn texts(reader: &mut Reader<'_>) -> Result<Vec<String>, Damaged> {
    let count = reader.count()?;
    (0..count).map(|_| reader.text().map(str::to_owned)).collect()
}

impl Totals {
    /// Reads a `totals` part.
    pub fn read(part: &[u8]) -> Result<Self, Damaged> {
        let [VERSION, packed @ ..] = part else { return Err(Damaged("it has an unknown version")) };
        let raw = unpack(packed)?;
        let mut reader = Reader(&raw);
        let (measures, sources) = (texts(&mut reader)?, texts(&mut reader)?);
        let subjects = reader.count()?;
        let (codes, code_ends) = read_codes(reader.part()?, subjects)?;
        let mut group_counts = reader.part()?;
        let mut group_ends = Vec::with_capacity(subjects);
        let mut end = 0usize;
        for _ in 0..subjects {
            end = end.saturating_add(group_counts.usize()?);
            group_ends.push(end);
        }
        let mut columns = [reader.part()?, reader.part()?, reader.part()?, reader.part()?];
        let groups = read_groups(&mut columns, end, measures.len())?;
        let count = reader.count()?;
        let block = |_| Ok(BlockSize { subjects: reader.usize()?, bytes: reader.usize()? });
        let blocks: Vec<BlockSize> = (0..count).map(block).collect::<Result<_, Damaged>>()?;
        let in_blocks = blocks.iter().fold(0usize, |sum, block| sum.saturating_add(block.subjects));
        let left = !reader.is_empty() || !group_counts.is_empty() || columns.iter().any(|column| !column.is_empty());
        // No builder leaves bytes behind: the part was changed.
        if in_blocks != subjects || left {
            return Err(Damaged("its parts do not fit together"));
        }
        Ok(Self { measures, sources, codes, code_ends, groups, group_ends, blocks })
    }

    /// The ids of the measures.
    pub fn measures(&self) -> &[String] {
        &self.measures
    }

    /// The number of subjects.
    pub fn len(&self) -> usize {
        self.code_ends.len()
    }

    /// Whether there are no subjects.
    pub fn is_empty(&self) -> bool {
        self.code_ends.is_empty()
    }

    /// The code of a subject.
    pub fn code(&self, at: usize) -> &str {
        let start = at.checked_sub(1).and_then(|before| self.code_ends.get(before)).copied().unwrap_or(0);
        self.code_ends.get(at).and_then(|end| self.codes.get(start..*end)).unwrap_or_default()
    }

    /// The totals of a subject, sorted by measure.
    pub fn groups(&self, at: usize) -> &[Group] {
        let start = at.checked_sub(1).and_then(|before| self.group_ends.get(before)).copied().unwrap_or(0);
        self.group_ends.get(at).and_then(|end| self.groups.get(start..*end)).unwrap_or_default()
    }

    /// The index of a subject.
    pub fn find(&self, code: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.code(middle).cmp(code) {
                std::cmp::Ordering::Equal => return Some(middle),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        None
    }

    /// The number of facts of a subject.
    pub(super) fn facts(&self, at: usize) -> u64 {
        self.groups(at).iter().fold(0, |sum, group| sum.saturating_add(group.count))
    }
}

fn read_codes(mut reader: Reader<'_>, subjects: usize) -> Result<(String, Vec<usize>), Damaged> {
    let mut codes = String::new();
    let mut ends = Vec::with_capacity(subjects);
    let mut before = 0..0usize;
    for _ in 0..subjects {
        let shared = reader.usize()?;
        let suffix = reader.text()?;
        let prefix_end = before.start.checked_add(shared).filter(|end| *end <= before.end);
        // Of a damaged chunk it may be within a character.
        let prefix_end = prefix_end.filter(|end| codes.is_char_boundary(*end));
        let prefix_end = prefix_end.ok_or(Damaged("a code shares more than the one before has"))?;
        let start = codes.len();
        codes.extend_from_within(before.start..prefix_end);
        codes.push_str(suffix);
        // `find` searches by halves, and would miss subjects among codes that are not in order.
        if codes.get(before.clone()) >= codes.get(start..) && !ends.is_empty() {
            return Err(Damaged("its codes are not in order"));
        }
        before = start..codes.len();
        ends.push(codes.len());
    }
    if reader.is_empty() { Ok((codes, ends)) } else { Err(Damaged("its parts do not fit together")) }
}

fn read_groups(columns: &mut [Reader<'_>; 4], count: usize, measure_count: usize) -> Result<Vec<Group>, Damaged> {
    let [measures, counts, sums, latest] = columns;
    // A group takes at least one byte, so the data bounds the capacity below.
    if count > measures.0.len() {
        return Err(Damaged("a count is larger than the data"));
    }
    let mut groups = Vec::with_capacity(count);
    for _ in 0..count {
        let measure = measures.usize()?;
        let (count, sum) = (counts.u64()?, sums.i128()?);
        let latest =
            if count > 1 { latest.i64()? } else { i64::try_from(sum).map_err(|_| Damaged("a value is too large"))? };
        if measure >= measure_count || count == 0 {
            return Err(Damaged("a group is of no measure, or of no facts"));
        }
        groups.push(Group { measure, count, sum, latest });
    }
    Ok(groups)
}

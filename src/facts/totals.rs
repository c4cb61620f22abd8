//! The first part of a chunk: what the facts of each subject and measure add up to.

use super::{
    Damaged,
    build::VERSION,
    bytes::{Reader, unpack},
};

/// The facts of one subject and one measure in the half-year.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The measure, by its place in [`Totals::measures`].
    pub measure: usize,
    /// How many facts.
    pub count: u64,
    /// What they add up to, in ten-thousandths.
    pub sum: i128,
    /// The latest value; of several on one day that of the greatest source, then reference.
    pub latest: i64,
}

/// The part, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Totals {
    measures: Vec<String>,
    pub(super) sources: Vec<String>,
    /// Every code, one after the other, and where each begins and ends.
    codes: String,
    code_ends: Vec<usize>,
    groups: Vec<Group>,
    /// Where each subject's groups end.
    group_ends: Vec<usize>,
    /// Of each block: how many subjects, and how many bytes.
    pub(super) blocks: Vec<(usize, usize)>,
}

fn words(reader: &mut Reader<'_>) -> Result<Vec<String>, Damaged> {
    let count = reader.count()?;
    (0..count).map(|_| reader.text().map(str::to_owned)).collect()
}

impl Totals {
    /// Reads the part.
    pub fn read(part: &[u8]) -> Result<Self, Damaged> {
        let [VERSION, packed @ ..] = part else { return Err(Damaged("it has an unknown version")) };
        let raw = unpack(packed)?;
        let mut reader = Reader(&raw);
        let (measures, sources) = (words(&mut reader)?, words(&mut reader)?);
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
        let blocks: Vec<(usize, usize)> =
            (0..count).map(|_| Ok((reader.usize()?, reader.usize()?))).collect::<Result<_, Damaged>>()?;
        let in_blocks = blocks.iter().fold(0usize, |sum, (subjects, _)| sum.saturating_add(*subjects));
        let left = !reader.is_empty() || !group_counts.is_empty() || columns.iter().any(|column| !column.is_empty());
        if in_blocks != subjects || left {
            return Err(Damaged("its parts do not fit together"));
        }
        Ok(Self { measures, sources, codes, code_ends, groups, group_ends, blocks })
    }

    /// The measures, by place.
    pub fn measures(&self) -> &[String] {
        &self.measures
    }

    /// How many subjects there are.
    pub fn len(&self) -> usize {
        self.code_ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.code_ends.is_empty()
    }

    /// The code of a subject.
    pub fn code(&self, at: usize) -> &str {
        let start = at.checked_sub(1).and_then(|before| self.code_ends.get(before)).copied().unwrap_or(0);
        self.code_ends.get(at).and_then(|end| self.codes.get(start..*end)).unwrap_or_default()
    }

    /// The groups of a subject, by measure id.
    pub fn groups(&self, at: usize) -> &[Group] {
        let start = at.checked_sub(1).and_then(|before| self.group_ends.get(before)).copied().unwrap_or(0);
        self.group_ends.get(at).and_then(|end| self.groups.get(start..*end)).unwrap_or_default()
    }

    /// Where a subject stands.
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

    /// How many facts a subject has.
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
        let prefix = prefix_end.and_then(|end| codes.get(before.start..end)).map(str::to_owned);
        let start = codes.len();
        codes.push_str(&prefix.ok_or(Damaged("a code begins with more than there was"))?);
        codes.push_str(suffix);
        if codes.get(before.clone()) >= codes.get(start..) && !ends.is_empty() {
            return Err(Damaged("its codes are not in order"));
        }
        before = start..codes.len();
        ends.push(codes.len());
    }
    if reader.is_empty() { Ok((codes, ends)) } else { Err(Damaged("its parts do not fit together")) }
}

fn read_groups(columns: &mut [Reader<'_>; 4], count: usize, known: usize) -> Result<Vec<Group>, Damaged> {
    let [measures, counts, sums, latest] = columns;
    if count > measures.0.len() {
        return Err(Damaged("it counts more than it holds"));
    }
    let mut groups = Vec::with_capacity(count);
    for _ in 0..count {
        let measure = measures.usize()?;
        let (count, sum) = (counts.u64()?, sums.i128()?);
        let latest =
            if count > 1 { latest.i64()? } else { i64::try_from(sum).map_err(|_| Damaged("a value is too large"))? };
        if measure >= known || count == 0 {
            return Err(Damaged("a group is of no measure, or of no facts"));
        }
        groups.push(Group { measure, count, sum, latest });
    }
    Ok(groups)
}

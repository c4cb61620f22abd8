//! The lines of a file that are no rows: each is counted with the reason why it was skipped, so that no line is lost.

use std::collections::BTreeMap;

use super::{
    heading::{is_row_number, recognise},
    layout::Layout,
};
use crate::domain::words::words;

/// Line numbers that a report names for each reason.
const MOST_NAMED: usize = 5;

words! {
    /// Why a line of a file is no row.
    SkipReason: "reason of a skipped line" {
        /// A title above the header.
        Title = "title",
        /// The header once more, or its names in the other language.
        Header = "header",
        /// A line without any value.
        Blank = "blank",
        /// A line of sums, such as 合计.
        Total = "total",
        /// The mark with which old programs end a file, U+001A.
        EndMark = "end_mark",
    }
}

/// The lines that were skipped for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SkippedLines {
    /// How many there are.
    pub count: u64,
    /// The first of them.
    pub first: Vec<u64>,
}

/// The lines of a file that were skipped.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Skips(BTreeMap<SkipReason, SkippedLines>);

impl Skips {
    /// Counts a line.
    pub(super) fn add(&mut self, reason: SkipReason, line: u64) {
        self.add_all(reason, line, 1);
    }

    /// Counts `count` lines from `line` on.
    pub(super) fn add_all(&mut self, reason: SkipReason, line: u64, count: u64) {
        if count == 0 {
            return;
        }
        let lines = self.0.entry(reason).or_default();
        lines.count += count;
        lines.name(line..line.saturating_add(count));
    }

    /// Adds those of another part of the file, which comes later.
    pub(super) fn extend(&mut self, later: Self) {
        for (reason, lines) in later.0 {
            let all = self.0.entry(reason).or_default();
            all.count += lines.count;
            all.name(lines.first.into_iter());
        }
    }

    /// How many lines were skipped.
    pub fn total(&self) -> u64 {
        self.0.values().map(|lines| lines.count).sum()
    }

    /// The skipped lines of each reason.
    pub fn iter(&self) -> impl Iterator<Item = (SkipReason, &SkippedLines)> {
        self.0.iter().map(|(reason, lines)| (*reason, lines))
    }

    /// The number of lines that were skipped for a reason.
    pub fn count(&self, reason: SkipReason) -> u64 {
        self.0.get(&reason).map_or(0, |lines| lines.count)
    }
}

impl SkippedLines {
    fn name(&mut self, lines: impl Iterator<Item = u64>) {
        self.first.extend(lines.take(MOST_NAMED));
        self.first.sort_unstable();
        self.first.truncate(MOST_NAMED);
    }
}

/// The lines of a file, for the comparison with its rows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Lines {
    /// How many there are, the header included.
    pub(super) read: u64,
    /// Those that its reader skipped.
    pub(super) skipped: Skips,
}

/// Words that begin a line of sums.
const TOTALS: &[&str] = &["合计", "总计", "小计", "共计", "总合计", "本页合计", "本页小计", "本月合计"];

/// Why a line is no row, if it is none.
pub(super) fn reason_to_skip(record: &csv::StringRecord, layout: &Layout) -> Option<SkipReason> {
    let mut filled = record.iter().enumerate().filter(|(_, field)| !field.trim().is_empty());
    let Some((at, first)) = filled.next() else { return Some(SkipReason::Blank) };
    // Forms have their rows numbered before they are filled in.
    if layout.has_number_at(at) && filled.next().is_none() {
        return Some(SkipReason::Blank);
    }
    match first.as_bytes().first() {
        Some(0x1a) if record.len() == 1 && first.trim_end() == "\u{1a}" => return Some(SkipReason::EndMark),
        // Words of ASCII are values, unless they name their own column.
        Some(byte) if byte.is_ascii() && !byte.is_ascii_whitespace() && *byte != b'*' => {
            let column = layout.column_at(at).map(|column| layout.name(column));
            return (column == Some(first.trim()) && is_header_again(record, layout)).then_some(SkipReason::Header);
        }
        _ => {}
    }
    let compact: String = first.chars().filter(|c| !c.is_whitespace()).collect();
    if TOTALS.contains(&compact.trim_end_matches([':', '：'])) {
        return Some(SkipReason::Total);
    }
    is_header_again(record, layout).then_some(SkipReason::Header)
}

/// Whether every field names its own column.
fn is_header_again(record: &csv::StringRecord, layout: &Layout) -> bool {
    let mut fields = record.iter().enumerate().filter(|(_, field)| !field.trim().is_empty());
    record.len() <= layout.width()
        && fields.all(|(at, field)| {
            let named = recognise(layout.template(), field);
            named.is_some_and(|named| layout.position(named.column) == Some(at))
                || (layout.has_number_at(at) && is_row_number(field))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::importing::Template;

    fn reason(text: &str) -> Option<SkipReason> {
        reason_with(["主体编码", "开户行行号", "银行账号", "启用日期"], text)
    }

    fn reason_with<const N: usize>(header: [&str; N], text: &str) -> Option<SkipReason> {
        let header: Vec<String> = header.map(str::to_owned).into();
        let layout = Layout::of(Template::Accounts, &header).unwrap();
        reason_to_skip(&text.split(',').collect(), &layout)
    }

    #[test]
    fn lines_that_are_no_rows_have_a_reason() {
        assert_eq!(reason(",,,"), Some(SkipReason::Blank));
        assert_eq!(reason(" ,\u{3000},,"), Some(SkipReason::Blank));
        assert_eq!(reason("合 计,,100,"), Some(SkipReason::Total));
        assert_eq!(reason(",总计：,100,"), Some(SkipReason::Total));
        assert_eq!(reason("subject_code,bank_code,account_number,valid_from_on"), Some(SkipReason::Header));
        assert_eq!(reason("主体编码,开户行行号,银行账号,启用日期"), Some(SkipReason::Header));
        assert_eq!(reason("\u{1a}"), Some(SkipReason::EndMark));
        for row in ["H33030200090,1,2,2025-01-01", "合计医院,1,2,3", "subject_code,1,2,3", ",,100,", "\u{1a},,,"] {
            assert_eq!(reason(row), None, "{row}");
        }
    }

    #[test]
    fn the_numbers_of_rows_make_no_row() {
        let reason = |text| reason_with(["序号", "主体编码", "开户行行号", "银行账号", "启用日期"], text);
        assert_eq!(reason("7,,,,"), Some(SkipReason::Blank));
        assert_eq!(reason("合计,,,100,"), Some(SkipReason::Total));
        assert_eq!(reason("序号,主体编码,开户行行号,银行账号,启用日期"), Some(SkipReason::Header));
        assert_eq!(reason("7,H33030200090,1,2,2025-01-01"), None);
    }

    #[test]
    fn the_first_lines_of_each_reason_are_named() {
        let mut skips = Skips::default();
        skips.add_all(SkipReason::Blank, 7, 1_000_000);
        skips.add(SkipReason::Total, 3);
        let mut other = Skips::default();
        other.add(SkipReason::Blank, 2);
        skips.extend(other);
        assert_eq!(skips.total(), 1_000_002);
        let blank = skips.iter().find(|(reason, _)| *reason == SkipReason::Blank).unwrap().1;
        assert_eq!((blank.count, blank.first.as_slice()), (1_000_001, [2, 7, 8, 9, 10].as_slice()));
    }
}

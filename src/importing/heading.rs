//! Recognises the row of a file that names its columns, in English or in Chinese.

use super::Template;
use super::template::table::{Column, ValueKind};

/// Rows above the header that a file may have: a title, the period, the sender.
pub(super) const MOST_TITLES: usize = 20;

/// The unit that a header declares for its amounts. Without one, a column in English is in the unit of its name; a
/// column in Chinese must declare one, because nothing else says which it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// 分.
    Fen,
    /// 元.
    Yuan,
    /// 万元.
    TenThousandYuan,
}

impl Unit {
    fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "分" => Self::Fen,
            "元" => Self::Yuan,
            "万元" => Self::TenThousandYuan,
            _ => return None,
        })
    }

    /// The unit as headers write it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Fen => "分",
            Self::Yuan => "元",
            Self::TenThousandYuan => "万元",
        }
    }

    /// The decimals that an amount may have in this unit.
    pub(super) const fn decimals(self) -> usize {
        match self {
            Self::Fen => 0,
            Self::Yuan => 2,
            Self::TenThousandYuan => 6,
        }
    }
}

/// A cell of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Heading {
    /// The column of the template.
    pub(super) column: usize,
    /// The declared unit.
    pub(super) unit: Option<Unit>,
    /// Whether the name is the English one.
    pub(super) english: bool,
}

/// The column that a cell of a header names.
pub(super) fn recognise(template: Template, cell: &str) -> Option<Heading> {
    let table = template.table();
    let cell = cell.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if cell.is_empty() {
        return None;
    }
    // Most headers are the English names.
    if let Some(column) = table.iter().position(|column| column.name == cell) {
        return Some(Heading { column, unit: None, english: true });
    }
    // Both names in one cell, on two lines: they must agree.
    if let Some((first, second)) = cell.split_once('\n') {
        let (first, second) = (recognise(template, first)?, recognise(template, second)?);
        let unit = first.unit.or(second.unit);
        return (first.column == second.column).then_some(Heading { unit, english: false, ..first });
    }
    let compact: String = cell.chars().filter(|c| !c.is_whitespace() && !matches!(c, '*' | '＊')).collect();
    let (name, unit) = split_unit(&compact)?;
    let names = |column: &Column| column.zh == name || column.also.contains(&name) || column.name == name;
    let column = table.iter().position(names)?;
    let found = table.get(column)?;
    let fits = match (found.kind, unit) {
        (_, None) => true,
        // The name in English says that the column is in fen.
        (ValueKind::Amount, Some(unit)) => found.name != name || unit == Unit::Fen,
        (ValueKind::Number, Some(unit)) => unit != Unit::Fen,
        _ => false,
    };
    fits.then_some(Heading { column, unit, english: found.name == name })
}

/// Whether a cell of a header names the numbers of rows, which say nothing about their subject.
pub(super) fn is_row_number(cell: &str) -> bool {
    cell.chars().filter(|c| !c.is_whitespace()).eq("序号".chars())
}

/// Divides `金额(万元)` into its name and its unit. `None` if the brackets have anything else.
fn split_unit(text: &str) -> Option<(&str, Option<Unit>)> {
    let Some(at) = text.find(['(', '（']) else { return Some((text, None)) };
    let (name, rest) = text.split_at(at);
    let inner = rest.strip_prefix(['(', '（'])?.strip_suffix([')', '）'])?;
    let inner = inner.trim_start_matches("单位").trim_start_matches([':', '：']);
    match inner {
        "必填" | "选填" | "可选" | "可空" => Some((name, None)),
        _ => Some((name, Some(Unit::parse(inner)?))),
    }
}

/// Whether a row is a header: at least two cells, and at least half of those that are not empty, name columns.
pub(super) fn is_header<'a>(template: Template, cells: impl Iterator<Item = &'a str>) -> bool {
    let (mut known, mut filled) = (0usize, 0usize);
    for cell in cells.filter(|cell| !cell.trim().is_empty()) {
        filled += 1;
        known += usize::from(recognise(template, cell).is_some());
    }
    known >= 2 && known * 2 >= filled
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(template: Template, cell: &str) -> Option<(&'static str, Option<Unit>)> {
        let heading = recognise(template, cell)?;
        Some((template.all_columns()[heading.column], heading.unit))
    }

    #[test]
    fn columns_are_named_in_either_language_with_marks_spaces_and_units() {
        let subjects = |cell| named(Template::Subjects, cell).map(|(name, _)| name);
        assert_eq!(subjects("uscc"), Some("uscc"));
        assert_eq!(subjects(" 统一社会 信用代码 "), Some("uscc"));
        assert_eq!(subjects("*名称（必填）"), Some("name"));
        assert_eq!(subjects("统一社会信用代码\nuscc"), Some("uscc"));
        assert_eq!(subjects("统一社会信用代码\nname"), None);
        assert_eq!(subjects("备注"), None);
        let settlements = |cell| named(Template::Settlements, cell);
        assert_eq!(settlements("结算金额(万元)"), Some(("settled_fen", Some(Unit::TenThousandYuan))));
        assert_eq!(settlements("结算金额（单位：元）"), Some(("settled_fen", Some(Unit::Yuan))));
        assert_eq!(settlements("settled_fen(万元)"), None, "the name says fen");
        assert_eq!(settlements("人次(元)"), None);
        assert_eq!(named(Template::Records, "金额(万元)"), Some(("value", Some(Unit::TenThousandYuan))));
    }

    #[test]
    fn a_title_is_no_header() {
        let cells = |text: &'static str| text.split(',');
        assert!(is_header(Template::Accounts, cells("主体编码,开户行行号,银行账号,启用日期")));
        assert!(is_header(Template::Accounts, cells("subject_code,bank_code,account,valid_from")));
        assert!(!is_header(Template::Accounts, cells("2026年3月结算账户,,,")));
        assert!(!is_header(Template::Accounts, cells("H33030200090,10210000000012,622,2025-01-01")));
    }
}

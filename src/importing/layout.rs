//! How the columns of a file correspond to those of its template.

use super::{
    ImportError, Template,
    heading::{Heading, Unit, is_header, is_row_number, recognise},
    template::table::ValueKind,
};

/// Longest name of an unknown column that an error repeats, in characters.
const MOST_SHOWN: usize = 20;

/// The position in the file of each column of the template.
#[derive(Debug)]
pub(super) struct Layout {
    template: Template,
    /// The position of each column in the file, in the template's order.
    positions: Vec<usize>,
    /// The unit that the header declares for each column.
    units: Vec<Option<Unit>>,
    /// Positions without a name in the header: their fields must be empty.
    unnamed: Vec<usize>,
    /// Positions of the numbers of rows (序号), which are ignored.
    numbers: Vec<usize>,
    /// How many columns the file has.
    width: usize,
}

impl Layout {
    /// Compares a header with the template. The error names every column that is missing, unknown or repeated, and every
    /// amount without a unit.
    pub(super) fn of(template: Template, header: &[String]) -> Result<Self, ImportError> {
        let headings: Vec<Option<Heading>> = header.iter().map(|cell| recognise(template, cell)).collect();
        let mut faults = Vec::new();
        let (mut positions, mut units) = (Vec::new(), Vec::new());
        for (nth, column) in template.table().iter().enumerate() {
            let mut found = headings.iter().enumerate().filter_map(|(at, heading)| {
                let heading = heading.filter(|heading| heading.column == nth)?;
                Some((at, heading))
            });
            match (found.next(), found.next()) {
                // A column that was left out is behind every field, and so reads as empty.
                (None, _) if template.may_omit(column.name) => {
                    positions.push(header.len());
                    units.push(None);
                }
                (None, _) => faults.push(format!("column {} is missing ({})", column.name, column.zh)),
                (Some(_), Some(_)) => {
                    faults.push(format!("column {} is there more than once ({})", column.name, column.zh));
                }
                (Some((at, heading)), None) => {
                    if column.kind == ValueKind::Amount && heading.unit.is_none() && !heading.english {
                        faults.push(format!(
                            "column {zh} does not say its unit: write {zh}(元), {zh}(万元) or {zh}(分)",
                            zh = column.zh
                        ));
                    }
                    positions.push(at);
                    units.push(heading.unit);
                }
            }
        }
        let is_empty = |cell: &str| cell.trim().is_empty();
        let unknown = |at: &usize| headings.get(*at).is_some_and(Option::is_none);
        let (unnamed, unknown): (Vec<usize>, Vec<usize>) =
            (0..header.len()).filter(unknown).partition(|at| header.get(*at).is_some_and(|cell| is_empty(cell)));
        let (numbers, unknown): (Vec<usize>, Vec<usize>) =
            unknown.into_iter().partition(|at| header.get(*at).is_some_and(|cell| is_row_number(cell)));
        let names_columns = is_header(template, header.iter().map(String::as_str));
        for at in unknown {
            let shown = header.get(at).filter(|name| can_be_shown(name, names_columns));
            faults.push(match shown {
                Some(name) => format!("column {name:?} is not known"),
                None => format!("column {} is not known", at + 1),
            });
        }
        // Collected first, so that one attempt shows everything that is wrong with the header.
        if !faults.is_empty() {
            return Err(ImportError::Header { template: template.as_str(), faults });
        }
        Ok(Self { template, positions, units, unnamed, numbers, width: header.len() })
    }

    /// The template.
    pub(super) const fn template(&self) -> Template {
        self.template
    }

    /// The position in the file of a column of the template.
    pub(super) fn position(&self, column: usize) -> Option<usize> {
        self.positions.get(column).copied()
    }

    /// The positions in the file of all columns of the template.
    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// Positions without a name in the header.
    pub(super) fn unnamed(&self) -> &[usize] {
        &self.unnamed
    }

    /// Whether the numbers of rows are at a position.
    pub(super) fn has_number_at(&self, position: usize) -> bool {
        self.numbers.contains(&position)
    }

    /// The unit that the header declares for a column.
    pub(super) fn unit(&self, column: usize) -> Option<Unit> {
        self.units.get(column).copied().flatten()
    }

    /// Whether every row is as the template has it: with its columns and no others, and without units of their own.
    pub(super) fn is_plain(&self) -> bool {
        self.unnamed.is_empty() && self.numbers.is_empty() && self.units.iter().all(Option::is_none)
    }

    /// How many fields each row must have.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// The name of a column of the template.
    pub(super) fn name(&self, column: usize) -> &'static str {
        self.template.all_columns().get(column).copied().unwrap_or_default()
    }

    /// The number of the column at a position in the file.
    pub(super) fn column_at(&self, position: usize) -> Option<usize> {
        self.positions.iter().position(|at| *at == position)
    }

    /// The name of the column at a position in the file.
    pub(super) fn name_at(&self, position: usize) -> &'static str {
        self.column_at(position).map_or("", |column| self.name(column))
    }
}

/// Whether an error may repeat a cell of a header. The row may be one with somebody's data: unless it surely names columns,
/// only text that could be a column's name in English is repeated.
fn can_be_shown(name: &str, names_columns: bool) -> bool {
    let word = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    word || (names_columns && name.chars().count() <= MOST_SHOWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    fn faults(template: Template, text: &str) -> Vec<String> {
        match Layout::of(template, &header(text)) {
            Err(ImportError::Header { faults, .. }) => faults,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn headers_in_chinese_and_columns_without_a_name_are_laid_out() {
        let layout = Layout::of(Template::Accounts, &header(",启用日期,银行账号,主体编码,开户行行号,")).unwrap();
        assert_eq!(layout.positions(), [3, 4, 2, 1]);
        assert_eq!(layout.unnamed(), [0, 5]);
        assert_eq!((layout.width(), layout.name_at(4), layout.name_at(5)), (6, "bank_code", ""));
        assert!(!layout.is_plain());
        let layout = Layout::of(Template::Accounts, &header("序 号,启用日期,银行账号,主体编码,开户行行号")).unwrap();
        assert!(layout.has_number_at(0) && !layout.has_number_at(1) && layout.unnamed().is_empty());
    }

    #[test]
    fn an_amount_without_a_unit_is_refused_and_named_with_the_remedy() {
        let text = "主体编码,结算月份,险种,人次,人数,总费用(元),申报金额(元),结算金额,拨付金额(元),预留考核保证金(元),\
                    不予支付金额(元),扣款金额(元),预拨付金额(元),冲抵金额(元),应付金额(万元),结算状态,数据截止日期,经办人";
        let found = faults(Template::Settlements, text);
        assert_eq!(
            found,
            [
                "column 结算金额 does not say its unit: write 结算金额(元), 结算金额(万元) or 结算金额(分)",
                "column \"经办人\" is not known",
            ]
        );
    }

    #[test]
    fn a_row_of_data_in_the_place_of_the_header_is_not_repeated() {
        let found = faults(Template::Accounts, "H33030200090,合成甲,6222021203000000017,2025-01-01");
        assert!(found.iter().all(|fault| !fault.contains("合成甲") && !fault.contains("6222")), "{found:?}");
    }
}

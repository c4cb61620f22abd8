//! The report as a workbook: one sheet with the findings, and one with the rows to fix, as the template has them.

use std::{
    fs::File,
    io::{self, BufReader, Read as _},
    path::Path,
};

use rust_xlsxwriter::{Color, DocProperties, ExcelDateTime, Format, Workbook, Worksheet, XlsxError};

use crate::domain::Timestamp;

/// The columns of a report before those of the file.
pub(super) const REPORT_COLUMNS: [&str; 10] = [
    "行号 line",
    "列 column",
    "问题 problem",
    "说明 message",
    "改正办法",
    "how to fix",
    "处理 severity",
    "代码 code",
    "机构代码 institution_code",
    "机构名称 institution_name",
];

/// Most rows of a sheet. A sheet can have ten times as many, which no office works through by hand.
const MOST_ROWS: u32 = 100_000;

/// The names of the sheets.
const FINDINGS_SHEET: &str = "问题清单";
const ROWS_SHEET: &str = "待改正行";

/// The last row of a sheet that does not have all.
const MORE: &str = "其余各行见CSV报告（--rejects FILE.csv）。 More rows are in the CSV report: --rejects FILE.csv.";

/// Makes a workbook of a report in CSV. Rows are written as they are read, so its memory does not depend on their number.
pub(super) fn convert(csv: &Path, workbook: &Path, now: Timestamp) -> io::Result<()> {
    let mut book = Workbook::new();
    let at = ExcelDateTime::from_timestamp(now.seconds()).map_err(failed)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&at));
    for (which, name) in [(Sheet::Findings, FINDINGS_SHEET), (Sheet::Rows, ROWS_SHEET)] {
        let sheet = book.add_worksheet_with_constant_memory().map_err(failed)?;
        fill(sheet.set_name(name).map_err(failed)?, csv, which)?;
    }
    book.save(workbook).map_err(failed)
}

fn failed(error: XlsxError) -> io::Error {
    io::Error::other(error)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sheet {
    /// Everything that the CSV has.
    Findings,
    /// The columns of the file, with each rejected row once.
    Rows,
}

impl Sheet {
    /// The cells of a row of the CSV that the sheet has; none if it does not have the row.
    fn cells(self, record: &csv::StringRecord, header: bool) -> Option<impl Iterator<Item = &str>> {
        let (first, has) = match self {
            Self::Findings => (0, true),
            // The row is beside its first finding, and rejects come first.
            Self::Rows => {
                let row = record.iter().skip(REPORT_COLUMNS.len()).any(|cell| !cell.is_empty());
                (REPORT_COLUMNS.len(), header || row && record.get(SEVERITY).is_some_and(is_reject))
            }
        };
        has.then(|| record.iter().skip(first))
    }
}

/// The position of the severity among the report's columns.
const SEVERITY: usize = 6;

fn is_reject(severity: &str) -> bool {
    severity.ends_with("reject")
}

fn fill(sheet: &mut Worksheet, csv: &Path, which: Sheet) -> io::Result<()> {
    let mut file = BufReader::new(File::open(csv)?);
    // The byte order mark would become a part of the first cell.
    file.read_exact(&mut [0; 3])?;
    // A rejected row may have more fields than the header.
    let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(file);
    let (text, head) = (Format::new().set_num_format("@"), head());
    let widths: &[(u16, f64)] = match which {
        Sheet::Findings => &[(2, 24.0), (3, 44.0), (4, 44.0), (5, 44.0), (9, 28.0)],
        Sheet::Rows => &[],
    };
    for (column, width) in widths {
        sheet.set_column_width(*column, *width).map_err(failed)?;
    }
    sheet.set_freeze_panes(1, 0).map_err(failed)?;
    let (mut row, mut record) = (0u32, csv::StringRecord::new());
    while reader.read_record(&mut record)? {
        let Some(cells) = which.cells(&record, row == 0) else { continue };
        if row > MOST_ROWS {
            sheet.write_string(row, 0, MORE).map_err(failed)?;
            return Ok(());
        }
        for (column, cell) in (0u16..).zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            // As text, so that the program that opens the sheet turns no code into a number: a text is no formula either.
            let format = if row == 0 { &head } else { &text };
            sheet.write_string_with_format(row, column, plain(cell), format).map_err(failed)?;
        }
        row += 1;
    }
    Ok(())
}

fn head() -> Format {
    Format::new().set_bold().set_background_color(Color::RGB(0x00E7_E6E6))
}

/// A cell without the apostrophe that keeps a text of CSV from being a formula.
fn plain(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if rest.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '＝', '＋', '－', '＠']) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rejected_row_is_once_among_the_rows_to_fix() {
        let row = |severity: &str, cells: [&str; 2]| {
            let mut row = vec![""; REPORT_COLUMNS.len()];
            row[SEVERITY] = severity;
            row.extend(cells);
            csv::StringRecord::from(row)
        };
        let cells = |record: &csv::StringRecord, header| {
            Sheet::Rows.cells(record, header).map(|cells| cells.map(str::to_owned).collect::<Vec<_>>())
        };
        assert_eq!(cells(&row("处理 severity", ["a", "b"]), true).unwrap(), ["a", "b"]);
        assert_eq!(cells(&row("退回 reject", ["1", ""]), false).unwrap(), ["1", ""]);
        assert_eq!(cells(&row("退回 reject", ["", ""]), false), None, "a further finding of a row");
        assert_eq!(cells(&row("提示 warning", ["1", ""]), false), None);
        assert_eq!(Sheet::Findings.cells(&row("提示 warning", ["1", ""]), false).unwrap().count(), 12);
        assert_eq!((plain("'=1"), plain("'x"), plain("-1")), ("=1", "'x", "-1"));
    }

    #[test]
    fn a_report_becomes_a_workbook_with_the_same_bytes_at_the_same_time() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        let header = REPORT_COLUMNS.join(",");
        std::fs::write(at("a.csv"), format!("\u{feff}{header},value\n2,,,,,,退回 reject,,,,-1,more\n")).unwrap();
        for name in ["a.xlsx", "b.xlsx"] {
            convert(&at("a.csv"), &at(name), Timestamp::from_seconds(1_775_000_000)).unwrap();
        }
        let bytes = std::fs::read(at("a.xlsx")).unwrap();
        assert!(bytes.starts_with(b"PK") && bytes.len() > 2_000);
        assert_eq!(bytes, std::fs::read(at("b.xlsx")).unwrap());
        assert!(convert(&at("missing.csv"), &at("c.xlsx"), Timestamp::from_seconds(0)).is_err());
    }
}

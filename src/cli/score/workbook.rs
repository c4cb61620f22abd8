//! Lists as an Excel workbook.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook};

use super::sheet::{Cell, Sheet};
use crate::domain::Timestamp;

/// A workbook with a sheet for each list: headings stay in view and have filters. Codes are texts, so that Excel changes no
/// digit of them.
pub(super) fn workbook(sheets: &[Sheet], now: Timestamp) -> anyhow::Result<Vec<u8>> {
    let mut book = Workbook::new();
    // By the injected clock: the same results at the same moment are the same file.
    let date = now.day().date();
    let day = ExcelDateTime::from_ymd(u16::try_from(date.year())?, u8::from(date.month()), date.day())?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&day));
    let bold = Format::new().set_bold();
    for sheet in sheets {
        let page = book.add_worksheet();
        page.set_name(sheet.name)?;
        page.set_freeze_panes(1, 0)?;
        for (column, head) in (0u16..).zip(&sheet.heads) {
            page.write_string_with_format(0, column, *head, &bold)?;
        }
        for (line, row) in (1u32..).zip(&sheet.rows) {
            for (column, cell) in (0u16..).zip(row) {
                match cell {
                    Cell::Number(digits) if digits.is_empty() => {}
                    // A double holds points of at most seven digits exactly enough to show them.
                    Cell::Number(digits) => drop(page.write_number(line, column, digits.parse::<f64>()?)?),
                    Cell::Text(text) => drop(page.write_string(line, column, text)?),
                }
            }
        }
        if let (Ok(last), Some(columns)) = (u32::try_from(sheet.rows.len()), sheet.heads.len().checked_sub(1)) {
            page.autofilter(0, 0, last, u16::try_from(columns)?)?;
        }
        page.autofit();
    }
    Ok(book.save_to_buffer()?)
}

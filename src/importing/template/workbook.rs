//! Writes the empty workbook of a template: its header with comments, an explanation of each column, and the values that
//! may be chosen, all from the table that imports use.

use rust_xlsxwriter::{
    Color, DataValidation, DocProperties, ExcelDateTime, Format, FormatAlign, Formula, Note, Workbook, Worksheet,
    XlsxError,
};

use super::{
    Template,
    table::{Column, ValueKind},
};
use crate::{
    domain::Day,
    importing::{ImportError, References},
    scoring::Catalogue,
};

/// Rows that are prepared for values.
const PREPARED_ROWS: u32 = 5_000;

/// The sheets behind the one that is filled in.
const EXPLANATIONS: &str = "填写说明";
const VALUES: &str = "取值";

/// What is said once for all columns.
const GENERAL: &[&str] = &[
    "只导入第一张工作表；表头上方可以有标题行，空行和“合计”行会被跳过并在报告中列出。",
    "列的顺序可以变动，列不可增删。数据从表头的下一行开始填写。",
    "编码、证件号码、账号请填在格式为“文本”的单元格里：Excel 只保留数字的前15位，其余变成0，这样的行会被拒绝。",
    "日期可写作 2026-03-31、2026/3/31、2026年3月31日 或日期单元格。可不填的列，空着或写“无”“-”“/”均可。",
    "金额的单位写在表头的括号里，可改为 (分)、(元) 或 (万元)；没有单位的表头会被拒绝。",
];

/// A choice of values: a title, and each value with its stored form.
struct Choice {
    title: &'static str,
    values: Vec<(String, String)>,
}

impl Template {
    /// The empty workbook, for the kinds and regions of a city that are in use today.
    pub fn workbook(self, references: &References, today: Day) -> Result<Vec<u8>, ImportError> {
        self.write(references, today).map_err(|error| ImportError::Template(Box::new(error)))
    }

    fn write(self, references: &References, today: Day) -> Result<Vec<u8>, XlsxError> {
        let mut workbook = Workbook::new();
        // Not the present moment, which the library would take from the system: the same template is the same file.
        let (year, month, of_month) = (today.date().year(), u8::from(today.date().month()), today.date().day());
        let created = ExcelDateTime::from_ymd(u16::try_from(year).unwrap_or(1900), month, of_month)?;
        workbook.set_properties(&DocProperties::new().set_title(self.title()).set_creation_datetime(&created));
        let choices: Vec<Option<Choice>> =
            self.table().iter().map(|column| Choice::of(column, references, today)).collect();
        self.write_data(workbook.add_worksheet(), &choices)?;
        self.write_explanations(workbook.add_worksheet())?;
        let values = workbook.add_worksheet().set_name(VALUES)?;
        write_choices(values, choices.iter().flatten())?;
        if self == Self::Records {
            write_measures(workbook.add_worksheet().set_name("指标")?, references)?;
        }
        workbook.save_to_buffer()
    }

    /// The sheet that is filled in.
    fn write_data(self, sheet: &mut Worksheet, choices: &[Option<Choice>]) -> Result<(), XlsxError> {
        sheet.set_name(self.title())?.set_freeze_panes(1, 0)?;
        let required = head().set_background_color(Color::RGB(0x00FF_F2CC));
        let optional = head().set_background_color(Color::RGB(0x00E7_E6E6));
        let mut lists = 0u16;
        for (at, (column, choice)) in (0u16..).zip(self.table().iter().zip(choices)) {
            let format = if column.optional { &optional } else { &required };
            sheet.write_string_with_format(0, at, column.header(), format)?;
            let note = format!("{}\n{}\n{}", column.name, if column.optional { "可不填" } else { "必填" }, column.note);
            sheet.insert_note(0, at, &Note::new(note).add_author_prefix(false).set_width(240).set_height(110))?;
            sheet.set_column_width(at, 18)?;
            if let Some(number_format) = column.cell_format() {
                sheet.set_column_format(at, &Format::new().set_num_format(number_format))?;
            }
            if let Some(choice) = choice {
                let letter = letter(lists * 2);
                lists += 1;
                let last = choice.values.len() + 1;
                let list = Formula::new(format!("={VALUES}!${letter}$2:${letter}${last}"));
                // A hint only: stored words and other names of a value are accepted too.
                let validation = DataValidation::new().allow_list_formula(list).show_error_message(false);
                sheet.add_data_validation(1, at, PREPARED_ROWS, at, &validation)?;
            }
        }
        Ok(())
    }

    fn write_explanations(self, sheet: &mut Worksheet) -> Result<(), XlsxError> {
        sheet.set_name(EXPLANATIONS)?;
        let wrapped = Format::new().set_text_wrap().set_align(FormatAlign::Top);
        for (at, (title, width)) in
            (0u16..).zip([("列", 20), ("英文名（CSV）", 24), ("是否必填", 10), ("说明", 60), ("其他可用的列名", 40)])
        {
            sheet.set_column_width(at, width)?.write_string_with_format(0, at, title, &head())?;
        }
        let mut row = 1;
        for column in self.table() {
            let also = column.also.join("、");
            let cells = [column.zh, column.name, if column.optional { "否" } else { "是" }, column.note, also.as_str()];
            for (at, cell) in (0u16..).zip(cells) {
                sheet.write_string_with_format(row, at, cell, &wrapped)?;
            }
            row += 1;
        }
        for text in GENERAL {
            row += 1;
            sheet.write_string(row, 0, *text)?;
        }
        Ok(())
    }
}

impl Column {
    /// The header as the workbook has it. People write amounts in yuan.
    fn header(&self) -> String {
        if self.kind == ValueKind::Amount { format!("{}(元)", self.zh) } else { self.zh.to_owned() }
    }

    /// The format of its cells. Texts keep what is typed.
    const fn cell_format(&self) -> Option<&'static str> {
        match self.kind {
            ValueKind::Text
            | ValueKind::Code
            | ValueKind::SubjectKind
            | ValueKind::Region
            | ValueKind::Measure
            | ValueKind::Month
            | ValueKind::Word(_) => Some("@"),
            ValueKind::Day => Some("yyyy-mm-dd"),
            ValueKind::Amount => Some("#,##0.00"),
            ValueKind::Number | ValueKind::Count => None,
        }
    }
}

impl Choice {
    fn of(column: &Column, references: &References, today: Day) -> Option<Self> {
        let values = match column.kind {
            ValueKind::Word(words) => words.iter().map(|word| (word.zh.to_owned(), word.id.to_owned())).collect(),
            ValueKind::SubjectKind => {
                references.kinds.iter().map(|kind| (kind.name.clone(), kind.id.clone())).collect()
            }
            ValueKind::Region => {
                let regions = references.regions.in_use(today);
                regions.map(|region| (region.name.clone(), region.code.to_string())).collect()
            }
            _ => return None,
        };
        Some(Self { title: column.zh, values })
    }
}

fn head() -> Format {
    Format::new().set_bold().set_text_wrap().set_align(FormatAlign::Top)
}

/// The letter of a column. There are fewer lists than letters.
fn letter(column: u16) -> char {
    char::from(b'A' + u8::try_from(column.min(25)).unwrap_or(25))
}

fn write_choices<'c>(sheet: &mut Worksheet, choices: impl Iterator<Item = &'c Choice>) -> Result<(), XlsxError> {
    for (nth, choice) in (0u16..).zip(choices) {
        let (shown, stored) = (nth * 2, nth * 2 + 1);
        sheet.set_column_width(shown, 22)?.set_column_width(stored, 22)?;
        sheet.write_string_with_format(0, shown, choice.title, &head())?;
        sheet.write_string_with_format(0, stored, "英文或代码", &head())?;
        for (row, (value, id)) in (1u32..).zip(&choice.values) {
            sheet.write_string(row, shown, value)?.write_string(row, stored, id)?;
        }
    }
    Ok(())
}

fn write_measures(sheet: &mut Worksheet, references: &References) -> Result<(), XlsxError> {
    for (at, (title, width)) in (0u16..).zip([("主体类型", 20), ("指标名称", 36), ("指标编码", 36), ("单位", 8)])
    {
        sheet.set_column_width(at, width)?.write_string_with_format(0, at, title, &head())?;
    }
    let mut row = 1;
    for kind in references.kinds.iter() {
        let measures = references.catalogues.get(&kind.id).map(Catalogue::measures).unwrap_or_default();
        for measure in measures {
            let cells = [&kind.name, &measure.name_zh, &measure.id, &measure.unit];
            for (at, cell) in (0u16..).zip(cells) {
                sheet.write_string(row, at, cell)?;
            }
            row += 1;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Reader, Xlsx};

    use super::*;
    use crate::importing::layout::Layout;

    #[test]
    fn the_header_of_each_workbook_fits_its_template_and_says_its_units() {
        let references = References::built_in(Vec::<Catalogue>::new()).unwrap();
        for template in Template::ALL.iter().copied() {
            let bytes = template.workbook(&references, "2026-04-01".parse().unwrap()).unwrap();
            let mut workbook = Xlsx::new(Cursor::new(bytes)).unwrap();
            let names = workbook.sheet_names();
            assert_eq!(names.first().map(String::as_str), Some(template.title()));
            let range = workbook.worksheet_range(template.title()).unwrap();
            let rows: Vec<Vec<String>> =
                range.rows().map(|row| row.iter().map(ToString::to_string).collect()).collect();
            assert_eq!(rows.len(), 1, "{template}: nothing but the header");
            assert!(Layout::of(template, &rows[0]).is_ok(), "{template}: {:?}", rows[0]);
        }
    }

    #[test]
    fn the_values_of_a_city_are_offered() {
        let references = References::built_in(Vec::<Catalogue>::new()).unwrap();
        let bytes = Template::Subjects.workbook(&references, "2026-04-01".parse().unwrap()).unwrap();
        let range = Xlsx::new(Cursor::new(bytes)).unwrap().worksheet_range(VALUES).unwrap();
        let all: Vec<String> = range.used_cells().map(|(_, _, cell)| cell.to_string()).collect();
        for value in ["定点医疗机构", "medical_institution", "鹿城区", "330302", "暂停", "suspended"] {
            assert!(all.iter().any(|cell| cell == value), "{value}");
        }
    }
}

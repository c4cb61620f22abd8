//! Excel workbooks as clerks save them.

use std::path::PathBuf;

use medcredit::importing::{ImportError, References, SkipReason, Template};
use medcredit::scoring::Catalogue;
use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook, Worksheet};

use super::{ImportHarness, SETTLEMENTS, SUBJECTS, THREE, month, stored_facts};
use crate::support::{TestStore, block_on, both_engines};

/// Writes rows of texts from a row on.
fn write_rows(sheet: &mut Worksheet, from: u32, text: &str) {
    for (row, line) in (from..).zip(text.lines()) {
        for (column, cell) in (0u16..).zip(line.split(',')) {
            if !cell.is_empty() {
                sheet.write_string(row, column, cell).unwrap();
            }
        }
    }
}

fn saved(harness: &ImportHarness, name: &str, mut workbook: Workbook) -> PathBuf {
    let path = harness.directory.path().join(name);
    workbook.save(&path).unwrap();
    path
}

both_engines! {
    a_workbook_of_subjects_is_imported_like_the_same_csv,
}

/// A clerk types the list of institutions into Excel and saves it.
async fn a_workbook_of_subjects_is_imported_like_the_same_csv(store: TestStore) {
    let harness = ImportHarness::new(store);
    let mut workbook = Workbook::new();
    write_rows(workbook.add_worksheet(), 0, &format!("{SUBJECTS}{THREE}"));
    let path = saved(&harness, "subjects.xlsx", workbook);
    let report = harness.import_file(Template::Subjects, &path).await.unwrap();
    assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
    assert_eq!(harness.subject("H33030200090").await.unwrap().name, "合成诊所");
    let again = harness.import_file(Template::Subjects, &path).await.unwrap();
    assert_eq!(again.import_seq, report.import_seq, "the same file is recognised");
}

#[test]
fn cells_of_dates_numbers_and_formulas_have_their_values_and_lines_are_those_of_excel() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        sheet.write_string(0, 0, "2026年第一季度信用信息").unwrap();
        write_rows(sheet, 2, "主体编码,指标,数值,发生日期,信息来源,文号");
        let day = Format::new().set_num_format("yyyy/m/d");
        let percent = Format::new().set_num_format("0.00%");
        let date = ExcelDateTime::from_ymd(2026, 1, 5).unwrap();
        for (row, code) in [(3, "H33030200090"), (5, "H33030200090"), (6, "H33030200099"), (7, "H33030200090")] {
            write_rows(sheet, row, &format!("{code},insurance_commendation,,,医保局,{row}"));
            sheet.write_number(row, 2, 1.0).unwrap();
            sheet.write_datetime_with_format(row, 3, &date, &day).unwrap();
        }
        // 100% is 1; the sum of decimals is not exactly 1; the day is a number that is not formatted as one.
        sheet.write_number_with_format(5, 2, 1.0, &percent).unwrap();
        sheet.write_formula(7, 2, Formula::new("=0.7+0.2+0.1").set_result("0.99999999999999989")).unwrap();
        sheet.write_number(7, 3, 46_028.0).unwrap();
        write_rows(sheet, 9, "合计,,4");
        let path = saved(&harness, "records.xlsx", workbook);
        let report = harness.import_file(Template::Records, &path).await.unwrap();
        assert_eq!(harness.findings(&report), ["7 subject_code subject_unknown reject"]);
        assert_eq!((report.rows, report.accepted), (4, 3));
        let skipped: Vec<_> = report.skipped.iter().map(|(reason, lines)| (reason, lines.first.clone())).collect();
        assert_eq!(
            skipped,
            [(SkipReason::Title, vec![1]), (SkipReason::Blank, vec![2, 5, 9]), (SkipReason::Total, vec![10])]
        );
        let stored = stored_facts(&harness.store, "H33030200090").await;
        assert!(stored.iter().all(|(_, fact)| fact.value_e4 == 10_000), "{stored:?}");
        let mut days: Vec<String> = stored.iter().map(|(_, fact)| fact.day.to_string()).collect();
        days.sort();
        assert_eq!(days, ["2026-01-05", "2026-01-05", "2026-01-06"]);
    });
}

#[test]
fn what_excel_changed_is_rejected_and_text_cells_are_taken_as_they_are() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        write_rows(sheet, 0, &format!("{SUBJECTS}{}", THREE.repeat(2)));
        let day = Format::new().set_num_format("yyyy/m/d");
        // Row 2: an identity number of eighteen digits as a number. Row 3: a level that became a date. Row 4: an error.
        sheet.write_number(1, 8, 330_302_198_001_010_000.0).unwrap();
        sheet.write_datetime_with_format(2, 5, ExcelDateTime::from_ymd(2026, 3, 1).unwrap(), &day).unwrap();
        sheet.write_formula(3, 3, Formula::new("=NA()").set_result("#N/A")).unwrap();
        let path = saved(&harness, "subjects.xlsx", workbook);
        let report = harness.import_file(Template::Subjects, &path).await.unwrap();
        assert_eq!(
            harness.findings(&report),
            ["2 id_number excel_changed reject", "3 level excel_changed reject", "4 name cell_error reject"]
        );
        let messages = harness.rows_of(&report);
        assert!(messages[0][3].contains("Excel changed this number: format the column as text"), "{messages:?}");
        assert_eq!((report.accepted, report.rejected), (3, 3));
    });
}

#[test]
fn the_first_sheet_that_can_be_seen_is_read_or_the_named_one() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let mut workbook = Workbook::new();
        workbook.add_worksheet().set_name("隐藏").unwrap().set_hidden(true);
        let rows = |nth: i64| format!("{SETTLEMENTS}{}", month("H33030200090", "2026-01", 1_000 * nth, "final"));
        for (nth, name) in [(1, "一月"), (2, "更正")] {
            let sheet = workbook.add_worksheet().set_name(name).unwrap();
            write_rows(sheet, 0, &rows(nth));
            if nth == 1 {
                sheet.set_active(true);
            }
        }
        let path = saved(&harness, "settlements.xlsx", workbook);
        harness.options.check_only = true;
        let report = harness.import_file(Template::Settlements, &path).await.unwrap();
        assert_eq!(report.accepted, 1, "{:?}", harness.findings(&report));
        harness.options.sheet = Some("更正".into());
        assert_eq!(harness.import_file(Template::Settlements, &path).await.unwrap().accepted, 1);
        harness.options.sheet = Some("二月".into());
        let error = harness.import_file(Template::Settlements, &path).await.unwrap_err();
        assert!(matches!(error, ImportError::SheetUnknown { .. }), "{error}");
        assert!(error.to_string().contains("--sheet") && error.to_string().contains("一月, 更正"), "{error}");
    });
}

#[test]
fn columns_beside_the_table_must_be_empty() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let mut workbook = Workbook::new();
        let sheet = workbook.add_worksheet();
        // The table begins in column B; row 3 has a note beside it, and row 4 one below nothing.
        let shifted: String = format!("{SUBJECTS}{THREE}").lines().map(|line| format!(",{line}\n")).collect();
        write_rows(sheet, 0, &shifted);
        sheet.write_string(2, 14, "已核").unwrap();
        sheet.write_string(3, 0, "注").unwrap();
        let path = saved(&harness, "subjects.xlsx", workbook);
        let report = harness.import_file(Template::Subjects, &path).await.unwrap();
        assert_eq!(harness.findings(&report), ["3  column_count reject", "4  column_count reject"]);
        assert_eq!(report.accepted, 1);
    });
}

#[test]
fn a_file_that_is_no_workbook_is_refused_with_the_remedy() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let path = harness.write("subjects.xlsx", b"PK\x03\x04 and then something else");
        let error = harness.import_file(Template::Subjects, &path).await.unwrap_err();
        assert!(matches!(error, ImportError::Workbook(_)), "{error}");
        assert!(error.to_string().contains("save it in Excel as .xlsx"), "{error}");
    });
}

/// A clerk fills in the workbook that the program wrote.
#[test]
fn the_empty_workbook_of_each_template_is_filled_in_and_imported() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let references = References::built_in(Vec::<Catalogue>::new()).unwrap();
        for template in Template::ALL.iter().copied() {
            let bytes = template.workbook(&references, "2026-04-01".parse().unwrap()).unwrap();
            let path = harness.write(&format!("{template}.xlsx"), bytes);
            let report = harness.import_file(template, &path).await.unwrap();
            assert_eq!((report.rows, report.skipped.total()), (0, 0), "{template}: it is empty, and fits");
        }
    });
}

/// A clerk's workbook has faults of every kind; its rows are fixed and imported again.
#[test]
fn a_clerk_imports_a_workbook_fixes_what_was_rejected_and_imports_it_again() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let header = "主体类型,主体编码,统一社会信用代码,名称,行政区划,等级,上级主体编码,证件类型,证件号码,法定代表人,协议签订日期,协议状态,许可状态";
        let rows = [
            "定点医疗机构,H33030200090,91330302MA2AB3C47J,合成诊所,鹿城区,一级,无,居民身份证,330302198001010019,合成甲,2019年5月1日,正常,正常",
            "定点零售药店,P33030400017,5.2330304E+17,合成药店,330304,,,,,,2020/1/1,正常,暂停",
            "定点医疗机构,H33030200091,91330302MA2AB3C47J,合成二院,鹿城县,,,,,,-,正常,正常",
        ];
        let workbook = |rows: &[&str]| {
            let mut workbook = Workbook::new();
            write_rows(
                workbook.add_worksheet(),
                0,
                &format!("定点医药机构名单\n\n{header}\n{}\n合计,3", rows.join("\n")),
            );
            workbook
        };
        let path = saved(&harness, "first.xlsx", workbook(&rows));
        let report = harness.import_file(Template::Subjects, &path).await.unwrap();
        assert_eq!(harness.findings(&report), ["5 uscc excel_changed reject", "6 region region_malformed reject"]);
        assert_eq!((report.accepted, report.rejected, report.skipped.total()), (1, 2, 3));
        let fixed = [rows[1].replace("5.2330304E+17", "52330304MJ8765K12B"), rows[2].replace("鹿城县", "鹿城区")];
        let path = saved(&harness, "fixed.xlsx", workbook(&[&fixed[0], &fixed[1]]));
        let report = harness.import_file(Template::Subjects, &path).await.unwrap();
        assert_eq!((report.accepted, report.rejected), (2, 0), "{:?}", harness.findings(&report));
        assert_eq!(harness.subject("P33030400017").await.unwrap().licence_status, "suspended");
    });
}

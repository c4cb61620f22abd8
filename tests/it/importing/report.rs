//! The report of what was rejected, as it goes back to the office that must fix it.

use std::path::Path;

use medcredit::importing::{ImportError, Outcome, RejectsBy, Template};

use super::{AFFILIATIONS, ImportHarness, RECORDS, SUBJECTS, report_rows};
use crate::support::{TestStore, block_on, both_engines, logs::never_logged};

/// The columns of a report before those of the file.
const BEFORE: usize = 10;

/// The first finding below: what is wrong, how to fix it, where, and the row.
const FIRST: [&str; 16] = [
    "3",
    "occurred_on",
    "日期格式错误",
    "\"2026-01-36\" is not a date like 2026-03-31",
    "请按2026-03-31的格式填写",
    "Write a day like 2026-03-31.",
    "退回 reject",
    "date_malformed",
    "H33030200090",
    "合成诊所",
    "2号",
    "H33030200090",
    "insurance_commendation",
    // Not a code, a day or a number: it could be anything where fields are shifted.
    "一*",
    "2026-01-36",
    "医保局",
];

/// The rejected rows of a report, each once, as they can be sent again.
fn to_send_again(path: &Path) -> Vec<csv::StringRecord> {
    let rows = report_rows(path).into_iter().map(|row| row.iter().skip(BEFORE).collect::<csv::StringRecord>());
    rows.filter(|row| row.iter().any(|cell| !cell.is_empty())).collect()
}

fn csv_of(header: &str, rows: &[csv::StringRecord]) -> String {
    let mut writer = csv::Writer::from_writer(header.as_bytes().to_vec());
    rows.iter().for_each(|row| writer.write_record(row).unwrap());
    String::from_utf8(writer.into_inner().unwrap()).unwrap()
}

both_engines! {
    a_report_says_what_is_wrong_and_how_to_fix_it_and_its_fixed_rows_are_accepted,
    a_report_is_divided_by_institution_and_by_source,
}

/// A hospital's clerk opens the report, fixes three rows and sends them again.
async fn a_report_says_what_is_wrong_and_how_to_fix_it_and_its_fixed_rows_are_accepted(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    // In another order than the template's: the fixed rows must fit the same header.
    let header = "reference,subject_code,measure,value,occurred_on,source\n";
    let row = |reference: &str, code: &str, value: &str, day: &str| {
        format!("{reference},{code},insurance_commendation,{value},{day},医保局\n")
    };
    let rows = [
        row("1号", "H33030200090", "1", "2026-01-05"),
        row("2号", "H33030200090", "一次", "2026-01-36"),
        row("\"=3号, 附件\"", "H33030200090", "-1", "2026-01-07"),
        row("1号", "H33030200090", "1", "2026-01-05"),
        row("5号", "H33030200090", "1", "2026-01-08"),
        row("6号", "H33030299999", "1", "2026-01-08"),
    ];
    let report = harness.import(Template::Records, format!("{header}{}", rows.concat())).await;
    assert_eq!((report.accepted, report.rejected), (2, 4));
    let path = report.rejects.clone().unwrap();
    assert!(std::fs::read(&path).unwrap().starts_with(b"\xef\xbb\xbf"), "spreadsheets know UTF-8 by its mark");
    assert!(std::fs::read(report.workbook.unwrap()).unwrap().starts_with(b"PK"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.lines().next().unwrap().ends_with(header.trim_end()), "{text}");
    let found = report_rows(&path);
    assert_eq!(found[0].iter().collect::<Vec<_>>(), FIRST);
    // The second finding of a row does not repeat the row.
    assert_eq!((&found[1][0], &found[1][7], &found[1][BEFORE]), ("3", "value_malformed", ""));
    let summary: Vec<_> = found[2..].iter().map(|row| [&row[0], &row[7], &row[8], &row[9], &row[BEFORE]]).collect();
    assert_eq!(
        summary,
        [
            ["4", "value_out_of_range", "H33030200090", "合成诊所", "'=3号, 附件"],
            // Found after all facts were sorted, and reported in its place.
            ["5", "duplicate_row", "H33030200090", "合成诊所", "1号"],
            ["7", "subject_unknown", "H33030299999", "", "6号"],
        ]
    );
    assert_eq!(&found[2][BEFORE + 3], "-1", "a negative number is sent back as it was");
    let again = csv_of(header, &to_send_again(&path));
    let fixed = again.replace("一*,2026-01-36", "1,2026-01-06").replace(",-1,", ",1,").replace("\"'=3", "\"3");
    let fixed: String = fixed
        .lines()
        .filter(|line| !line.contains("H33030299999") && !line.starts_with("1号"))
        .map(|line| format!("{line}\n"))
        .collect();
    let report = harness.import(Template::Records, fixed).await;
    assert_eq!((report.rows, report.accepted, report.rejects), (2, 2, None));
}

/// The bureau sends each hospital its own rows, and each office that reported facts its own.
async fn a_report_is_divided_by_institution_and_by_source(store: TestStore) {
    let _ = never_logged("合成医师");
    let mut harness = ImportHarness::with_subjects(store).await;
    harness.import(Template::Affiliations, format!("{AFFILIATIONS}D330302000123,H33030200090,1,2024-01-01,\n")).await;
    let folder = harness.directory.path().join("back");
    harness.options.rejects = Some(folder.clone());
    harness.options.check_only = true;
    let fact = |code: &str, source: &str, nth: u8| format!("{code},no_such_measure,1,2026-01-05,{source},{nth}号\n");
    let rows = [
        fact("H33030200090", "医保局", 1),
        fact("P33030400017", "市场监管局", 2),
        fact("D330302000123", "医保局", 3),
        fact("合成医师", "医保局", 4),
    ];
    let text = format!("{RECORDS}{}", rows.concat());
    let lines = |name: &str| report_rows(&folder.join(name)).iter().map(|row| row[0].to_owned()).collect::<Vec<_>>();
    harness.options.rejects_by = Some(RejectsBy::Institution);
    let report = harness.import(Template::Records, &text).await;
    assert_eq!(report.rejects, Some(folder.clone()));
    // A doctor's rows go to the hospital where the doctor practises.
    assert_eq!(lines("records.csv.H33030200090.rejects.csv"), ["2", "4"]);
    assert_eq!(lines("records.csv.P33030400017.rejects.csv"), ["3"]);
    assert_eq!(lines("records.csv.unknown.rejects.csv"), ["5"]);
    harness.options.rejects_by = Some(RejectsBy::Provider);
    harness.import(Template::Records, &text).await;
    assert_eq!(lines("records.csv.医保局.rejects.csv"), ["2", "4"]);
    assert_eq!(lines("records.csv.市场监管局.rejects.csv"), ["3"]);
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        assert!(path.with_extension("xlsx").exists() && path.with_extension("csv").exists(), "{path:?}");
        assert!(!std::fs::read_to_string(path.with_extension("csv")).unwrap().contains("合成医师"));
    }
}

#[test]
fn a_masked_row_of_a_report_is_not_accepted_as_it_is() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let row = "doctor,D330302000123,,合成医师,330302,,,01,33030319660704005X,,,on,active\n";
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{row}")).await;
        let again = to_send_again(&report.rejects.unwrap());
        assert_eq!((&again[0][3], &again[0][8]), ("合***", "330303********005X"));
        let again = csv_of(SUBJECTS, &again).replace(",on,", ",active,");
        let report = harness.import(Template::Subjects, again).await;
        assert_eq!(report.outcome, Outcome::NothingTaken);
        assert_eq!(harness.findings(&report), ["2 id_number masked_value reject", "2 name masked_value reject"]);
    });
}

#[test]
fn a_report_that_cannot_be_written_ends_the_import_before_anything_is_accepted() {
    block_on(async {
        let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let file = harness.write("in the way", "");
        harness.options.rejects = Some(file.join("rejects.csv"));
        let rows = "H33030200090,insurance_commendation,1,2026-01-05,医保局,1\nH33030200090,insurance_commendation,x,2026-01-05,医保局,2\n";
        let text = format!("{RECORDS}{rows}");
        let error = harness.try_import(Template::Records, &text).await.unwrap_err();
        assert!(matches!(error, ImportError::Rejects { .. }), "{error}");
        harness.options.rejects = None;
        let report = harness.import(Template::Records, &text).await;
        assert_eq!((report.outcome, report.accepted), (Outcome::Accepted, 1), "the first attempt stored nothing");
    });
}

#[test]
fn an_upload_in_memory_lists_its_findings_and_writes_no_file() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let row = "H33030200090,insurance_commendation,1,2026-01-05,医保局,1\n";
        let bytes = format!("{RECORDS}{row}{row}").into_bytes().into();
        let input = medcredit::importing::Input::Memory { name: "records".into(), bytes };
        let report =
            harness.importer().import_from(Template::Records, &input, &harness.options, &mut |_| {}).await.unwrap();
        assert_eq!((report.listed.len(), report.rejects, report.workbook), (1, None, None));
    });
}

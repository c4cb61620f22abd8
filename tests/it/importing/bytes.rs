//! Byte order marks, line ends and quotes as spreadsheets write them, and malformed files.

use medcredit::{
    importing::{ImportError, SkipReason, Template},
    store::imports,
};

use super::{ImportHarness, RECORDS, SUBJECTS, THREE};
use crate::support::{TestStore, block_on};

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_tolerated() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let text = format!("\u{feff}{SUBJECTS}{THREE}").replace('\n', "\r\n");
        let report = harness.import(Template::Subjects, text).await;
        assert_eq!((report.accepted, report.rejected), (3, 0), "{:?}", harness.findings(&report));
    });
}

#[test]
fn quoted_commas_and_quotes_are_part_of_the_text() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let rows = THREE.replace("合成诊所", "\"合成\"\"口腔\"\", 诊所\\\"");
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{rows}")).await;
        assert_eq!(report.accepted, 3, "{:?}", harness.findings(&report));
        assert_eq!(harness.subject("H33030200090").await.unwrap().name, "合成\"口腔\", 诊所\\");
    });
}

#[test]
fn findings_name_the_line_that_a_row_begins_on() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let good = "H33030200090,insurance_commendation,1,2026-01-05,医保局,\"a\"\n";
        let again = good.replace("\"a\"", "b");
        let rows = format!(
            "{good}\n\nH33030200090,insurance_commendation,1,2026-01-05,\"two\nlines\",a\n{again}H33030200090,nothing,1,2026-01-05,医保局,a\n"
        );
        let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
        assert_eq!(
            harness.findings(&report),
            ["5 source control_character reject", "7 measure measure_unknown reject"],
            "a line end within quotes begins no line of a spreadsheet"
        );
        assert_eq!((report.rows, report.accepted), (4, 2));
        assert_eq!(report.skipped.count(SkipReason::Blank), 2);
    });
}

#[test]
fn a_row_in_another_encoding_is_rejected_and_the_next_one_is_accepted() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let mut bytes = RECORDS.as_bytes().to_vec();
        bytes.extend_from_slice(b"H33030200090,insurance_commendation,1,2026-01-05,\xd2\xbd\xb1\xa3\xbe\xd6,a\n");
        bytes.extend_from_slice("H33030200090,insurance_commendation,1,2026-01-05,医保局,a\n".as_bytes());
        let report = harness.import(Template::Records, bytes).await;
        assert_eq!(harness.findings(&report), ["2  not_utf8 reject"]);
        assert_eq!((report.rows, report.accepted), (2, 1));
    });
}

#[test]
fn a_quote_that_is_never_closed_does_not_read_the_file_into_memory() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let row = "H33030200090,insurance_commendation,1,2026-01-05,医保局,a\n";
        let text = format!("{RECORDS}{row}H33030200090,\"{}", row.repeat(40_000));
        let error = harness.try_import(Template::Records, text).await.unwrap_err();
        assert!(matches!(error, ImportError::RowTooLong { line: 3 }), "{error}");
        let read = harness.store.db.read("test");
        assert_eq!(imports::list(&read, "discarded").await.unwrap().len(), 1, "none of its rows is accepted");
    });
}

#[test]
fn a_last_row_without_a_line_end_is_a_row() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let report = harness.import(Template::Subjects, format!("{SUBJECTS}{}", THREE.trim_end())).await;
        assert_eq!(report.accepted, 3);
    });
}

//! No line of a file is lost: each is the header, an accepted or rejected row, or skipped with a reason.

use medcredit::importing::{ImportError, SkipReason, Template};

use super::{ImportHarness, RECORDS, SUBJECTS, THREE};
use crate::support::{TestStore, block_on};

/// A clerk's export puts a quotation mark in front of each name: the mark of each second row would close the one before.
#[test]
fn a_quote_that_is_not_closed_refuses_the_file_and_names_its_line() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let row = |nth: u32, name: &str| {
            format!(
                "medical_institution,H330302990{nth:02},91330302MA2AB3C47J,{name},330302,,,,,,2020-01-05,active,active\r\n"
            )
        };
        let each = format!("{SUBJECTS}{}{}", row(0, "合成"), (1..12).map(|nth| row(nth, "\"合成")).collect::<String>());
        let one = format!("{SUBJECTS}{}{}{}", row(0, "合成"), row(1, "\"合成"), row(2, "合成"));
        let last =
            format!("{SUBJECTS}{}{}", row(0, "合成"), row(1, "合成").replace("active,active", "active,\"active"));
        for (text, line) in [(each, 3), (one, 3), (last, 3)] {
            let error = harness.try_import(Template::Subjects, &text).await.unwrap_err();
            assert!(matches!(error, ImportError::OpenQuote { line: found } if found == line), "{error}");
            assert!(error.to_string().contains("line 3"), "{error}");
        }
        assert!(harness.subject("H33030299000").await.is_none());
    });
}

#[test]
fn the_same_is_found_in_a_file_of_facts() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let row =
            |day: u32, source: &str| format!("H33030200090,insurance_commendation,1,2026-01-{day:02},{source},a\n");
        for source in ["\"医保局", "\"医保局,5\""] {
            let rows = [row(1, "医保局"), row(2, source), row(3, "医保局"), row(4, "\"医保局")].concat();
            let error = harness.try_import(Template::Records, format!("{RECORDS}{rows}")).await.unwrap_err();
            let expected = if source == "\"医保局" { 3 } else { 5 };
            assert!(matches!(error, ImportError::OpenQuote { line } if line == expected), "{source}: {error}");
        }
    });
}

#[test]
fn line_ends_of_the_old_macintosh_count_as_lines() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let text = format!("{SUBJECTS}{}", THREE.replace("pharmacy,", "hospital,")).replace('\n', "\r");
        let report = harness.import(Template::Subjects, &text).await;
        assert_eq!(harness.findings(&report), ["3 kind kind_unknown reject"]);
        let facts =
            "H33030200090,insurance_commendation,1,2026-01-05,医保局,a\rH33030200090,nothing,1,2026-01-05,医保局,a\r\r";
        let report = harness.import(Template::Records, format!("{RECORDS}{facts}").replace('\n', "\r")).await;
        assert_eq!(harness.findings(&report), ["3 measure measure_unknown reject"]);
        assert_eq!((report.accepted, report.skipped.count(SkipReason::Blank)), (1, 1));
    });
}

#[test]
fn rows_of_empty_cells_are_skipped_and_no_findings() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let row = "H33030200090,insurance_commendation,1,2026-01-05,医保局,\n";
        for rows in [
            format!("{row},,,,,\n,,,,,\r\n,,,,,\n"),
            // With quotes, the rows are read in another way.
            format!(
                "\"H33030200090\"{},,,,,\n\n,,,,,\n",
                row.replace("01-05", "01-06").trim_start_matches("H33030200090")
            ),
        ] {
            let report = harness.import(Template::Records, format!("{RECORDS}{rows}")).await;
            assert_eq!((report.rows, report.accepted, report.rejects), (1, 1, None));
            assert_eq!(report.skipped.count(SkipReason::Blank), 3);
            assert_eq!(report.skipped.iter().next().unwrap().1.first, [3, 4, 5]);
        }
    });
}

/// Lines of every kind, in files of every kind: the import itself fails if their numbers do not add up.
#[test]
fn the_numbers_of_lines_and_rows_add_up_for_every_shape_of_file() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let good = "H33030200090,insurance_commendation,1,2026-01-05,医保局,a\n";
        let pieces = [
            good,
            "\n",
            ",,,,,\n",
            "\r\n",
            "合计,,2,,,\n",
            "H33030200090,nothing,1,2026-01-05,医保局,a\r\n",
            "H33030200090,insurance_commendation,x,y,,\n",
            "H33030200090\n",
            "H33030200090,insurance_commendation,1,2026-01-05,\"医保局\",\"b\"\n",
            "H33030200090,insurance_commendation,1,2026-01-05,\"two\nlines\",a\n",
            "subject_code,measure,value,occurred_on,source,reference\n",
            "H33030200090,insurance_commendation,1,2026-01-05,医保局,last",
        ];
        for first in 0..pieces.len() {
            for second in 0..pieces.len() {
                let text = format!(
                    "{RECORDS}{}{}{}",
                    pieces[first],
                    pieces[second],
                    pieces[(first * 5 + second) % pieces.len()]
                );
                let report = harness.try_import(Template::Records, &text).await;
                let report = report.unwrap_or_else(|error| panic!("{text:?}: {error}"));
                assert_eq!(report.rows, report.accepted + report.rejected, "{text:?}");
            }
        }
    });
}

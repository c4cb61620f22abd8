//! Parquet as pandas, DuckDB, Spark and Polars write it, and columns that are refused by name.

use medcredit::importing::Template;

use super::{
    ImportHarness, RECORDS,
    parquet_files::{Typed, import, parquet},
    stored_facts,
};
use crate::support::{TestStore, block_on};

/// A program's index, and the names of a file that was made of one without a header.
#[test]
fn every_column_that_is_refused_is_named_and_no_person_is() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let header =
            "subject_code,measure,value,occurred_on,source,reference,__index_level_0__,合成医师,33030319660704005X";
        let rows = format!("{header}\nH33030200090,insurance_commendation,1,2026-01-05,医保局,1,5,a,b\n");
        let error =
            import(&harness, Template::Records, parquet(&rows, |_| Typed::Text, 9)).await.unwrap_err().to_string();
        for words in [
            "column \"__index_level_0__\" is not known: write the file without the index (index=False)",
            "column 8 (\"合***\") is not known",
            "column 9 (\"3*****************\") is not known",
        ] {
            assert!(error.contains(words), "{error}");
        }
    });
}

/// The files of the folder `written`, each as a program writes it by itself.
#[test]
fn files_of_other_programs_are_read_as_they_are() {
    block_on(async {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/importing/written");
        let mut read = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "parquet") {
                continue;
            }
            let mut harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
            harness.options.rejects = Some(harness.directory.path().join("rejects.csv"));
            let report = harness
                .import_file(Template::Records, &path)
                .await
                .unwrap_or_else(|error| panic!("{path:?}: {error:?}"));
            assert_eq!((report.accepted, report.rejected), (3, 0), "{path:?}: {:?}", harness.rows_of(&report));
            let facts = stored_facts(&harness.store, "H33030200090").await;
            let facts: Vec<_> = facts.iter().map(|(_, fact)| (fact.day.to_string(), fact.value_e4)).collect();
            let expected = [("2026-01-05", 10_000), ("2026-01-06", 1_000), ("2026-01-07", -12_345_670_375)];
            assert_eq!(facts, expected.map(|(day, value)| (day.to_owned(), value)), "{path:?}");
            read += 1;
        }
        assert_eq!(read, 9);
    });
}

#[test]
fn numbers_and_times_that_are_not_exact_reject_their_rows_with_the_column() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let value = |name: &str| if name == "value" { Typed::Double } else { Typed::Text };
        let rows = ["0.30000000000000004", "0.3", "NaN", "1e300", "-0.00001", "12345678.9999"]
            .map(|value| format!("H33030200090,fund_used,{value},2026-01-05,医保局,{value}\n"));
        let report =
            import(&harness, Template::Records, parquet(&format!("{RECORDS}{}", rows.concat()), value, 9)).await;
        let report = report.unwrap();
        let expected = [2, 4, 5, 6].map(|line| format!("{line} value value_malformed reject"));
        assert_eq!(harness.findings(&report), expected);
        assert_eq!(report.accepted, 2);
        // Midnight of UTC is eight in the morning here.
        let day = |name: &str| if name == "occurred_on" { Typed::UtcStamp } else { Typed::Text };
        let rows = format!("{RECORDS}H33030200090,fund_used,1,2026-01-05,医保局,z\n");
        let report = import(&harness, Template::Records, parquet(&rows, day, 9)).await.unwrap();
        assert_eq!(harness.findings(&report), ["2 occurred_on date_malformed reject"]);
        assert!(harness.messages(&report)[0].contains("midnight of UTC+8"));
    });
}

#[test]
fn a_column_without_a_value_may_have_any_type() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        for (typed, with) in [(Typed::Double, ""), (Typed::Long, ""), (Typed::Bool, ""), (Typed::Long, "5")] {
            let rows: String =
                (0..3_000).map(|nth| format!("H33030200090,fund_used,{nth},2026-01-05,医保局,\n")).collect();
            let rows = format!("{RECORDS}{rows}H33030200090,fund_used,1,2026-01-06,医保局,{with}\n");
            let bytes = parquet(&rows, |name| if name == "reference" { typed } else { Typed::Text }, 1_000);
            match import(&harness, Template::Records, bytes).await {
                Ok(report) => assert_eq!((report.rows, with), (3_001, ""), "{typed:?}"),
                Err(error) => {
                    assert!(with == "5" && error.to_string().contains("column reference is INT64"), "{error}")
                }
            }
        }
    });
}

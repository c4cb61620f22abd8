//! A header that does not fit stops the file before a row is read, naming each column at fault.

use medcredit::{
    importing::{ImportError, Template},
    store::imports,
};

use super::{ImportHarness, RECORDS, SUBJECTS};
use crate::support::{TestStore, block_on};

async fn refused(harness: &ImportHarness, template: Template, bytes: impl AsRef<[u8]>) -> String {
    let error = harness.try_import(template, bytes).await.unwrap_err();
    let read = harness.store.db.read("test");
    assert!(imports::list(&read, "staging").await.unwrap().is_empty(), "no import was started");
    error.to_string()
}

#[test]
fn missing_unknown_and_repeated_columns_are_all_named() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let header = RECORDS.replace("measure", "Measure").replace("source", "value");
        let said = refused(&harness, Template::Records, header).await;
        for fault in [
            "does not fit the template records",
            "column measure is missing",
            "column source is missing",
            "column value is there more than once",
            "column \"Measure\" is not known",
        ] {
            assert!(said.contains(fault), "{fault} in {said}");
        }
    });
}

#[test]
fn an_empty_file_and_a_header_in_no_encoding_are_refused() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        for empty in ["", "\n\n", "\u{feff}"] {
            assert!(
                refused(&harness, Template::Subjects, empty).await.contains("its first line must name the columns")
            );
        }
        // 名称 in GB 18030 is the name of a column; neither encoding has the bytes below.
        let said = refused(&harness, Template::Subjects, b"kind,\xc3\xfb\xb3\xc6\n").await;
        assert!(said.contains("column code is missing") && !said.contains("column name is missing"), "{said}");
        let said = refused(&harness, Template::Subjects, b"kind,\xff\xff\n").await;
        assert!(said.contains("neither UTF-8, UTF-16 nor GB 18030"), "{said}");
        let said = refused(&harness, Template::Subjects, "H33030200090,x\n").await;
        assert!(said.contains("column kind is missing"), "{said}");
    });
}

#[test]
fn a_missing_file_is_named_in_the_error() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let path = harness.directory.path().join("nowhere.csv");
        let error = harness.import_file(Template::Subjects, &path).await.unwrap_err();
        assert!(matches!(&error, ImportError::Read { path, .. } if path.ends_with("nowhere.csv")), "{error}");
    });
}

#[test]
fn columns_may_be_in_any_order() {
    block_on(async {
        let harness = ImportHarness::with_subjects(TestStore::sqlite().await).await;
        let text = "reference,source,value,measure,occurred_on,subject_code\n温医保〔2026〕7号,医保局,1,insurance_commendation,2026-01-05,H33030200090\n";
        let report = harness.import(Template::Records, text).await;
        assert_eq!((report.accepted, report.rejected), (1, 0), "{:?}", harness.findings(&report));
    });
}

#[test]
fn a_header_alone_is_a_file_without_rows() {
    block_on(async {
        let harness = ImportHarness::new(TestStore::sqlite().await);
        let report = harness.import(Template::Subjects, SUBJECTS).await;
        assert_eq!((report.rows, report.accepted, report.chunks), (0, 0, 0));
    });
}

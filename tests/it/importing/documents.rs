//! One document is one act: in a file, over files, however its number is written and by any source.

use medcredit::{importing::Template, store::facts};

use super::{ImportHarness, RECORDS, stored_facts};
use crate::support::{TestStore, both_engines};

const CODE: &str = "H33030200090";

fn row(measure: &str, day: &str, source: &str, reference: &str) -> String {
    format!("{CODE},{measure},1,{day},{source},{reference}\n")
}

async fn import(harness: &ImportHarness, rows: &[String]) -> Vec<String> {
    let report = harness.import(Template::Records, format!("{RECORDS}{}", rows.concat())).await;
    harness.findings(&report)
}

async fn number(harness: &ImportHarness, sql: &'static str) -> i64 {
    harness.store.db.read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0
}

both_engines! {
    one_document_in_a_file_is_one_fact,
    one_document_of_two_files_is_reported,
    a_document_that_moves_to_another_half_year_is_remembered,
    documents_of_imports_from_before_are_found,
    a_penalty_without_a_document_is_rejected,
    events_without_a_document_are_counted_once_unless_repetitions_are_usual,
    an_authority_is_one_under_all_its_names,
}

/// Two departments' lines in one file name one notice; the earliest day stays.
async fn one_document_in_a_file_is_one_fact(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = [
        row("insurance_penalty", "2026-02-03", "市场监管局", "温医保罚[2026]7号"),
        row("insurance_penalty", "2026-02-01", "医保局", "温医保罚〔2026〕7号"),
        row("insurance_penalty", "2025-12-30", "医保局", "温医保罚〔2026〕8号"),
        row("insurance_penalty", "2026-01-02", "医保局", "温医保罚（2026）8号"),
        row("health_penalty", "2026-02-01", "卫健委", "温医保罚〔2026〕7号"),
    ];
    let findings = import(&harness, &rows).await;
    assert_eq!(
        findings,
        [
            "2 source provider_unexpected warning",
            "2 reference same_document warning",
            "5 reference same_document warning"
        ]
    );
    let stored = stored_facts(&harness.store, CODE).await;
    let mut days: Vec<_> = stored.iter().map(|(measure, fact)| (measure.as_str(), fact.day.to_string())).collect();
    days.sort();
    let expected =
        [("health_penalty", "2026-02-01"), ("insurance_penalty", "2025-12-30"), ("insurance_penalty", "2026-02-01")];
    assert_eq!(days, expected.map(|(measure, day)| (measure, day.to_owned())));
}

/// Another department reports a notice of an earlier file, with another day; then the first one delivers it unchanged.
async fn one_document_of_two_files_is_reported(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let first = row("insurance_penalty", "2026-02-01", "医保局", "温医保罚〔2026〕7号");
    assert!(import(&harness, std::slice::from_ref(&first)).await.is_empty());
    let second = row("insurance_penalty", "2026-02-09", "医保局", "温医保罚(2026)7号");
    assert_eq!(import(&harness, &[second]).await, ["2 reference same_document warning"]);
    let unchanged = row("insurance_penalty", "2026-02-09", "温州市医疗保障局", "温医保罚(2026)7号");
    assert!(import(&harness, &[unchanged]).await.is_empty(), "an ordinary second delivery is not reported");
    assert_eq!(number(&harness, "SELECT COUNT(*) FROM bulk.fact_revisions").await, 0, "they are of one half-year");
}

/// A notice of December turns out to be one of January.
async fn a_document_that_moves_to_another_half_year_is_remembered(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    import(&harness, &[row("insurance_penalty", "2025-12-30", "医保局", "温医保罚〔2026〕7号")]).await;
    let moved = row("insurance_penalty", "2026-01-02", "医保局", "温医保罚〔2026〕7号");
    assert_eq!(import(&harness, &[moved]).await, ["2 reference same_document warning"]);
    let sql = "SELECT subject_code, measure, document, import_seq FROM bulk.fact_revisions";
    let rows: Vec<(String, String, String, i64)> = harness.store.db.read("test").fetch_all(sql, vec![]).await.unwrap();
    assert_eq!(rows, [(CODE.into(), "insurance_penalty".into(), "温医保罚(2026)7号".into(), 3)]);
}

/// The store was filled by a version that stored no hashes of documents.
async fn documents_of_imports_from_before_are_found(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    import(&harness, &[row("insurance_penalty", "2025-12-30", "医保局", "温医保罚〔2026〕7号")]).await;
    let mut tx = harness.store.db.begin_bulk("test").await.unwrap();
    assert_eq!(tx.execute("DELETE FROM bulk.fact_documents", vec![]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    let moved = row("insurance_penalty", "2026-01-02", "医保局", "温医保罚〔2026〕7号");
    assert_eq!(import(&harness, &[moved]).await, ["2 reference same_document warning"]);
    assert_eq!(
        number(&harness, "SELECT COUNT(*) FROM bulk.fact_documents").await,
        2,
        "they are stored for the next file"
    );
}

/// A clerk's file has penalties without the number of a notice.
async fn a_penalty_without_a_document_is_rejected(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = [
        row("insurance_penalty", "2026-02-01", "医保局", ""),
        row("court_fraud_judgment", "2026-02-01", "中级人民法院", " "),
        row("insurance_penalty", "2026-02-01", "医保局", "温医保罚〔2026〕7号"),
    ];
    let expected = ["2 reference reference_missing reject", "3 reference reference_missing reject"];
    assert_eq!(import(&harness, &rows).await, expected);
}

/// Departments report commendations and complaints without numbers, some of them twice.
async fn events_without_a_document_are_counted_once_unless_repetitions_are_usual(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = [
        row("insurance_commendation", "2026-02-01", "医保局", ""),
        row("insurance_commendation", "2026-02-01", "鹿城区医保局", ""),
        row("insurance_commendation", "2026-02-02", "医保局", ""),
        row("complaint_received", "2026-02-01", "医保局", ""),
        row("complaint_received", "2026-02-01", "医保局", ""),
    ];
    assert_eq!(import(&harness, &rows).await, ["3 reference repetition warning"]);
    assert_eq!(stored_facts(&harness.store, CODE).await.len(), 4);
    let again = [
        row("insurance_commendation", "2026-02-02", "医保局", ""),
        row("complaint_received", "2026-02-01", "医保局", ""),
    ];
    assert_eq!(import(&harness, &again).await, ["2 reference repetition warning"]);
}

/// One bureau signs by three names; a district's office is another authority.
async fn an_authority_is_one_under_all_its_names(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = ["医保局", "温州市医保局", "温州市医疗保障局", "鹿城区医疗保障局"]
        .map(|source| format!("{CODE},visits,9,2026-02-01,{source},统计2026-2\n"));
    let findings = import(&harness, &rows).await;
    let sources: Vec<_> = stored_facts(&harness.store, CODE).await.into_iter().map(|(_, fact)| fact.source).collect();
    assert_eq!(findings, ["3  duplicate_row reject", "4  duplicate_row reject"]);
    assert_eq!(sources, ["医保局", "鹿城区医疗保障局"]);
    let imports = facts::accepted(&harness.store.db.read("test")).await.unwrap();
    assert!(imports.iter().all(|import| import.identity == 2 && import.replaced_by.is_none()), "{imports:?}");
}

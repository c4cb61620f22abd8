//! A settlement month may be revised: every version is stored, and the last accepted one is current.

use medcredit::{
    domain::{Fen, settlement::SettlementStatus},
    importing::Template,
    store::settlements,
};

use super::{ImportHarness, SETTLEMENTS, month};
use crate::support::{TestStore, both_engines};

both_engines! {
    a_month_revised_three_times_has_four_versions_and_the_last_is_current,
    insurances_are_stored_separately_and_negative_and_zero_months_are_valid,
}

/// A clerk imports January three more times, and February once.
async fn a_month_revised_three_times_has_four_versions_and_the_last_is_current(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let february = month("H33030200090", "2026-02", 90_000, "provisional");
    let first = month("H33030200090", "2026-01", 100_000, "provisional") + &february;
    harness.import(Template::Settlements, format!("{SETTLEMENTS}{first}")).await;
    for settled in [101_000, 102_000, 103_000] {
        let row = month("H33030200090", "2026-01", settled, "final");
        harness.import(Template::Settlements, format!("{SETTLEMENTS}{row}")).await;
    }
    let read = harness.store.db.read("test");
    let codes = ["H33030200090".to_owned(), "H33030200090".to_owned(), "P33030400017".to_owned()];
    let (from, to) = ("2026-01".parse().unwrap(), "2026-02".parse().unwrap());
    let present = settlements::list(&read, &codes, from, to).await.unwrap();
    let months: Vec<_> =
        present.iter().map(|row| (row.settlement.month.to_string(), row.version, row.settlement.settled)).collect();
    assert_eq!(months, [("2026-01".to_owned(), 4, Fen(103_000)), ("2026-02".to_owned(), 1, Fen(90_000))]);
    assert_eq!(present[0].settlement.status, SettlementStatus::Final);
    assert_eq!(present[0].settlement.identity_gap(), Fen(0));
    let all = settlements::list_versions(&read, &codes, from, from).await.unwrap();
    let settled: Vec<_> = all.iter().map(|row| (row.version, row.settlement.settled.0)).collect();
    assert_eq!(settled, [(1, 100_000), (2, 101_000), (3, 102_000), (4, 103_000)]);
    assert!(all.is_sorted_by(|one, next| one.import_seq < next.import_seq));
    assert!(settlements::list(&read, &[], from, to).await.unwrap().is_empty());
}

/// A clerk imports a month of each insurance, a claw-back and a month without settlement.
async fn insurances_are_stored_separately_and_negative_and_zero_months_are_valid(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let rows = month("H33030200090", "2026-01", 100_000, "final")
        + &month("H33030200090", "2026-01", 40_000, "final").replace("employee", "resident")
        + &month("H33030200090", "2026-02", -50_000, "final")
        + &month("P33030400017", "2026-02", 0, "final");
    let report = harness.import(Template::Settlements, format!("{SETTLEMENTS}{rows}")).await;
    assert_eq!((report.accepted, report.warnings), (4, 0), "{:?}", harness.findings(&report));
    let codes = ["P33030400017".to_owned(), "H33030200090".to_owned()];
    let listed = settlements::list(
        &harness.store.db.read("test"),
        &codes,
        "2026-01".parse().unwrap(),
        "2026-02".parse().unwrap(),
    )
    .await
    .unwrap();
    let settled: Vec<_> =
        listed.iter().map(|row| (row.settlement.insurance.as_str(), row.settlement.settled.0)).collect();
    assert_eq!(settled, [("employee", 100_000), ("resident", 40_000), ("employee", -50_000), ("employee", 0)]);
}

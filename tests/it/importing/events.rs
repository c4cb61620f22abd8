//! Events of an import: its last transaction publishes what changed and nothing else.

use medcredit::{
    importing::{Outcome, Template},
    outbox::{Outbox, Policy},
};

use super::{ImportHarness, RECORDS, SETTLEMENTS, SUBJECTS, THREE, month};
use crate::support::{TestStore, both_engines};

/// The events so far, as `topic key`, with their bodies.
async fn events(harness: &ImportHarness) -> Vec<(String, serde_json::Value)> {
    let store = &harness.store;
    let outbox = Outbox::new(store.env(), Policy::default());
    let mut events: Vec<_> = outbox
        .unrouted(1_000)
        .await
        .unwrap()
        .into_iter()
        .map(|event| (format!("{} {}", event.topic, event.ordering_key), serde_json::from_str(&event.body).unwrap()))
        .collect();
    events.retain(|(name, _): &(String, serde_json::Value)| !name.starts_with("import.accepted"));
    events.sort_by(|one, other| one.0.cmp(&other.0));
    events
}

both_engines! {
    new_and_revised_months_are_published_and_no_others,
    a_changed_subject_is_published_with_its_columns_and_without_their_values,
    an_import_that_is_not_accepted_publishes_nothing,
}

/// A clerk imports new months, then revises one of them, then imports the same figures again.
async fn new_and_revised_months_are_published_and_no_others(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    assert!(events(&harness).await.is_empty(), "nobody depends on new subjects yet");
    let first = [
        month("H33030200090", "2025-01", 100_000, "final"),
        month("H33030200090", "2025-02", 200_000, "provisional"),
        month("P33030400017", "2025-01", 7_000, "final"),
    ]
    .concat();
    harness.import(Template::Settlements, format!("{SETTLEMENTS}{first}")).await;
    let published = events(&harness).await;
    let names: Vec<_> = published.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["settlements.changed H33030200090", "settlements.changed P33030400017"]);
    assert_eq!(published[0].1["added"], serde_json::json!(["2025-01", "2025-02"]));
    assert_eq!(published[0].1["revised"], serde_json::json!([]));
    // One month revised, one unchanged, one new.
    let second = [
        month("H33030200090", "2025-01", 100_000, "final"),
        month("H33030200090", "2025-02", 210_000, "final"),
        month("H33030200090", "2025-03", 1, "final"),
    ]
    .concat();
    harness.import(Template::Settlements, format!("{SETTLEMENTS}{second}")).await;
    let published = events(&harness).await;
    assert_eq!(published.len(), 3, "{published:?}");
    let latest = published.iter().find(|(_, body)| body["revised"] == serde_json::json!(["2025-02"])).unwrap();
    assert_eq!(latest.1["added"], serde_json::json!(["2025-03"]));
    // The same figures in another order, so that the file is another.
    let third =
        [month("H33030200090", "2025-03", 1, "final"), month("H33030200090", "2025-02", 210_000, "final")].concat();
    let report = harness.import(Template::Settlements, format!("{SETTLEMENTS}{third}")).await;
    assert_eq!(report.outcome, Outcome::Accepted);
    assert_eq!(events(&harness).await.len(), 3, "nothing changed");
    // The same file again.
    harness.import(Template::Settlements, format!("{SETTLEMENTS}{third}")).await;
    assert_eq!(events(&harness).await.len(), 3);
}

/// A clinic's licence is suspended.
async fn a_changed_subject_is_published_with_its_columns_and_without_their_values(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let changed = THREE.replace(
        "合成诊所,330302,一级,,01,330302198001010019,合成甲,2019-05-01,active,active",
        "合成口腔诊所,330302,一级,,01,330302198001010019,合成乙,2019-05-01,active,suspended",
    );
    harness.import(Template::Subjects, format!("{SUBJECTS}{changed}")).await;
    let published = events(&harness).await;
    assert_eq!(published.len(), 1, "{published:?}");
    assert_eq!(published[0].0, "subject.changed H33030200090");
    assert_eq!(published[0].1["changed"], serde_json::json!(["name", "licence_status", "identity"]));
    let text = published[0].1.to_string();
    assert!(!text.contains("合成") && !text.contains("330302198001010019"), "{text}");
}

/// A file without valid rows, and one that is only checked.
async fn an_import_that_is_not_accepted_publishes_nothing(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    let count = |harness: &ImportHarness| {
        let store = &harness.store;
        Outbox::new(store.env(), Policy::default())
    };
    let before = count(&harness).depth().await.unwrap().unrouted;
    let bad = format!("{RECORDS}H33030200090,nothing,1,2026-01-05,医保局,a\n");
    assert_eq!(harness.import(Template::Records, bad).await.outcome, Outcome::NothingTaken);
    harness.options.check_only = true;
    let good = format!("{SETTLEMENTS}{}", month("H33030200090", "2025-01", 1, "final"));
    assert_eq!(harness.import(Template::Settlements, good.clone()).await.outcome, Outcome::Checked);
    assert_eq!(count(&harness).depth().await.unwrap().unrouted, before);
    harness.options.check_only = false;
    harness.import(Template::Settlements, good).await;
    assert_eq!(count(&harness).depth().await.unwrap().unrouted, before + 2, "the months and the import");
}

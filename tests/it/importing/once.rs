//! The same file is accepted once, and all its rows become visible together.

use medcredit::{
    importing::{Options, Outcome, Template},
    store::{Db, imports, settlements},
};

use super::{ImportHarness, SETTLEMENTS, SUBJECTS, THREE, month};
use crate::support::{TestStore, block_on, both_engines};

#[test]
fn an_import_does_not_wait_for_itself_with_the_fewest_connections() {
    // A small installation with few database connections; a bank's answer needs another one at the same time.
    block_on(async {
        let harness = ImportHarness::new(TestStore::postgres().await);
        let few = Db::open_postgres(harness.store.url(), 7).await.unwrap();
        let held = few.begin("test").await.unwrap();
        let importer = harness.importer_into(few.clone());
        let file = harness.write("subjects.csv", format!("{SUBJECTS}{THREE}"));
        let report = importer.import(Template::Subjects, &file, &Options::default(), &mut |_| {}).await.unwrap();
        assert_eq!((report.outcome, report.accepted), (Outcome::Accepted, 3));
        drop(held);
    });
}

both_engines! {
    the_same_file_twice_is_recognised_and_nothing_is_written,
    the_same_bytes_under_another_template_are_another_file,
    a_file_without_accepted_rows_may_be_imported_again,
    rows_are_seen_only_when_the_import_is_accepted,
    a_file_that_is_only_checked_changes_nothing,
}

/// A clerk imports the same file twice, the second time under another name.
async fn the_same_file_twice_is_recognised_and_nothing_is_written(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let text = format!("{SETTLEMENTS}{}", month("H33030200090", "2026-01", 100_000, "final"));
    let first = harness.import(Template::Settlements, &text).await;
    assert_eq!((first.outcome, first.rows, first.accepted), (Outcome::Accepted, 1, 1));
    let before = harness.change_number().await;
    let again = harness.write("january again.csv", &text);
    let again = harness.import_file(Template::Settlements, &again).await.unwrap();
    assert_eq!((again.outcome, again.import_seq), (Outcome::Recognised, first.import_seq));
    assert_eq!((again.rows, again.accepted, again.sha256), (1, 1, first.sha256));
    assert_eq!(harness.change_number().await, before, "nothing was written");
    let accepted = imports::list(&harness.store.db.read("test"), "accepted").await.unwrap();
    assert_eq!(accepted.len(), 2, "the subjects and one settlement file");
}

/// A clerk imports one file under two templates; only the one with its header accepts it.
async fn the_same_bytes_under_another_template_are_another_file(store: TestStore) {
    let harness = ImportHarness::new(store);
    let text = format!("{SUBJECTS}{THREE}");
    assert!(harness.try_import(Template::Records, &text).await.is_err());
    assert_eq!(harness.import(Template::Subjects, &text).await.outcome, Outcome::Accepted);
}

/// A clerk imports settlements before the subjects, sees every row rejected, and tries again afterwards.
async fn a_file_without_accepted_rows_may_be_imported_again(store: TestStore) {
    let harness = ImportHarness::new(store);
    let text = format!("{SETTLEMENTS}{}", month("H33030200090", "2026-01", 100_000, "final"));
    let report = harness.import(Template::Settlements, &text).await;
    assert_eq!((report.outcome, report.rejected, report.import_seq), (Outcome::NothingTaken, 1, None));
    assert_eq!(harness.findings(&report), ["2 subject_code subject_unknown reject"]);
    harness.import(Template::Subjects, format!("{SUBJECTS}{THREE}")).await;
    let report = harness.import(Template::Settlements, &text).await;
    assert_eq!((report.outcome, report.accepted), (Outcome::Accepted, 1));
}

/// A bank's request reads while a file is being staged in many small transactions.
async fn rows_are_seen_only_when_the_import_is_accepted(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    harness.options.chunk_rows = 2;
    let rows: String =
        (1..=9).map(|nth| month("H33030200090", &format!("2025-{nth:02}"), 100_000 * nth, "final")).collect();
    let path = harness.write("settlements.csv", format!("{SETTLEMENTS}{rows}"));
    let codes = ["H33030200090".to_owned()];
    let (from, to) = ("2025-01".parse().unwrap(), "2026-03".parse().unwrap());
    let (send, mut received) = tokio::sync::mpsc::unbounded_channel();
    let importer = harness.importer();
    let options = harness.options.clone();
    let import = tokio::spawn(async move {
        importer.import(Template::Settlements, &path, &options, &mut |progress| send.send(progress).unwrap()).await
    });
    let mut last = medcredit::importing::Progress::default();
    while let Some(progress) = received.recv().await {
        last = progress;
        if import.is_finished() {
            break;
        }
        let seen = settlements::list(&harness.store.db.read("test"), &codes, from, to).await.unwrap();
        assert!(seen.is_empty() || seen.len() == 9, "all or none, not {} rows", seen.len());
    }
    let report = import.await.unwrap().unwrap();
    assert_eq!((report.rows, report.chunks), (9, 5), "memory is bounded by chunks of two rows");
    assert_eq!(last.total_bytes, last.bytes);
    let seen = settlements::list(&harness.store.db.read("test"), &codes, from, to).await.unwrap();
    assert_eq!(seen.len(), 9);
}

/// A clerk checks a file first.
async fn a_file_that_is_only_checked_changes_nothing(store: TestStore) {
    let mut harness = ImportHarness::with_subjects(store).await;
    harness.options.check_only = true;
    let before = harness.change_number().await;
    let rows = month("H33030200090", "2026-01", 100_000, "final") + &month("H33030299999", "2026-01", 1, "final");
    let report = harness.import(Template::Settlements, format!("{SETTLEMENTS}{rows}")).await;
    assert_eq!((report.outcome, report.accepted, report.rejected), (Outcome::Checked, 1, 1));
    assert_eq!(harness.findings(&report), ["3 subject_code subject_unknown reject"]);
    assert_eq!(harness.change_number().await, before);
    assert_eq!(imports::list(&harness.store.db.read("test"), "staging").await.unwrap().len(), 0);
}

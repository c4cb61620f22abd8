//! An import that is killed, or refused because another one runs, leaves no visible rows.

use std::sync::Arc;

use medcredit::{
    importing::{ImportError, Outcome, Template},
    store::{Arg, imports, settlements},
};
use tokio::sync::Notify;

use super::{ImportHarness, SETTLEMENTS, month};
use crate::support::{TestStore, both_engines};

fn year() -> String {
    let rows: String =
        (1..=12).map(|nth| month("H33030200090", &format!("2025-{nth:02}"), 100_000 * nth, "final")).collect();
    format!("{SETTLEMENTS}{rows}")
}

/// Number of rows in the bulk table, visible or not.
async fn staged(harness: &ImportHarness) -> usize {
    let read = harness.store.db.read("test");
    let (from, to) = ("2000-01".parse().unwrap(), "2030-12".parse().unwrap());
    // Marked as accepted while they are counted, so that invisible rows are included.
    let mut tx = harness.store.db.begin("test").await.unwrap();
    tx.execute(
        "UPDATE imports SET state = 'accepted', sha256 = id WHERE template = 'settlements' AND state = $1",
        vec![Arg::from("staging")],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    let rows = settlements::list_versions(&read, &["H33030200090".to_owned()], from, to).await.unwrap().len();
    let mut tx = harness.store.db.begin("test").await.unwrap();
    tx.execute(
        "UPDATE imports SET state = $1 WHERE template = 'settlements' AND sha256 = id",
        vec![Arg::from("staging")],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    rows
}

/// Runs an import until its seventh statement, in its second transaction, and kills it there.
async fn kill_midway(harness: &ImportHarness) {
    let path = harness.write("settlements.csv", year());
    let mut options = harness.options.clone();
    options.chunk_rows = 1;
    let importer = harness.importer();
    let midway = Arc::new(Notify::new());
    let reached = Arc::clone(&midway);
    let import = tokio::spawn(async move {
        let mut chunks = 0;
        let mut progress = |_| {
            chunks += 1;
            if chunks == 7 {
                reached.notify_one();
            }
        };
        // Dropped after the seventh statement.
        let running = importer.import(Template::Settlements, &path, &options, &mut progress);
        tokio::select! {
            biased;
            () = midway.notified() => {}
            done = running => { done.unwrap(); }
        }
    });
    import.await.unwrap();
}

both_engines! {
    a_killed_import_is_removed_whole_by_the_next_one,
    a_second_import_is_refused_while_one_runs,
}

/// A clerk's import is killed midway and started again.
async fn a_killed_import_is_removed_whole_by_the_next_one(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    kill_midway(&harness).await;
    let left = imports::list(&harness.store.db.read("test"), "staging").await.unwrap();
    assert_eq!(left.len(), 1);
    assert!(staged(&harness).await > 0, "it had staged rows");
    let report = harness.import(Template::Settlements, year()).await;
    assert_eq!((report.outcome, report.removed, report.accepted), (Outcome::Accepted, 1, 12));
    let read = harness.store.db.read("test");
    let discarded = imports::list(&read, "discarded").await.unwrap();
    assert_eq!(discarded.iter().map(|row| row.seq).collect::<Vec<_>>(), [left[0].seq]);
    let versions = settlements::list_versions(
        &read,
        &["H33030200090".to_owned()],
        "2025-01".parse().unwrap(),
        "2025-12".parse().unwrap(),
    )
    .await
    .unwrap();
    assert!(versions.len() == 12 && versions.iter().all(|row| row.version == 1));
    assert_eq!(staged(&harness).await, 12, "no row of the killed import is left");
}

/// Two clerks import at the same time.
async fn a_second_import_is_refused_while_one_runs(store: TestStore) {
    let harness = ImportHarness::with_subjects(store).await;
    let other = harness.importer_into(harness.store.reopen().await);
    let path = harness.write("settlements.csv", year());
    let again = path.clone();
    let options = harness.options.clone();
    let mut refused = None;
    let importer = harness.importer();
    let (started, mut first_started) = tokio::sync::mpsc::channel::<()>(1);
    let (go, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    let first = tokio::spawn(async move {
        let mut progress = |_| {
            started.try_send(()).unwrap();
            // The first import waits here until the second has been refused.
            tokio::task::block_in_place(|| gone.blocking_recv());
        };
        importer.import(Template::Settlements, &path, &options, &mut progress).await
    });
    first_started.recv().await.unwrap();
    refused.replace(other.import(Template::Settlements, &again, &harness.options, &mut |_| {}).await);
    go.send(()).await.unwrap();
    assert!(matches!(refused, Some(Err(ImportError::Busy))), "{refused:?}");
    assert_eq!(first.await.unwrap().unwrap().accepted, 12);
}

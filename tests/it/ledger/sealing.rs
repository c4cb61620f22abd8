//! Sealing: one tree from any number of sealers, and a checkpoint file that never contradicts it.

use std::sync::Arc;

use medcredit::ledger::{Faults, SealError};

use super::{
    fixture::{LedgerFixture, ORIGIN},
    vandal::vandalise,
};
use crate::support::{TestStore, both_engines};

both_engines! {
    recorded_entries_are_sealed_once,
    two_sealers_make_one_tree,
    an_entry_changed_before_sealing_does_not_become_genuine,
    a_sealer_seals_the_rest_at_shutdown,
    a_database_older_than_the_checkpoint_file_is_refused,
    a_checkpoint_file_that_contradicts_the_ledger_stops_the_sealer,
    a_new_epoch_continues_the_same_tree,
    a_rotated_key_continues_the_same_tree,
    an_entry_changed_before_sealing_is_not_sealed,
}

/// A gateway seals recorded entries in one order and writes the checkpoint file.
async fn recorded_entries_are_sealed_once(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let sealer = fixture.sealer();
    assert!(sealer.seal_once().await.unwrap().is_none());
    assert_eq!(fixture.checkpoint_file().read().await.unwrap(), None);
    fixture.record_many(300).await;
    let first = sealer.seal_once().await.unwrap().unwrap();
    assert_eq!((first.size, first.origin.as_str()), (300, ORIGIN));
    assert!(sealer.seal_once().await.unwrap().is_none());
    fixture.record_many(30).await;
    // Another sealer, without any state, continues from the tables.
    let second = fixture.sealer().seal_once().await.unwrap().unwrap();
    assert_eq!(second.size, 330);
    assert_eq!(
        fixture.checkpoint_file().read().await.unwrap(),
        medcredit::ledger::checkpoint(&fixture.store.db).await.unwrap()
    );
    // And the first notices that its state is outdated.
    fixture.record(1).await;
    assert_eq!(sealer.seal_once().await.unwrap().unwrap().size, 331);
    assert!(fixture.verify().await.sound());
}

/// Two gateways seal concurrently, many times: one tree, no leaf twice, and both continue.
async fn two_sealers_make_one_tree(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    let other = fixture.store.reopen().await;
    let sealers = [Arc::new(fixture.sealer()), Arc::new(fixture.sealer_with(other, Faults::default()))];
    let recorder = fixture.recorder();
    for _ in 0..15 {
        let mut tasks = Vec::new();
        for sealer in &sealers {
            let sealer = sealer.clone();
            tasks.push(tokio::spawn(async move { sealer.seal_once().await.map(|_| ()) }));
        }
        for _ in 0..20 {
            recorder.record(fixture.draft()).await.unwrap();
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
    while sealers[0].seal_once().await.unwrap().is_some() {}
    let report = fixture.verify().await;
    assert!(report.sound() && report.leaves == 300, "{report}");
}

/// A sealer that shares the recorder's cache makes the same tree as one that reads the tables, and an entry forged before
/// sealing does not become genuine.
async fn an_entry_changed_before_sealing_does_not_become_genuine(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    fixture.record_many(20).await;
    assert_eq!(fixture.sealer_with_cache().seal_once().await.unwrap().unwrap().size, 20);
    assert!(fixture.verify().await.sound());
    // A sealer without the cache reads the row: an entry that does not match its leaf stays in the queue.
    let ids = fixture.record_many(2).await;
    vandalise(&fixture, &format!("UPDATE ledger_entries SET body = '{{}}' WHERE id = '{}'", ids[0])).await;
    assert_eq!(fixture.sealer().seal_once().await.unwrap().unwrap().size, 21);
    assert_eq!(fixture.verify().await.waiting, 1);
    // Entry and leaf hash are both replaced by another entry's: they match each other, and not what was committed.
    let ids = fixture.record_many(2).await;
    vandalise(&fixture, &format!("UPDATE ledger_entries SET (body, leaf_hash) = (SELECT body, leaf_hash FROM ledger_entries WHERE id = '{}') WHERE id = '{}'", ids[1], ids[0])).await;
    assert!(fixture.sealer_with_cache().seal_once().await.unwrap().unwrap().size > 22, "with the cached leaf");
    let report = fixture.verify().await;
    assert!(!report.sound() && report.to_string().contains(&ids[0]), "{report}");
    assert!(matches!(fixture.sealer().seal_once().await, Err(SealError::Ledger(_))), "and the tree is not extended");
}

/// At shutdown a running sealer seals what is left in the queue.
async fn a_sealer_seals_the_rest_at_shutdown(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let sealer = fixture.sealer();
    let running = tokio::spawn(async move {
        sealer.run(async { drop(stopped.await) }).await;
        sealer.problem()
    });
    fixture.record_many(50).await;
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap(), None);
    let report = fixture.verify().await;
    assert!(report.sound() && report.leaves == 50 && report.waiting == 0, "{report}");
}

/// An operator restores an old database: the sealer refuses to continue and reports why.
async fn a_database_older_than_the_checkpoint_file_is_refused(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let sealer = fixture.sealer();
    fixture.record_many(10).await;
    sealer.seal_once().await.unwrap();
    fixture.record_many(10).await;
    sealer.seal_once().await.unwrap();
    let newest = fixture.checkpoint_file().read().await.unwrap();
    vandalise(
        &fixture,
        "DELETE FROM ledger_openings WHERE entry_id IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index >= 10); \
            DELETE FROM ledger_entries WHERE id IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index >= 10); \
            DELETE FROM ledger_leaves WHERE leaf_index >= 10; DELETE FROM ledger_checkpoints WHERE tree_size > 10",
    )
    .await;
    fixture.record_many(30).await;
    for sealer in [&sealer, &fixture.sealer()] {
        let refused = sealer.seal_once().await.unwrap_err();
        assert!(matches!(refused, SealError::CutOff { have: 10, had: 20 }), "{refused}");
    }
    assert_eq!(fixture.checkpoint_file().read().await.unwrap(), newest, "it is not made to go backwards");
    vandalise(&fixture, "DELETE FROM ledger_checkpoints; DELETE FROM ledger_leaves").await;
    assert!(matches!(fixture.sealer().seal_once().await.unwrap_err(), SealError::CutOff { have: 0, had: 20 }));
}

/// An operator configures another log's checkpoint file, or one with another history.
async fn a_checkpoint_file_that_contradicts_the_ledger_stops_the_sealer(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let sealer = fixture.sealer();
    fixture.record_many(10).await;
    sealer.seal_once().await.unwrap();
    let file = fixture.checkpoint_file();
    let ours = file.read().await.unwrap().unwrap();
    for wrong in ["", "nothing", &ours.replace("gateway", "getaway")] {
        std::fs::write(file.path(), wrong).unwrap();
        fixture.record(1).await;
        let refused = fixture.sealer().seal_once().await.unwrap_err();
        assert!(matches!(refused, SealError::ForeignCheckpointFile { .. }), "{refused}");
    }
    let sealer = fixture.sealer();
    sealer.run(std::future::ready(())).await;
    assert!(sealer.problem().unwrap().contains("does not hold a checkpoint of this log"));
    // The same log and key, with ten other leaves.
    let mut other = LedgerFixture::new(TestStore::sqlite().await).await;
    other.signer = fixture.signer.clone();
    // The same seed would make the same leaves.
    other.new_bank();
    other.record_many(10).await;
    other.sealer().seal_once().await.unwrap();
    std::fs::copy(other.checkpoint_file().path(), file.path()).unwrap();
    let refused = fixture.sealer().seal_once().await.unwrap_err();
    assert!(matches!(refused, SealError::Rewritten { size: 10 }), "{refused}");
    std::fs::write(file.path(), ours).unwrap();
    assert_eq!(fixture.sealer().seal_once().await.unwrap().unwrap().size, 13);
}

/// After a restore the epoch is raised: earlier checkpoints still verify, the other way round they do not.
async fn a_new_epoch_continues_the_same_tree(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    fixture.record_many(10).await;
    fixture.sealer().seal_once().await.unwrap();
    fixture.record_many(10).await;
    let next = fixture.sealer_of_origin("gateway.example/ledger/2");
    let sealed = next.seal_once().await.unwrap().unwrap();
    assert_eq!((sealed.size, sealed.origin.as_str()), (20, "gateway.example/ledger/2"));
    fixture.record(1).await;
    assert!(fixture.sealer().seal_once().await.is_err(), "a gateway of the former epoch does not seal any more");
}

/// An operator rotates the log's key: the tree continues, and each checkpoint verifies with the key that signed it.
async fn a_rotated_key_continues_the_same_tree(store: TestStore) {
    let mut fixture = LedgerFixture::new(store).await;
    fixture.record_many(3).await;
    fixture.sealer().seal_once().await.unwrap();
    fixture.rotate();
    // The checkpoint in the file still has the former key's signature, which suffices while nothing is added.
    assert!(fixture.sealer().seal_once().await.unwrap().is_none());
    fixture.record_many(3).await;
    fixture.sealer().seal_once().await.unwrap();
    let report = fixture.verify().await;
    assert!(report.sound() && report.checkpoints == 2, "{report}");
    fixture.former.clear();
    let report = fixture.verify().await;
    assert!(report.to_string().contains("checkpoint 3: no signature by a known key"), "{report}");
}

/// Somebody changes an entry in the second before it is sealed: it is not sealed.
async fn an_entry_changed_before_sealing_is_not_sealed(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let ids = fixture.record(3).await;
    vandalise(
        &fixture,
        &format!("UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = '{}'", ids[1]),
    )
    .await;
    assert_eq!(fixture.sealer().seal_once().await.unwrap().unwrap().size, 2);
    let report = fixture.verify().await;
    assert!(
        report.to_string().contains(&format!("entry {} (not in the tree): its text does not hash", ids[1])),
        "{report}"
    );
}

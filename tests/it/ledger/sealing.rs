//! Sealing: one tree whoever seals it, and a checkpoint outside that is never left to contradict it.

use std::sync::Arc;

use medcredit::ledger::{Faults, SealError};

use super::{
    vandal::vandalise,
    world::{ORIGIN, World},
};
use crate::support::{TestStore, both_engines};

both_engines! {
    what_was_recorded_is_sealed_once,
    two_sealers_make_one_tree,
    what_was_changed_before_it_was_sealed_is_not_made_genuine,
    a_running_sealer_leaves_nothing_behind,
    a_database_older_than_the_checkpoint_outside_is_refused,
    a_file_outside_that_contradicts_the_ledger_stops_the_sealer,
    a_new_epoch_goes_on_with_the_same_tree,
    a_rotated_key_signs_the_same_tree_on,
    an_entry_changed_before_sealing_is_not_sealed,
}

/// A gateway seals what was recorded, in one order, and the file outside has the checkpoint.
async fn what_was_recorded_is_sealed_once(store: TestStore) {
    let world = World::new(store).await;
    let sealer = world.sealer();
    assert!(sealer.seal_once().await.unwrap().is_none());
    assert_eq!(world.outside().read().await.unwrap(), None);
    world.record_many(300).await;
    let first = sealer.seal_once().await.unwrap().unwrap();
    assert_eq!((first.size, first.origin.as_str()), (300, ORIGIN));
    assert!(sealer.seal_once().await.unwrap().is_none());
    world.record_many(30).await;
    // Another sealer, which remembers nothing, goes on from the tables.
    let second = world.sealer().seal_once().await.unwrap().unwrap();
    assert_eq!(second.size, 330);
    assert_eq!(world.outside().read().await.unwrap(), medcredit::ledger::checkpoint(&world.store.db).await.unwrap());
    // And the first notices that its memory is old.
    world.record(1).await;
    assert_eq!(sealer.seal_once().await.unwrap().unwrap().size, 331);
    assert!(world.verify().await.sound());
}

/// Two gateways seal at the same time, many times: one tree, no leaf twice, and both go on.
async fn two_sealers_make_one_tree(store: TestStore) {
    let world = Arc::new(World::new(store).await);
    let other = world.store.reopen().await;
    let sealers = [Arc::new(world.sealer()), Arc::new(world.sealer_with(other, Faults::default()))];
    let recorder = world.recorder();
    for _ in 0..15 {
        let mut tasks = Vec::new();
        for sealer in &sealers {
            let sealer = sealer.clone();
            tasks.push(tokio::spawn(async move { sealer.seal_once().await.map(|_| ()) }));
        }
        for _ in 0..20 {
            recorder.record(world.draft()).await.unwrap();
        }
        for task in tasks {
            task.await.unwrap().unwrap();
        }
    }
    while sealers[0].seal_once().await.unwrap().is_some() {}
    let report = world.verify().await;
    assert!(report.sound() && report.leaves == 300, "{report}");
}

/// The sealer beside the recorder knows what was committed: the same tree as of one that reads it, and nothing forged
/// meanwhile becomes genuine.
async fn what_was_changed_before_it_was_sealed_is_not_made_genuine(store: TestStore) {
    let world = World::new(store).await;
    world.record_many(20).await;
    assert_eq!(world.sealer_beside().seal_once().await.unwrap().unwrap().size, 20);
    assert!(world.verify().await.sound());
    // One that remembers nothing reads the row: an entry that does not fit its leaf stays where it is.
    let ids = world.record_many(2).await;
    vandalise(&world, &format!("UPDATE ledger_entries SET body = '{{}}' WHERE id = '{}'", ids[0])).await;
    assert_eq!(world.sealer().seal_once().await.unwrap().unwrap().size, 21);
    assert_eq!(world.verify().await.waiting, 1);
    // An entry and its leaf, both exchanged for another's: each fits the other, and neither what was committed.
    let ids = world.record_many(2).await;
    vandalise(&world, &format!("UPDATE ledger_entries SET (body, leaf_hash) = (SELECT body, leaf_hash FROM ledger_entries WHERE id = '{}') WHERE id = '{}'", ids[1], ids[0])).await;
    assert!(world.sealer_beside().seal_once().await.unwrap().unwrap().size > 22, "with the leaf it was made with");
    let report = world.verify().await;
    assert!(!report.sound() && report.to_string().contains(&ids[0]), "{report}");
    assert!(matches!(world.sealer().seal_once().await, Err(SealError::Ledger(_))), "and nothing is built upon it");
}

/// The sealer runs until it is told to stop, and then seals what is left.
async fn a_running_sealer_leaves_nothing_behind(store: TestStore) {
    let world = Arc::new(World::new(store).await);
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let sealer = world.sealer();
    let running = tokio::spawn(async move {
        sealer.run(async { drop(stopped.await) }).await;
        sealer.problem()
    });
    world.record_many(50).await;
    stop.send(()).unwrap();
    assert_eq!(running.await.unwrap(), None);
    let report = world.verify().await;
    assert!(report.sound() && report.leaves == 50 && report.waiting == 0, "{report}");
}

/// An operator puts an old database in place: the sealer refuses to go on and says why.
async fn a_database_older_than_the_checkpoint_outside_is_refused(store: TestStore) {
    let world = World::new(store).await;
    let sealer = world.sealer();
    world.record_many(10).await;
    sealer.seal_once().await.unwrap();
    world.record_many(10).await;
    sealer.seal_once().await.unwrap();
    let newest = world.outside().read().await.unwrap();
    vandalise(
        &world,
        "DELETE FROM ledger_openings WHERE entry_id IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index >= 10); \
            DELETE FROM ledger_entries WHERE id IN (SELECT entry_id FROM ledger_leaves WHERE leaf_index >= 10); \
            DELETE FROM ledger_leaves WHERE leaf_index >= 10; DELETE FROM ledger_checkpoints WHERE tree_size > 10",
    )
    .await;
    world.record_many(30).await;
    for sealer in [&sealer, &world.sealer()] {
        let refused = sealer.seal_once().await.unwrap_err();
        assert!(matches!(refused, SealError::CutOff { have: 10, had: 20 }), "{refused}");
    }
    assert_eq!(world.outside().read().await.unwrap(), newest, "it is not made to go backwards");
    vandalise(&world, "DELETE FROM ledger_checkpoints; DELETE FROM ledger_leaves").await;
    assert!(matches!(world.sealer().seal_once().await.unwrap_err(), SealError::CutOff { have: 0, had: 20 }));
}

/// An operator points the gateway at another log's file, or at one with another history.
async fn a_file_outside_that_contradicts_the_ledger_stops_the_sealer(store: TestStore) {
    let world = World::new(store).await;
    let sealer = world.sealer();
    world.record_many(10).await;
    sealer.seal_once().await.unwrap();
    let file = world.outside();
    let ours = file.read().await.unwrap().unwrap();
    for wrong in ["", "nothing", &ours.replace("gateway", "getaway")] {
        std::fs::write(file.path(), wrong).unwrap();
        world.record(1).await;
        let refused = world.sealer().seal_once().await.unwrap_err();
        assert!(matches!(refused, SealError::ForeignOutside { .. }), "{refused}");
    }
    let sealer = world.sealer();
    sealer.run(std::future::ready(())).await;
    assert!(sealer.problem().unwrap().contains("holds none of this log"));
    // The same log and key, with ten other leaves.
    let mut other = World::new(TestStore::sqlite().await).await;
    other.signer = world.signer.clone();
    // The same seed would make the same leaves.
    other.new_bank();
    other.record_many(10).await;
    other.sealer().seal_once().await.unwrap();
    std::fs::copy(other.outside().path(), file.path()).unwrap();
    let refused = world.sealer().seal_once().await.unwrap_err();
    assert!(matches!(refused, SealError::Rewritten { size: 10 }), "{refused}");
    std::fs::write(file.path(), ours).unwrap();
    assert_eq!(world.sealer().seal_once().await.unwrap().unwrap().size, 13);
}

/// After a restore the epoch is raised: earlier checkpoints still verify, the other way round they do not.
async fn a_new_epoch_goes_on_with_the_same_tree(store: TestStore) {
    let world = World::new(store).await;
    world.record_many(10).await;
    world.sealer().seal_once().await.unwrap();
    world.record_many(10).await;
    let next = world.sealer_of(world.store.db.clone(), Faults::default(), "gateway.example/ledger/2");
    let sealed = next.seal_once().await.unwrap().unwrap();
    assert_eq!((sealed.size, sealed.origin.as_str()), (20, "gateway.example/ledger/2"));
    world.record(1).await;
    assert!(world.sealer().seal_once().await.is_err(), "a gateway of the former epoch does not seal any more");
}

/// An operator rotates the log's key: the tree goes on, and each checkpoint verifies with the key that signed it.
async fn a_rotated_key_signs_the_same_tree_on(store: TestStore) {
    let mut world = World::new(store).await;
    world.record_many(3).await;
    world.sealer().seal_once().await.unwrap();
    world.rotate();
    // What is outside is still the former key's, which is enough while nothing is added.
    assert!(world.sealer().seal_once().await.unwrap().is_none());
    world.record_many(3).await;
    world.sealer().seal_once().await.unwrap();
    let report = world.verify().await;
    assert!(report.sound() && report.checkpoints == 2, "{report}");
    world.former.clear();
    let report = world.verify().await;
    assert!(report.to_string().contains("checkpoint 3: no signature by a known key"), "{report}");
}

/// Somebody changes an entry in the second before it is sealed: it is not made genuine.
async fn an_entry_changed_before_sealing_is_not_sealed(store: TestStore) {
    let world = World::new(store).await;
    let ids = world.record(3).await;
    vandalise(
        &world,
        &format!("UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = '{}'", ids[1]),
    )
    .await;
    assert_eq!(world.sealer().seal_once().await.unwrap().unwrap().size, 2);
    let report = world.verify().await;
    assert!(
        report.to_string().contains(&format!("entry {} (not in the tree): its text does not hash", ids[1])),
        "{report}"
    );
}

//! The fault table: each step of recording and sealing fails, fails though it was done, or kills the process. Each row
//! says what the bank saw and what the ledger holds (I1).

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use medcredit::{
    domain::{ManualClock, SeededEntropy},
    identity::{KeyPair, SharedSigner, Suite},
    ledger::{Faults, FixedKeys, LeafCache, RecordError, Recorder, RecorderOptions, Sealer, SealerOptions, Step},
    store::{Db, DbError},
};

use super::world::{ORIGIN, World, broken, contention, draft, fail_at};
use crate::support::{TestStore, block_on, both_engines, cluster::cluster, store::Place, store::START};

/// Step, the error, how often, whether the answer is released, how many entries there are then.
const RECORDING: &[(Step, fn() -> DbError, usize, bool, i64)] = &[
    (Step::Begin, broken, 1, false, 0),
    (Step::Lock, broken, 1, false, 0),
    (Step::ReadVersions, broken, 1, false, 0),
    (Step::Budget, broken, 1, false, 0),
    (Step::Insert, broken, 1, false, 0),
    // Failed, and not persisted.
    (Step::Commit, broken, 1, false, 0),
    // Failed, but persisted: recorded and never released.
    (Step::Committed, broken, 1, false, 1),
    // Nobody knows: it is not tried again, because it may be there.
    (Step::Committed, contention, 1, false, 1),
    // In the way of another transaction: tried again, and then released once.
    (Step::Begin, contention, 1, true, 1),
    (Step::Lock, contention, 4, true, 1),
    (Step::ReadVersions, contention, 1, true, 1),
    (Step::Budget, contention, 1, true, 1),
    (Step::Insert, contention, 4, true, 1),
    (Step::Commit, contention, 1, true, 1),
    // In the way for too long.
    (Step::Insert, contention, 5, false, 0),
];

/// Step, leaves after it, leaves the file outside covers after it.
const SEALING: &[(Step, u64, u64)] = &[
    (Step::SealRead, 2, 2),
    (Step::SealInsert, 2, 2),
    (Step::SealCommit, 2, 2),
    // Committed, and the file outside not yet: it is one checkpoint behind.
    (Step::SealCommitted, 5, 2),
    (Step::OutsideRename, 5, 2),
    // Renamed, and the directory not synced: this time the new name was kept.
    (Step::OutsideSync, 5, 5),
];

async fn covered(world: &World) -> u64 {
    let note = world.outside().read().await.unwrap().unwrap_or_default();
    note.lines().nth(1).map_or(0, |size| size.parse().unwrap())
}

/// The next round, of a sealer that remembers nothing, puts everything right.
async fn recovers(world: &World, leaves: u64, what: &str) {
    let sealer = world.sealer();
    while sealer.seal_once().await.unwrap().is_some() {}
    let report = world.verify().await;
    assert!(report.sound() && report.leaves == leaves && report.waiting == 0, "{what}: {report}");
    assert_eq!(covered(world).await, leaves, "{what}");
}

/// Runs this binary again for one step, at which it aborts. Returns what it printed.
fn killed(world: &World, what: &str, step: Step) -> String {
    let place = match world.store.place() {
        Place::Sqlite(directory) => directory.path().display().to_string(),
        Place::Postgres { database } => cluster().url(database),
    };
    let seed = data_encoding::HEXLOWER.encode(&world.pkcs8);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::faults::a_process_that_is_killed", "--nocapture"])
        .env("MEDCREDIT_TEST_KILLED", format!("{what}|{step:?}|{place}|{}|{}", world.bank, world.consent))
        .env("MEDCREDIT_TEST_KEY", seed)
        .env("MEDCREDIT_TEST_OUTSIDE", world.outside().path())
        .output()
        .unwrap();
    assert!(!output.status.success(), "{what} at {step:?}: it was to be killed");
    String::from_utf8(output.stdout).unwrap()
}

/// What the killed process does: nothing, in an ordinary run of the tests.
#[test]
fn a_process_that_is_killed() {
    let Ok(task) = std::env::var("MEDCREDIT_TEST_KILLED") else { return };
    let [what, step, place, bank, consent] = task.split('|').collect::<Vec<_>>().try_into().unwrap();
    let step = step.to_owned();
    let faults = Faults::new(move |at| {
        if format!("{at:?}") == step {
            std::process::abort();
        }
        async { Ok(()) }
    });
    block_on(async {
        let clock = ManualClock::new(START.parse().unwrap());
        let db = if place.starts_with("postgres:") {
            Db::open_postgres(place, 2).await.unwrap()
        } else {
            Db::open_sqlite(place.as_ref()).await.unwrap()
        };
        if what == "record" {
            let recorder = Recorder::start(db, clock.clone(), RecorderOptions { faults, ..RecorderOptions::default() });
            let entropy = SeededEntropy::new(u64::from(std::process::id()));
            let draft = draft(&*clock, &*entropy, bank.parse().unwrap(), consent.parse().unwrap());
            if recorder.record(draft).await.is_ok() {
                println!("released");
            }
        } else {
            let pkcs8 =
                data_encoding::HEXLOWER.decode(std::env::var("MEDCREDIT_TEST_KEY").unwrap().as_bytes()).unwrap();
            let signer: SharedSigner = std::sync::Arc::new(KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8).unwrap());
            let options = SealerOptions {
                origin: ORIGIN.into(),
                outside: std::env::var_os("MEDCREDIT_TEST_OUTSIDE").map(Into::into),
                interval: Duration::from_secs(1),
                round: 1024,
                fresh: LeafCache::default(),
                faults,
            };
            let keys = std::sync::Arc::new(FixedKeys::new(signer, Vec::new()));
            drop(Sealer::new(db, clock, keys, options).seal_once().await);
        }
    });
}

both_engines! {
    a_recording_that_fails_releases_nothing,
    a_database_that_hangs_holds_nobody_for_ever,
    a_process_killed_while_recording_has_released_nothing,
    a_sealing_that_fails_leaves_a_tree_to_go_on_with,
    a_process_killed_while_sealing_leaves_a_tree_to_go_on_with,
}

/// A bank reads while a step fails: it gets its answer with a record, or 503 and none.
async fn a_recording_that_fails_releases_nothing(store: TestStore) {
    let world = World::new(store).await;
    let mut expected = 0;
    // Where uses are counted, each step is a turn of its own.
    let counted = [None, Some(1000)];
    for ((step, error, times, released, entries), max_fetches) in
        RECORDING.iter().flat_map(|line| counted.map(|max| (line, max)))
    {
        let recorder = world.recorder_with(world.store.db.clone(), fail_at(*step, *times, *error));
        let mut draft = world.draft();
        draft.budget.max_fetches = max_fetches;
        let outcome = recorder.record(draft).await;
        match outcome {
            Ok(_) => assert!(released, "{step:?} {max_fetches:?}"),
            Err(RecordError::Unavailable(_)) => assert!(!released, "{step:?} {times} {max_fetches:?}"),
            Err(other) => panic!("{step:?}: {other}"),
        }
        expected += entries;
        assert_eq!(world.entries().await, expected, "{step:?} {times} {max_fetches:?}");
        // The recorder goes on as if nothing had been.
        recorder.record(world.draft()).await.unwrap();
        expected += 1;
        recorder.shutdown().await;
    }
    recovers(&world, u64::try_from(expected).unwrap(), "recording").await;
}

/// The database hangs while a bank waits: it is told in time, and the next one is answered.
async fn a_database_that_hangs_holds_nobody_for_ever(store: TestStore) {
    let world = World::new(store).await;
    let steps = [Step::Lock, Step::Insert, Step::Commit, Step::Committed];
    // Where uses are counted, each step is a turn of its own.
    for (step, max_fetches) in steps.into_iter().flat_map(|step| [(step, None), (step, Some(1000))]) {
        let hung = AtomicBool::new(false);
        let faults = Faults::new(move |at| {
            let hangs = at == step && !hung.swap(true, Ordering::SeqCst);
            async move { if hangs { std::future::pending().await } else { Ok(()) } }
        });
        let options = RecorderOptions { faults, limit: Duration::from_millis(100), ..RecorderOptions::default() };
        let recorder = Recorder::start(world.store.db.clone(), world.store.clock.clone(), options);
        let mut draft = world.draft();
        draft.budget.max_fetches = max_fetches;
        let outcome = recorder.record(draft).await;
        assert!(matches!(outcome, Err(RecordError::Unavailable(_))), "{step:?} {max_fetches:?}");
        drop(recorder);
        // With a limit that a busy machine keeps to.
        world.record(1).await;
    }
    assert_eq!(world.entries().await, 10, "two of them were committed before it hung");
    recovers(&world, 10, "a database that hung").await;
}

/// The process is killed at a step while a bank waits: no answer, and a record only when it was committed.
async fn a_process_killed_while_recording_has_released_nothing(store: TestStore) {
    let world = World::new(store).await;
    let mut expected = 0;
    for (step, entries) in [
        (Step::Begin, 0),
        (Step::Lock, 0),
        (Step::ReadVersions, 0),
        (Step::Budget, 0),
        (Step::Insert, 0),
        (Step::Commit, 0),
        (Step::Committed, 1),
    ] {
        let said = killed(&world, "record", step);
        assert!(!said.contains("released"), "{step:?}");
        expected += entries;
        assert_eq!(world.entries().await, expected, "{step:?}");
    }
    recovers(&world, 1, "killed while recording").await;
}

/// A sealer's step fails: the tree is extended whole or not at all, and the next round goes on.
async fn a_sealing_that_fails_leaves_a_tree_to_go_on_with(store: TestStore) {
    let world = World::new(store).await;
    let mut sealed = 0;
    for (step, leaves, outside) in SEALING {
        world.record(2).await;
        recovers(&world, sealed + 2, "before").await;
        world.record(3).await;
        let sealer = world.sealer_with(world.store.db.clone(), fail_at(*step, 1, broken));
        sealer.seal_once().await.unwrap_err();
        let count = world.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_leaves").await;
        assert_eq!(u64::try_from(count), Ok(sealed + leaves), "{step:?}");
        assert_eq!(covered(&world).await, sealed + outside, "{step:?}");
        // The same sealer goes on by itself.
        world.record(1).await;
        while sealer.seal_once().await.unwrap().is_some() {}
        sealed += 6;
        recovers(&world, sealed, "a failed sealing").await;
    }
}

/// A sealer is killed at a step: the same, with nothing remembered.
async fn a_process_killed_while_sealing_leaves_a_tree_to_go_on_with(store: TestStore) {
    let world = World::new(store).await;
    let mut expected = 0;
    for (step, ..) in SEALING {
        world.record(3).await;
        expected += 3;
        killed(&world, "seal", *step);
        recovers(&world, expected, "a killed sealer").await;
    }
}

/// Another process has SQLite's write lock and does not give it up: a bank is told in time, what it was told of is not
/// recorded later, and the next one is answered.
#[test]
fn a_lock_of_another_process_holds_nobody_for_ever() {
    block_on(async {
        let world = World::new(TestStore::sqlite().await).await;
        let options = RecorderOptions { limit: Duration::from_millis(200), ..RecorderOptions::default() };
        let recorder = Recorder::start(world.store.db.clone(), world.store.clock.clone(), options);
        world.record(1).await;
        let other = world.store.reopen().await;
        let held = other.begin("test").await.unwrap();
        let refused = recorder.record(world.draft()).await.unwrap_err();
        assert!(matches!(&refused, RecordError::Unavailable(why) if why.contains("in time")), "{refused}");
        drop(held);
        // With a limit that a busy machine keeps to.
        world.record(1).await;
        assert_eq!(world.entries().await, 2);
        recovers(&world, 2, "a lock that was held").await;
    });
}

/// The server's processes for the appends stand still and hold their connections: banks are told in time, and the next
/// answers go over other connections.
#[test]
fn a_connection_that_says_nothing_is_left_behind() {
    block_on(async {
        let world = World::new(TestStore::postgres().await).await;
        let Place::Postgres { database } = world.store.place() else { panic!("on PostgreSQL") };
        let options = RecorderOptions { limit: Duration::from_millis(300), ..RecorderOptions::default() };
        let recorder = Recorder::start(world.store.db.clone(), world.store.clock.clone(), options);
        recorder.record(world.draft()).await.unwrap();
        let standing = cluster().signal_those_that_ran(database, "ledger::record", "-STOP").await;
        assert!(standing > 0);
        let mut refused = 0;
        while let Err(error) = recorder.record(world.draft()).await {
            assert!(matches!(&error, RecordError::Unavailable(why) if why.contains("in time")), "{error}");
            refused += 1;
            assert!(refused <= standing, "a connection that stands still is used again");
        }
        assert_eq!(refused, standing);
        assert_eq!(cluster().signal_those_that_ran(database, "ledger::record", "-CONT").await, standing + 1);
    });
}

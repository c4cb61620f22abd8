//! The fault table: each step of recording and sealing fails, fails after its work, or kills the process. Each row states
//! what the bank sees and what the ledger holds (I1).

use std::{
    process::Command,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use medcredit::{
    domain::{ClockTrust, ManualClock, SeededEntropy},
    identity::{KeyPair, SharedSigner, Suite},
    ledger::{
        Faults, FixedKeys, History, LeafCache, RecordError, Recorder, RecorderOptions, Sealer, SealerOptions, Step,
    },
    store::{Db, DbError},
};

use super::fixture::{LedgerFixture, ORIGIN, broken, contention, draft, fail_at};
use crate::support::{TestStore, block_on, both_engines, cluster::cluster, store::START, store::StoreLocation};

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
    // The outcome is unknown: not tried again, because the record may exist.
    (Step::Committed, contention, 1, false, 1),
    // A conflict with another transaction: tried again, and then released once.
    (Step::Begin, contention, 1, true, 1),
    (Step::Lock, contention, 4, true, 1),
    (Step::ReadVersions, contention, 1, true, 1),
    (Step::Budget, contention, 1, true, 1),
    (Step::Insert, contention, 4, true, 1),
    (Step::Commit, contention, 1, true, 1),
    // Conflicts until no attempt is left.
    (Step::Insert, contention, 5, false, 0),
];

/// Step, leaves after it, leaves that the checkpoint file covers after it.
const SEALING: &[(Step, u64, u64)] = &[
    (Step::SealRead, 2, 2),
    (Step::SealInsert, 2, 2),
    (Step::SealCommit, 2, 2),
    // Committed, with the checkpoint file one checkpoint behind.
    (Step::SealCommitted, 5, 2),
    (Step::CheckpointFileRename, 5, 2),
    // Renamed, and the directory not synced: this time the new name was kept.
    (Step::CheckpointFileSync, 5, 5),
];

async fn covered(fixture: &LedgerFixture) -> u64 {
    let note = fixture.checkpoint_file().read().await.unwrap().unwrap_or_default();
    note.lines().nth(1).map_or(0, |size| size.parse().unwrap())
}

/// The next round, of a sealer without any state, repairs everything.
async fn recovers(fixture: &LedgerFixture, leaves: u64, what: &str) {
    let sealer = fixture.sealer();
    while sealer.seal_once().await.unwrap().is_some() {}
    let report = fixture.verify().await;
    assert!(report.sound() && report.leaves == leaves && report.waiting == 0, "{what}: {report}");
    assert_eq!(covered(fixture).await, leaves, "{what}");
}

/// Runs this binary again for one step, at which it aborts. Returns what it printed.
fn killed(fixture: &LedgerFixture, what: &str, step: Step) -> String {
    let place = match fixture.store.location() {
        StoreLocation::Sqlite(directory) => directory.path().display().to_string(),
        StoreLocation::Postgres { database } => cluster().url(database),
    };
    let seed = data_encoding::HEXLOWER.encode(&fixture.pkcs8);
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "ledger::faults::a_process_that_is_killed", "--nocapture"])
        .env("MEDCREDIT_TEST_KILLED", format!("{what}|{step:?}|{place}|{}|{}", fixture.bank, fixture.consent))
        .env("MEDCREDIT_TEST_KEY", seed)
        .env("MEDCREDIT_TEST_OUTSIDE", fixture.checkpoint_file().path())
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
                checkpoint_file: std::env::var_os("MEDCREDIT_TEST_OUTSIDE").map(Into::into),
                interval: Duration::from_secs(1),
                round: 1024,
                leaf_cache: LeafCache::default(),
                history: History::default(),
                clock_trust: ClockTrust::default(),
                faults,
            };
            let keys = std::sync::Arc::new(FixedKeys::new(signer, Vec::new()));
            drop(Sealer::new(db, clock, keys, options).seal_once().await);
        }
    });
}

both_engines! {
    a_recording_that_fails_releases_nothing,
    a_hanging_database_delays_answers_only_up_to_the_limit,
    one_limit_is_for_all_attempts_and_for_the_queue,
    a_process_killed_while_recording_has_released_nothing,
    a_failed_sealing_leaves_a_tree_that_can_be_extended,
    a_process_killed_while_sealing_leaves_a_tree_that_can_be_extended,
}

/// A bank reads while a step fails: it gets its answer with a record, or 503 and none.
async fn a_recording_that_fails_releases_nothing(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let mut expected = 0;
    // With a counted budget each step is a round trip of its own.
    let counted = [None, Some(1000)];
    for ((step, error, times, released, entries), max_fetches) in
        RECORDING.iter().flat_map(|line| counted.map(|max| (line, max)))
    {
        let recorder = fixture.recorder_with(fixture.store.db.clone(), fail_at(*step, *times, *error));
        let mut draft = fixture.draft();
        draft.budget.max_fetches = max_fetches;
        let outcome = recorder.record(draft).await;
        match outcome {
            Ok(_) => assert!(released, "{step:?} {max_fetches:?}"),
            Err(RecordError::Unavailable(_)) => assert!(!released, "{step:?} {times} {max_fetches:?}"),
            Err(other) => panic!("{step:?}: {other}"),
        }
        expected += entries;
        assert_eq!(fixture.entries().await, expected, "{step:?} {times} {max_fetches:?}");
        // The recorder continues normally.
        recorder.record(fixture.draft()).await.unwrap();
        expected += 1;
        recorder.shutdown().await;
    }
    recovers(&fixture, u64::try_from(expected).unwrap(), "recording").await;
}

/// The database hangs while a bank waits: its request fails within the limit, and the next one is answered.
async fn a_hanging_database_delays_answers_only_up_to_the_limit(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let steps = [Step::Lock, Step::Insert, Step::Commit, Step::Committed];
    // With a counted budget each step is a round trip of its own.
    for (step, max_fetches) in steps.into_iter().flat_map(|step| [(step, None), (step, Some(1000))]) {
        let hung = AtomicBool::new(false);
        let faults = Faults::new(move |at| {
            let hangs = at == step && !hung.swap(true, Ordering::SeqCst);
            async move { if hangs { std::future::pending().await } else { Ok(()) } }
        });
        // Long enough for a busy machine to commit, which two of these have to.
        let options = RecorderOptions { faults, limit: Duration::from_secs(1), ..RecorderOptions::default() };
        let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
        let mut draft = fixture.draft();
        draft.budget.max_fetches = max_fetches;
        let outcome = recorder.record(draft).await;
        assert!(matches!(outcome, Err(RecordError::Unavailable(_))), "{step:?} {max_fetches:?}");
        drop(recorder);
        // With a limit that suffices on a busy machine.
        fixture.record(1).await;
    }
    assert_eq!(fixture.entries().await, 10, "two of them were committed before it hung");
    recovers(&fixture, 10, "a database that hung").await;
}

/// Every attempt meets a conflict and takes its time, and every batch hangs: a bank waits for one limit, whatever was tried
/// for it and however many batches are before its own.
async fn one_limit_is_for_all_attempts_and_for_the_queue(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let limit = Duration::from_secs(1);
    let (attempts, seen) = (std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0)), Duration::from_millis(600));
    let counting = attempts.clone();
    let slow = Faults::new(move |at| {
        let counting = counting.clone();
        async move {
            if at != Step::Insert {
                return Ok(());
            }
            counting.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(seen).await;
            Err(contention())
        }
    });
    let options = RecorderOptions { faults: slow, limit, ..RecorderOptions::default() };
    let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
    let refused = recorder.record(fixture.draft()).await.unwrap_err();
    assert!(matches!(&refused, RecordError::Unavailable(why) if why.contains("in time")), "{refused}");
    assert_eq!(attempts.load(Ordering::SeqCst), 2);
    assert!(recorder.problem().is_some_and(|why| why.contains("in time")), "not ready");
    let hanging = Faults::new(|at| async move { if at == Step::Lock { std::future::pending().await } else { Ok(()) } });
    let options = RecorderOptions { faults: hanging, limit, max_batch: 1, ..RecorderOptions::default() };
    let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
    // One batch each; at most two are in progress.
    let waiting = (0..8).map(|_| recorder.record(fixture.draft()));
    let started_at = tokio::time::Instant::now();
    for outcome in futures_util::future::join_all(waiting).await {
        assert!(matches!(outcome, Err(RecordError::Unavailable(_))), "{outcome:?}");
    }
    assert!(started_at.elapsed() < limit * 2, "{:?}", started_at.elapsed());
    assert_eq!(fixture.entries().await, 0);
}

/// The process is killed at a step while a bank waits: no answer, and a record only when it was committed.
async fn a_process_killed_while_recording_has_released_nothing(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
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
        let said = killed(&fixture, "record", step);
        assert!(!said.contains("released"), "{step:?}");
        expected += entries;
        assert_eq!(fixture.entries().await, expected, "{step:?}");
    }
    recovers(&fixture, 1, "killed while recording").await;
}

/// A sealer's step fails: the tree is extended completely or not at all, and the next round continues.
async fn a_failed_sealing_leaves_a_tree_that_can_be_extended(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let mut sealed = 0;
    for (step, leaves, outside) in SEALING {
        fixture.record(2).await;
        recovers(&fixture, sealed + 2, "before").await;
        fixture.record(3).await;
        let sealer = fixture.sealer_with(fixture.store.db.clone(), fail_at(*step, 1, broken));
        sealer.seal_once().await.unwrap_err();
        let count = fixture.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_leaves").await;
        assert_eq!(u64::try_from(count), Ok(sealed + leaves), "{step:?}");
        assert_eq!(covered(&fixture).await, sealed + outside, "{step:?}");
        // The same sealer continues by itself.
        fixture.record(1).await;
        while sealer.seal_once().await.unwrap().is_some() {}
        sealed += 6;
        recovers(&fixture, sealed, "a failed sealing").await;
    }
}

/// A sealer is killed at a step: the same, without any state.
async fn a_process_killed_while_sealing_leaves_a_tree_that_can_be_extended(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let mut expected = 0;
    for (step, ..) in SEALING {
        fixture.record(3).await;
        expected += 3;
        killed(&fixture, "seal", *step);
        recovers(&fixture, expected, "a killed sealer").await;
    }
}

/// Another process holds SQLite's write lock: a bank's request fails within the limit, it is not recorded later, and the
/// next one is answered.
#[test]
fn a_lock_of_another_process_delays_answers_only_up_to_the_limit() {
    block_on(async {
        let fixture = LedgerFixture::new(TestStore::sqlite().await).await;
        let options = RecorderOptions { limit: Duration::from_millis(200), ..RecorderOptions::default() };
        let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
        fixture.record(1).await;
        let other = fixture.store.reopen().await;
        let held = other.begin("test").await.unwrap();
        let refused = recorder.record(fixture.draft()).await.unwrap_err();
        assert!(matches!(&refused, RecordError::Unavailable(why) if why.contains("in time")), "{refused}");
        drop(held);
        // With a limit that suffices on a busy machine.
        fixture.record(1).await;
        assert_eq!(fixture.entries().await, 2);
        recovers(&fixture, 2, "a lock that was held").await;
    });
}

/// The server processes of the append connections freeze: requests fail within the limit, and the next answers use new
/// connections.
#[test]
fn a_frozen_connection_is_replaced() {
    block_on(async {
        let fixture = LedgerFixture::new(TestStore::postgres().await).await;
        let StoreLocation::Postgres { database } = fixture.store.location() else { panic!("on PostgreSQL") };
        // Long enough for a busy machine to start the server process of a new connection, which has to be answered.
        let options = RecorderOptions { limit: Duration::from_secs(2), ..RecorderOptions::default() };
        let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
        recorder.record(fixture.draft()).await.unwrap();
        let frozen = cluster().signal_backends(database, "ledger::record", "-STOP").await;
        assert!(frozen > 0);
        let mut refused = 0;
        while let Err(error) = recorder.record(fixture.draft()).await {
            assert!(matches!(&error, RecordError::Unavailable(why) if why.contains("in time")), "{error}");
            refused += 1;
            assert!(refused <= frozen, "a frozen connection is used again");
        }
        assert_eq!(refused, frozen);
        assert_eq!(cluster().signal_backends(database, "ledger::record", "-CONT").await, frozen + 1);
    });
}

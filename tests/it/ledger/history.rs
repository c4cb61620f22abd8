//! The history in the database compared with the checkpoints outside it (I9).

use medcredit::{
    ledger::{
        CheckpointFile, Faults, HistoryMonitor, HistoryState, RecordError, SealError, Step, checkpoint, current_epoch,
        establish_epoch, journal_beside, raise_epoch,
    },
    store::{Db, DbError, EndJournal, NewEnd},
};

use super::{
    fixture::{LedgerFixture, broken, fail_at},
    vandal::{turn_back, vandalise},
};
use crate::support::{TestStore, both_engines};

both_engines! {
    a_new_log_has_a_checkpoint_file_before_it_is_sealed,
    every_gateway_stores_a_newer_checkpoint,
    sealing_during_a_poll_is_not_taken_for_a_rollback,
    a_database_that_was_turned_back_is_behind,
    a_second_history_is_found,
    a_missing_file_is_known_only_to_a_process_that_remembers,
    a_checkpoint_that_cannot_be_verified_is_unknown,
    nothing_is_recorded_or_sealed_while_the_history_is_not_current,
    an_append_to_a_database_that_lost_an_entry_is_refused,
    a_process_of_a_former_epoch_records_and_seals_nothing,
    gateways_agree_on_the_epoch_in_the_database,
    every_journal_gets_every_end,
    a_database_that_lost_an_end_is_behind,
    an_end_is_not_acknowledged_without_its_journal,
}

/// A poll.
async fn judge(monitor: &HistoryMonitor) -> HistoryState {
    monitor.judge(&monitor.read().await.unwrap()).await.unwrap();
    HistoryState::clone(&monitor.history().state())
}

async fn seal(fixture: &LedgerFixture, count: usize) -> u64 {
    fixture.record_many(count).await;
    fixture.sealer().seal_once().await.unwrap().unwrap().size
}

async fn note(fixture: &LedgerFixture, file: &str) -> Option<String> {
    CheckpointFile::new(fixture.directory.path().join(file)).read().await.unwrap()
}

/// A gateway opens a new log, and is killed after its first sealing, before the checkpoint file is replaced.
async fn a_new_log_has_a_checkpoint_file_before_it_is_sealed(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let monitor = fixture.monitor("checkpoint");
    assert_eq!(monitor.examine().await.unwrap(), HistoryState::Current);
    assert_eq!(note(&fixture, "checkpoint").await, None, "an examination writes nothing");
    std::fs::write(fixture.checkpoint_file().path(), "").unwrap();
    assert!(matches!(judge(&monitor).await, HistoryState::Unverifiable(_)), "a file that was cut off");
    std::fs::remove_file(fixture.checkpoint_file().path()).unwrap();
    assert_eq!(judge(&monitor).await, HistoryState::Current);
    let empty = note(&fixture, "checkpoint").await.unwrap();
    assert_eq!(empty.lines().nth(1), Some("0"));
    fixture.record_many(5).await;
    let killed = fixture.sealer_of_history(monitor.history(), fail_at(Step::SealCommitted, 1, broken));
    assert!(killed.seal_once().await.is_err());
    assert_eq!(note(&fixture, "checkpoint").await.unwrap(), empty);
    let restarted = fixture.monitor("checkpoint");
    assert_eq!(judge(&restarted).await, HistoryState::Current);
    assert_eq!(note(&fixture, "checkpoint").await, checkpoint(&fixture.store.db).await.unwrap());
    assert_eq!(seal(&fixture, 5).await, 10);
    assert!(fixture.verify().await.sound());
}

/// A gateway that seals nothing follows one that does: its own file has the newest checkpoint within a poll.
async fn every_gateway_stores_a_newer_checkpoint(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let other = fixture.monitor("other");
    assert_eq!(judge(&other).await, HistoryState::Current);
    for leaves in [300, 1, 300] {
        seal(&fixture, leaves).await;
        assert_ne!(note(&fixture, "other").await, note(&fixture, "checkpoint").await);
        assert_eq!(judge(&other).await, HistoryState::Current);
        assert_eq!(note(&fixture, "other").await, note(&fixture, "checkpoint").await);
    }
}

/// The gateway seals between the parts of its own poll.
async fn sealing_during_a_poll_is_not_taken_for_a_rollback(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let monitor = fixture.monitor("checkpoint");
    let sealer = fixture.sealer_of_history(monitor.history(), Faults::default());
    for _ in 0..3 {
        let sighting = monitor.read().await.unwrap();
        fixture.record_many(5).await;
        sealer.seal_once().await.unwrap().unwrap();
        monitor.judge(&sighting).await.unwrap();
        assert_eq!(*monitor.history().state(), HistoryState::Current);
        assert_eq!(note(&fixture, "checkpoint").await, checkpoint(&fixture.store.db).await.unwrap());
    }
}

/// An old database is put in place: for the running gateway, after a restart, and for one that sealed nothing of it.
async fn a_database_that_was_turned_back_is_behind(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let (sealing, other) = (fixture.monitor("checkpoint"), fixture.monitor("other"));
    seal(&fixture, 10).await;
    std::fs::copy(fixture.directory.path().join("checkpoint"), fixture.directory.path().join("other")).unwrap();
    assert_eq!(seal(&fixture, 10).await, 20);
    let newest = note(&fixture, "checkpoint").await;
    for monitor in [&sealing, &other] {
        assert_eq!(judge(monitor).await, HistoryState::Current);
    }
    turn_back(&fixture.store, 10).await;
    let behind = HistoryState::Behind { store: 10, known: 20 };
    for monitor in [&sealing, &other, &fixture.monitor("checkpoint"), &fixture.monitor("other")] {
        assert_eq!(judge(monitor).await, behind);
        assert_eq!(monitor.history().require_current().unwrap_err().code, "history_behind");
        assert!(monitor.history().require_current().unwrap_err().context.unwrap().contains("20 leaves"));
    }
    for file in ["checkpoint", "other"] {
        assert_eq!(note(&fixture, file).await, newest, "it is not turned back with the database");
        // The memory of a process is enough.
        std::fs::remove_file(fixture.directory.path().join(file)).unwrap();
    }
    assert_eq!(judge(&sealing).await, behind);
    // Turned back to nothing.
    turn_back(&fixture.store, 0).await;
    assert_eq!(judge(&other).await, HistoryState::Behind { store: 0, known: 20 });
}

/// After a failover a gateway that knows less seals other entries: one that saw the first history refuses the second.
async fn a_second_history_is_found(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    seal(&fixture, 10).await;
    seal(&fixture, 5).await;
    let monitor = fixture.monitor("checkpoint");
    assert_eq!(judge(&monitor).await, HistoryState::Current);
    // As large as the first, and larger.
    for (more, store) in [(5, 15), (10, 20)] {
        turn_back(&fixture.store, 10).await;
        fixture.record_many(more).await;
        fixture.sealer_without_file().seal_once().await.unwrap();
        let forked = HistoryState::Forked { store, known: 15 };
        assert_eq!(judge(&monitor).await, forked);
        assert_eq!(judge(&fixture.monitor("checkpoint")).await, forked);
    }
}

/// The checkpoint file is removed: a running gateway writes it again, one that starts knows nothing and leaves it missing.
async fn a_missing_file_is_known_only_to_a_process_that_remembers(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    seal(&fixture, 10).await;
    let running = fixture.monitor("checkpoint");
    assert_eq!(judge(&running).await, HistoryState::Current);
    let path = fixture.checkpoint_file().path().to_owned();
    std::fs::remove_file(&path).unwrap();
    let started = fixture.monitor("checkpoint");
    assert_eq!(judge(&started).await, HistoryState::Missing { path: path.clone() });
    assert!(!started.history().state().is_known());
    assert!(!path.exists());
    let sealer = fixture.sealer_of_history(started.history(), Faults::default());
    assert!(matches!(sealer.seal_once().await, Err(SealError::History(HistoryState::Missing { .. }))));
    assert!(!path.exists(), "a sealer does not accept what is in the database");
    assert_eq!(judge(&running).await, HistoryState::Current);
    assert_eq!(note(&fixture, "checkpoint").await, checkpoint(&fixture.store.db).await.unwrap());
    assert_eq!(judge(&started).await, HistoryState::Current, "the file is there again");
}

/// A file of another log, one that cannot be read, and a key nobody knows.
async fn a_checkpoint_that_cannot_be_verified_is_unknown(store: TestStore) {
    let mut fixture = LedgerFixture::new(store).await;
    seal(&fixture, 10).await;
    let path = fixture.checkpoint_file().path().to_owned();
    let ours = note(&fixture, "checkpoint").await.unwrap();
    let unknown = |state: HistoryState, text: &str| {
        assert!(matches!(&state, HistoryState::Unverifiable(why) if why.contains(text)), "{state:?}");
        assert!(!state.is_known());
    };
    for wrong in ["", "nothing", &ours.replace("gateway", "getaway")] {
        std::fs::write(&path, wrong).unwrap();
        unknown(judge(&fixture.monitor("checkpoint")).await, "does not hold a checkpoint of this log");
    }
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    unknown(judge(&fixture.monitor("checkpoint")).await, "the checkpoint file");
    std::fs::remove_dir(&path).unwrap();
    std::fs::write(&path, &ours).unwrap();
    assert_eq!(judge(&fixture.monitor("checkpoint")).await, HistoryState::Current);
    fixture.rotate();
    fixture.former.clear();
    unknown(judge(&fixture.monitor("checkpoint")).await, "the checkpoint of 10 leaves in the database");
}

/// The state changes while an answer waits: it is not recorded, and nothing is sealed.
async fn nothing_is_recorded_or_sealed_while_the_history_is_not_current(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    seal(&fixture, 10).await;
    seal(&fixture, 10).await;
    let monitor = fixture.monitor("checkpoint");
    assert_eq!(judge(&monitor).await, HistoryState::Current);
    let recorder = fixture.recorder_of_history(monitor.history());
    recorder.record(fixture.draft()).await.unwrap();
    turn_back(&fixture.store, 10).await;
    let behind = judge(&monitor).await;
    assert_eq!(recorder.require_current().unwrap_err().code, "history_behind");
    let refused = recorder.record(fixture.draft()).await.unwrap_err();
    assert_eq!(refused, RecordError::HistoryBehind(behind.to_string()));
    assert_eq!(fixture.entries().await, 10);
    let sealer = fixture.sealer_of_history(monitor.history(), Faults::default());
    assert!(matches!(sealer.seal_once().await, Err(SealError::History(state)) if state == behind));
}

/// The database fails over to a standby that lacks the last answers, between two polls: the first answer after it is
/// refused, with a counted budget or without.
async fn an_append_to_a_database_that_lost_an_entry_is_refused(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    seal(&fixture, 10).await;
    for max_fetches in [None, Some(1000)] {
        let monitor = fixture.monitor("checkpoint");
        assert_eq!(judge(&monitor).await, HistoryState::Current);
        let recorder = fixture.recorder_of_history(monitor.history());
        let counted = || {
            let mut draft = fixture.draft();
            draft.budget.max_fetches = max_fetches;
            draft
        };
        let mut lost = Vec::new();
        for _ in 0..3 {
            lost.push(recorder.record(counted()).await.unwrap().id().to_owned());
        }
        turn_back(&fixture.store, 10).await;
        let refused = recorder.record(counted()).await.unwrap_err();
        assert_eq!(refused, RecordError::HistoryBehind(HistoryState::Overtaken.to_string()), "{max_fetches:?}");
        assert_eq!(fixture.entries().await, 10);
        // A process that has seen none of the lost answers does not know better.
        assert_eq!(judge(&fixture.monitor("checkpoint")).await, HistoryState::Current);
        let missing = judge(&monitor).await;
        assert!(matches!(&missing, HistoryState::EntryMissing(id) if lost.contains(id)), "{missing}");
        assert_eq!(recorder.require_current().unwrap_err().code, "history_behind");
    }
}

async fn raise(fixture: &LedgerFixture) -> u32 {
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    let epoch = raise_epoch(&mut tx, 0, fixture.now()).await.unwrap();
    tx.commit().await.unwrap();
    epoch
}

/// An operator recovers while a gateway runs: from the commit on it records and seals nothing.
async fn a_process_of_a_former_epoch_records_and_seals_nothing(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    assert_eq!(establish_epoch(&fixture.store.env(), 1).await.unwrap(), 1);
    seal(&fixture, 10).await;
    let monitor = fixture.monitor("checkpoint");
    assert_eq!(judge(&monitor).await, HistoryState::Current);
    let recorder = fixture.recorder_of_history(monitor.history());
    let sealer = fixture.sealer_of_history(monitor.history(), Faults::default());
    recorder.record(fixture.draft()).await.unwrap();
    assert_eq!(raise(&fixture).await, 2);
    assert!(sealer.seal_once().await.unwrap().is_none());
    let refused = recorder.record(fixture.draft()).await.unwrap_err();
    assert!(matches!(refused, RecordError::HistoryBehind(_)), "{refused}");
    assert_eq!(fixture.entries().await, 11);
    let moved = HistoryState::EpochMoved { store: 2, ours: 1 };
    let waiting = monitor.history().clone();
    let waiting = tokio::spawn(async move { waiting.epoch_moved().await });
    assert_eq!(judge(&monitor).await, moved);
    assert_eq!(waiting.await.unwrap(), moved);
    assert_eq!(monitor.history().epoch_moved().await, moved, "also for a later caller");
}

/// Two gateways open a new log at the same time, with different settings; a later one has another setting still.
async fn gateways_agree_on_the_epoch_in_the_database(store: TestStore) {
    let env = store.env();
    assert_eq!(current_epoch(&store.db, 7).await.unwrap(), 7);
    let (one, two) = tokio::join!(establish_epoch(&env, 3), establish_epoch(&env, 3));
    assert_eq!((one.unwrap(), two.unwrap()), (3, 3));
    assert_eq!(establish_epoch(&env, 1).await.unwrap(), 3);
    assert_eq!(current_epoch(&store.db, 9).await.unwrap(), 3);
    let mut tx = store.db.begin("test").await.unwrap();
    // Above the epoch outside, too.
    assert_eq!(raise_epoch(&mut tx, 5, store.env().now()).await.unwrap(), 6);
    tx.commit().await.unwrap();
    assert_eq!(establish_epoch(&env, 3).await.unwrap(), 6);
}

/// Ends the access of a client in a store that has a journal.
async fn end(fixture: &LedgerFixture, db: &Db, id: &str) -> Result<(), DbError> {
    let mut tx = db.begin("test").await.unwrap();
    tx.end(NewEnd {
        id: id.into(),
        kind: "client_suspended".into(),
        target: "cli_1".into(),
        detail: "{}".into(),
        actor: "operator:li".into(),
        at: fixture.now(),
    });
    tx.commit().await
}

async fn journaled(journal: &EndJournal) -> Vec<String> {
    journal.read().await.unwrap().into_iter().map(|end| end.id).collect()
}

/// A gateway ends an access, and another of another host learns of it; each has it in its journal.
async fn every_journal_gets_every_end(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let ours = journal_beside(fixture.checkpoint_file().path());
    let theirs = journal_beside(&fixture.directory.path().join("other"));
    let db = fixture.store.db.with_end_journal(ours.clone());
    let other = fixture.monitor("other");
    end(&fixture, &db, "ent_1").await.unwrap();
    assert_eq!(journaled(&ours).await, ["ent_1"], "before it is acknowledged");
    assert_eq!(other.examine().await.unwrap(), HistoryState::Current);
    assert!(journaled(&theirs).await.is_empty(), "an examination writes nothing");
    assert_eq!(judge(&other).await, HistoryState::Current);
    assert_eq!(journaled(&theirs).await, ["ent_1"]);
    // By a process without a journal.
    end(&fixture, &fixture.store.db, "ent_2").await.unwrap();
    end(&fixture, &db, "ent_3").await.unwrap();
    let mine = fixture.monitor("checkpoint");
    for (monitor, journal) in [(&mine, &ours), (&other, &theirs), (&mine, &ours)] {
        assert_eq!(judge(monitor).await, HistoryState::Current);
        assert_eq!(journaled(journal).await, ["ent_1", "ent_2", "ent_3"]);
    }
    std::fs::remove_file(theirs.path()).unwrap();
    assert_eq!(judge(&other).await, HistoryState::Current);
    assert_eq!(journaled(&theirs).await, ["ent_1", "ent_2", "ent_3"], "written again from the database");
}

/// The database lost an end that was never sealed: a gateway that runs knows, one that starts, and one that only has the
/// journal of another process.
async fn a_database_that_lost_an_end_is_behind(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let journal = journal_beside(fixture.checkpoint_file().path());
    let db = fixture.store.db.with_end_journal(journal.clone());
    seal(&fixture, 10).await;
    end(&fixture, &db, "ent_1").await.unwrap();
    let running = fixture.monitor("checkpoint");
    assert_eq!(judge(&running).await, HistoryState::Current);
    // Since its last poll, by a command for example.
    end(&fixture, &db, "ent_2").await.unwrap();
    vandalise(&fixture, "DELETE FROM ends WHERE id = 'ent_2'").await;
    let lacking = |lacking| HistoryState::EndsMissing { lacking, journal: journal.path().to_owned() };
    assert_eq!(judge(&running).await, lacking(1));
    assert_eq!(judge(&fixture.monitor("checkpoint")).await, lacking(1));
    // Another end takes its number.
    end(&fixture, &fixture.store.db, "ent_3").await.unwrap();
    assert_eq!(judge(&running).await, lacking(1));
    vandalise(&fixture, "DELETE FROM ends").await;
    assert_eq!(judge(&running).await, lacking(3), "the running gateway has seen the third");
    assert_eq!(judge(&fixture.monitor("checkpoint")).await, lacking(2));
}

/// The disk of the journal fails: the end is in force and not acknowledged, and a gateway completes the journal later.
async fn an_end_is_not_acknowledged_without_its_journal(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let journal = journal_beside(fixture.checkpoint_file().path());
    let db = fixture.store.db.with_end_journal(journal.clone());
    let monitor = fixture.monitor("checkpoint");
    std::fs::create_dir(journal.path()).unwrap();
    let refused = end(&fixture, &db, "ent_1").await.unwrap_err();
    assert!(matches!(refused, DbError::Journal { .. }), "{refused}");
    assert_eq!(fixture.count("SELECT CAST(count(*) AS BIGINT) FROM ends").await, 1);
    let unreadable = judge(&monitor).await;
    assert!(matches!(&unreadable, HistoryState::Unverifiable(why) if why.contains("journal of ends")), "{unreadable}");
    std::fs::remove_dir(journal.path()).unwrap();
    assert_eq!(judge(&monitor).await, HistoryState::Current);
    assert_eq!(journaled(&journal).await, ["ent_1"]);
}

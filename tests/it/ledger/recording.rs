//! Group commit, and refusals of answers with stale versions.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use medcredit::{
    ledger::{Draft, Faults, RecordError, Recorder, RecorderOptions, Step, append},
    store::Arg,
};

use super::fixture::{LedgerFixture, run};
use crate::support::{TestStore, block_on, both_engines};

async fn record_concurrently(recorder: &Recorder, drafts: Vec<Draft>) -> Vec<Result<String, RecordError>> {
    let waiting: Vec<_> = drafts
        .into_iter()
        .map(|draft| {
            let recorder = recorder.clone();
            tokio::spawn(async move { recorder.record(draft).await.map(|disclosed| disclosed.id().to_owned()) })
        })
        .collect();
    let mut outcomes = Vec::new();
    for outcome in waiting {
        outcomes.push(outcome.await.unwrap());
    }
    outcomes
}

both_engines! {
    an_answer_is_released_with_its_record,
    a_printed_draft_reveals_nothing,
    every_kind_of_stale_version_refuses_the_answer,
    a_refused_answer_does_not_fail_its_neighbours,
    an_answer_that_waited_beyond_its_consent_is_not_released,
    batches_of_every_size_are_recorded,
    an_id_is_recorded_once,
    sixty_four_waiting_answers_share_commits,
    a_full_queue_refuses_and_nothing_is_lost_on_shutdown,
    queued_answers_are_limited_by_their_bytes,
    an_entry_is_committed_or_rolled_back_with_its_change,
}

/// A bank reads once: the answer is returned unchanged, and its record is in the tables (I1).
async fn an_answer_is_released_with_its_record(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let draft = fixture.draft();
    let (id, entry) = (draft.entry.id().to_owned(), draft.entry.clone());
    let disclosed = recorder.record(draft).await.unwrap();
    assert_eq!(disclosed.id(), id);
    assert_eq!(disclosed.into_answer().body.into_pieces().concat(), b"{\"grade\":\"A\"}");
    let row: (String, String, Vec<u8>) = fixture
        .store
        .db
        .read("test")
        .fetch_one("SELECT type, body, leaf_hash FROM ledger_entries WHERE id = $1", vec![id.clone().into()])
        .await
        .unwrap();
    assert_eq!(row, ("disclosure".into(), entry.body().to_owned(), entry.leaf().to_vec()));
    let row: (String, String) = fixture
        .store
        .db
        .read("test")
        .fetch_one("SELECT client_id, consent_id FROM ledger_openings WHERE entry_id = $1", vec![id.into()])
        .await
        .unwrap();
    assert_eq!(row, (fixture.bank.to_string(), fixture.consent.to_string()));
    assert_eq!(fixture.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_unsealed").await, 1);
    recorder.shutdown().await;
}

/// A draft logged by mistake reveals nothing about a subject or a bank's reading (I8).
async fn a_printed_draft_reveals_nothing(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let draft = fixture.draft();
    let printed = format!("{:?} {:?}", draft.opening, draft.answer);
    assert_eq!(printed, "Opening(withheld) Answer(13 bytes)");
}

/// An answer is refused when any version it rests on has changed (I2).
async fn every_kind_of_stale_version_refuses_the_answer(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let stale: Vec<(&str, fn(&mut Draft))> = vec![
        ("another epoch of the bank", |draft| draft.versions.client_epoch = 2),
        ("another version of the consent", |draft| draft.versions.consent_version = 1),
        ("another version of a subject", |draft| draft.versions.subjects[0].1 = 4),
        ("a subject that is not there", |draft| draft.versions.subjects.push(("H33030199999".into(), 1))),
        ("another publication", |draft| draft.versions.publication = 2),
        ("a consent that had expired when the answer was made", |draft| {
            draft.versions.now = draft.versions.now.plus(Duration::from_secs(86_400 * 400));
        }),
    ];
    for (what, change) in stale {
        let mut draft = fixture.draft();
        change(&mut draft);
        assert_eq!(recorder.record(draft.clone()).await.unwrap_err(), RecordError::Stale, "{what}");
        // With a counted budget the same comparison runs as a separate statement.
        draft.budget.max_fetches = Some(1);
        assert_eq!(recorder.record(draft).await.unwrap_err(), RecordError::Stale, "{what}, and uses are counted");
    }
    let (other, _) = fixture.new_bank();
    fixture.add_bank(other).await;
    assert_eq!(
        recorder.record(fixture.draft_of(other, fixture.consent)).await.unwrap_err(),
        RecordError::Stale,
        "another's consent"
    );
    for (what, sql, back) in [
        ("a suspended bank", "UPDATE clients SET state = 'suspended'", "UPDATE clients SET state = 'active'"),
        ("a suspended consent", "UPDATE consents SET state = 'suspended'", "UPDATE consents SET state = 'active'"),
    ] {
        fixture.change(sql, vec![]).await;
        assert_eq!(recorder.record(fixture.draft()).await.unwrap_err(), RecordError::Stale, "{what}");
        let mut counted = fixture.draft();
        counted.budget.max_fetches = Some(1);
        assert_eq!(recorder.record(counted).await.unwrap_err(), RecordError::Stale, "{what}, and uses are counted");
        fixture.change(back, vec![]).await;
    }
    assert_eq!(fixture.entries().await, 0);
    recorder.record(fixture.draft()).await.unwrap();
    let last_moment = fixture.draft();
    fixture.store.clock.advance(Duration::from_secs(86_400 * 400));
    assert_eq!(recorder.record(last_moment).await.unwrap_err(), RecordError::Stale, "expired while it waited");
    assert_eq!(fixture.entries().await, 1);
}

/// Answers that share a batch with stale ones are recorded.
async fn a_refused_answer_does_not_fail_its_neighbours(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let recorded = fixture.draft();
    recorder.record(recorded.clone()).await.unwrap();
    let drafts: Vec<_> = (0..60)
        .map(|at| {
            let mut draft = fixture.draft();
            match at % 6 {
                0 => draft.versions.consent_version = 1,
                1 => draft = recorded.clone(),
                _ => {}
            }
            draft
        })
        .collect();
    for (at, outcome) in record_concurrently(&recorder, drafts).await.into_iter().enumerate() {
        match at % 6 {
            0 => assert_eq!(outcome.unwrap_err(), RecordError::Stale),
            1 => assert!(matches!(outcome.unwrap_err(), RecordError::Unavailable(_))),
            _ => drop(outcome.unwrap()),
        }
    }
    assert_eq!(fixture.entries().await, 41);
}

/// A consent ends while its answer's commit waits for a lock: recorded, and not released.
async fn an_answer_that_waited_beyond_its_consent_is_not_released(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    for max_fetches in [None, Some(9)] {
        let clock = fixture.store.clock.clone();
        let mut draft = fixture.draft();
        draft.budget.max_fetches = max_fetches;
        let ends = draft.versions.expires_at;
        let faults = Faults::new(move |at| {
            if at == Step::Committed {
                clock.set(ends);
            }
            async { Ok(()) }
        });
        let recorder = fixture.recorder_with(fixture.store.db.clone(), faults);
        let before = fixture.entries().await;
        assert_eq!(recorder.record(draft).await.unwrap_err(), RecordError::Stale, "{max_fetches:?}");
        assert_eq!(fixture.entries().await, before + 1, "{max_fetches:?}");
    }
}

/// Batches of one round trip and larger ones, with and without a stale answer.
async fn batches_of_every_size_are_recorded(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let mut recorded = 0;
    for (size, stale) in [(1, None), (64, None), (64, Some(63)), (65, None), (65, Some(0)), (200, Some(100))] {
        let drafts: Vec<_> = (0..size)
            .map(|at| {
                let mut draft = fixture.draft();
                draft.versions.consent_version += i64::from(stale == Some(at));
                draft
            })
            .collect();
        let outcomes = record_concurrently(&recorder, drafts).await;
        for (at, outcome) in outcomes.into_iter().enumerate() {
            match outcome {
                Err(error) => assert_eq!((error, Some(at)), (RecordError::Stale, stale), "{size}"),
                Ok(_) => assert_ne!(Some(at), stale, "{size}"),
            }
        }
        recorded += i64::try_from(size).unwrap() - i64::from(stale.is_some());
        assert_eq!(fixture.entries().await, recorded, "{size} {stale:?}");
    }
}

/// A disclosure submitted twice by mistake is recorded once, and the other answers of its batch are recorded.
async fn an_id_is_recorded_once(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let twice = fixture.draft();
    let mut drafts: Vec<_> = (0..10).map(|_| fixture.draft()).collect();
    drafts.insert(5, twice.clone());
    drafts.insert(8, twice.clone());
    let outcomes = record_concurrently(&recorder, drafts).await;
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 11);
    // The same after the first is committed: only the duplicate fails.
    let again = record_concurrently(&recorder, vec![fixture.draft(), twice, fixture.draft()]).await;
    assert!(again[0].is_ok() && matches!(again[1], Err(RecordError::Unavailable(_))) && again[2].is_ok());
    assert_eq!(fixture.entries().await, 13);
}

/// 64 banks that read continuously share commits: at least ten answers for each commit.
async fn sixty_four_waiting_answers_share_commits(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    let commits = Arc::new(AtomicUsize::new(0));
    let counted = commits.clone();
    let faults = Faults::new(move |step| {
        let commits = counted.clone();
        async move {
            if step == Step::Commit {
                commits.fetch_add(1, Ordering::SeqCst);
                // A disk that takes two milliseconds to sync.
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            Ok(())
        }
    });
    let recorder = fixture.recorder_with(fixture.store.db.clone(), faults);
    let banks: Vec<_> = (0..64)
        .map(|_| {
            let (recorder, fixture) = (recorder.clone(), fixture.clone());
            tokio::spawn(async move {
                for _ in 0..20 {
                    recorder.record(fixture.draft()).await.unwrap();
                }
            })
        })
        .collect();
    for bank in banks {
        bank.await.unwrap();
    }
    let (answers, commits) = (64 * 20, commits.load(Ordering::SeqCst));
    assert_eq!(fixture.entries().await, answers);
    let commits = i64::try_from(commits).unwrap();
    assert!(commits * 10 <= answers, "{commits} commits for {answers} answers");
}

/// A full queue refuses immediately, and shutdown commits what is queued.
async fn a_full_queue_refuses_and_nothing_is_lost_on_shutdown(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let faults = Faults::new(move |step| {
        let gate = held.clone();
        async move {
            if step == Step::Begin {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    // The limit of the time is not what is tested: a loaded machine must not reach it.
    let options = RecorderOptions { queue: 3, limit: Duration::from_secs(60), faults, ..RecorderOptions::default() };
    let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
    let mut waiting = Vec::new();
    let mut refused = 0;
    // One is in the batch that waits at the gate, three fill the queue.
    for _ in 0..12 {
        let (recorder, draft) = (recorder.clone(), fixture.draft());
        let task = tokio::spawn(async move { recorder.record(draft).await.map(|_| ()) });
        tokio::task::yield_now().await;
        waiting.push(task);
    }
    // While the gate is closed only a refused one can end. Opened earlier, the queue might never have been full.
    while !waiting.iter().any(tokio::task::JoinHandle::is_finished) {
        tokio::task::yield_now().await;
    }
    gate.add_permits(100);
    for task in waiting {
        match task.await.unwrap() {
            Ok(()) => {}
            Err(RecordError::Unavailable(why)) => {
                assert!(why.contains("too many"), "{why}");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0);
    let before = fixture.entries().await;
    assert_eq!(before, 12 - refused);
    let (last, again) = (fixture.draft(), recorder.clone());
    let task = tokio::spawn(async move { again.record(last).await.map(|_| ()) });
    tokio::task::yield_now().await;
    recorder.shutdown().await;
    let late = recorder.record(fixture.draft()).await;
    assert!(matches!(late, Err(RecordError::Unavailable(_))));
    let released = task.await.unwrap().is_ok();
    assert_eq!(fixture.entries().await, before + i64::from(released));
}

/// Large answers while the database is stalled: the queue has a limit in bytes, and decided answers free their share.
async fn queued_answers_are_limited_by_their_bytes(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let gate = Arc::new(tokio::sync::Semaphore::new(0));
    let held = gate.clone();
    let faults = Faults::new(move |step| {
        let gate = held.clone();
        async move {
            if step == Step::Begin {
                gate.acquire().await.unwrap().forget();
            }
            Ok(())
        }
    });
    let limit = Duration::from_secs(60);
    let options = RecorderOptions { queue_bytes: 256 * 1024, limit, faults, ..RecorderOptions::default() };
    let recorder = Recorder::start(fixture.store.db.clone(), fixture.store.clock.clone(), options);
    let large = |bytes: usize| {
        let mut draft = fixture.draft();
        draft.answer.body = vec![b'x'; bytes].into();
        draft
    };
    assert!(matches!(recorder.record(large(300 * 1024)).await, Err(RecordError::Unavailable(_))), "alone too large");
    for _ in 0..2 {
        let outcomes: Vec<_> = (0..6)
            .map(|_| {
                let (recorder, draft) = (recorder.clone(), large(60 * 1024));
                tokio::spawn(async move { recorder.record(draft).await })
            })
            .collect();
        // All have been taken or refused once the last of them has been asked for.
        while recorder.waiting_bytes() < 4 * 60 * 1024 {
            tokio::task::yield_now().await;
        }
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(100);
        let mut refused = 0;
        for outcome in outcomes {
            match outcome.await.unwrap() {
                Ok(_) => {}
                Err(RecordError::Unavailable(why)) => {
                    assert!(why.contains("too large"), "{why}");
                    refused += 1;
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(refused, 2, "four fit");
        assert_eq!(recorder.waiting_bytes(), 0);
        gate.forget_permits(1000);
    }
    assert_eq!(fixture.entries().await, 8);
}

/// An operator's entry is durable exactly when the change it belongs to is.
async fn an_entry_is_committed_or_rolled_back_with_its_change(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let facts = |target: &str| medcredit::ledger::ApprovalFacts {
        id: medcredit::domain::ids::EntryId::new(&*fixture.store.clock, fixture.entropy()),
        at: fixture.now(),
        action: "client_resumed",
        approved: true,
        request: "operator:chen".into(),
        actor: "operator:lin".into(),
        detail: serde_json::json!({}),
        reason: Some("证书遗失".into()),
        target: Some(target.into()),
    };
    let (entry, opening) = facts("cli_1").into_entry(fixture.entropy()).unwrap();
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    append(&mut tx, &entry, Some(&opening)).await.unwrap();
    drop(tx);
    assert_eq!(fixture.entries().await, 0);
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    run(&mut tx, "UPDATE clients SET epoch = epoch + 1 WHERE id = $1", vec![Arg::from(fixture.bank.to_string())]).await;
    append(&mut tx, &entry, Some(&opening)).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(fixture.entries().await, 1);
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    assert!(append(&mut tx, &entry, None).await.is_err(), "an entry is appended once");
}

/// The server refuses the commit after every statement succeeded: nothing is released and nothing is recorded.
#[test]
fn a_commit_that_postgresql_refuses_releases_nothing() {
    block_on(async {
        let fixture = LedgerFixture::new(TestStore::postgres().await).await;
        let mut tx = fixture.store.db.begin("test").await.unwrap();
        for sql in [
            "CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'refused at the commit'; END $$",
            "CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON ledger_openings DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_commit()",
        ] {
            tx.execute(sql, vec![]).await.unwrap();
        }
        tx.commit().await.unwrap();
        let recorder = fixture.recorder();
        for counted in [None, Some(5)] {
            let mut draft = fixture.draft();
            draft.budget.max_fetches = counted;
            let refused = recorder.record(draft).await.unwrap_err();
            assert!(matches!(&refused, RecordError::Unavailable(why) if why.contains("commit")), "{refused}");
            assert_eq!(fixture.entries().await, 0);
        }
        fixture.change("DROP TRIGGER refuse_commit ON ledger_openings", vec![]).await;
        recorder.record(fixture.draft()).await.unwrap();
        assert_eq!(fixture.entries().await, 1);
    });
}

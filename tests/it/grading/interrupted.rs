//! Publications and corrections that are interrupted before or during each of their database operations: banks see the old
//! state or the new one, never a part.

use std::{
    collections::BTreeSet,
    future::{pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex},
    task::Poll,
};

use medcredit::{
    grading::{Correction, GradingError, Rounds, current},
    store::Engine,
};

use super::{Bureau, File, city, line, periods};
use crate::support::{TestStore, both_engines};

/// Where work is interrupted, by the number of the database operation, from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Interruption {
    /// Before the operation, as by a process that is killed.
    Before(usize),
    /// After the operation was started, without waiting for its result.
    During(usize),
}

/// The outcome of interrupted work.
pub struct Interrupted<T> {
    /// The result of the work, if it was completed.
    pub done: Option<T>,
    /// The names of the operations that were reached.
    pub operations: Vec<&'static str>,
}

/// The name of a statement, which its comment begins with; the locks of banks have none.
fn name(operation: &'static str) -> &'static str {
    match operation.strip_prefix("/* ").and_then(|operation| operation.split_once(" */")) {
        Some((name, _)) => name,
        None if operation.starts_with("SELECT pg_advisory") => "locks",
        None => operation,
    }
}

/// Does work with its own `Rounds`, and interrupts it.
pub async fn interrupted_at<T>(
    bureau: &Bureau,
    at: Interruption,
    work: impl AsyncFnOnce(&Rounds) -> T,
) -> Interrupted<T> {
    let (Interruption::Before(last) | Interruption::During(last)) = at;
    let operations = Arc::new(Mutex::new(Vec::new()));
    let seen = operations.clone();
    let db = bureau.db().with_query_hook(move |operation| {
        let mut seen = seen.lock().unwrap();
        seen.push(name(operation));
        let never = at == Interruption::Before(seen.len());
        async move {
            if never {
                pending::<()>().await;
            }
        }
    });
    let rounds = Rounds::new(medcredit::store::Env::new(db, bureau.store.clock.clone(), bureau.store.entropy.clone()));
    let done = {
        let mut work = pin!(work(&rounds));
        poll_fn(|cx| match work.as_mut().poll(cx) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if operations.lock().unwrap().len() >= last => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    };
    let operations = operations.lock().unwrap().clone();
    settled(bureau).await;
    Interrupted { done, operations }
}

/// Waits for the last lock of an interrupted transaction: afterwards it is committed, or never will be.
async fn settled(bureau: &Bureau) {
    let mut tx = bureau.db().begin("test").await.unwrap();
    tx.execute("UPDATE publication SET number = number WHERE id = 1", vec![]).await.unwrap();
}

/// The operations of a publication of one page of results.
const PUBLICATION: &[&str] = &[
    "runs::find",
    "runs::model_body",
    "runs::results_page",
    "runs::results_page",
    "begin",
    "rounds::history",
    "rounds::open_preassessment",
    "runs::published",
    "assessments::insert",
    // Its other tables are in the same statement on PostgreSQL.
    "ledger::insert_entries",
    "runs::client_ids",
    "locks on Postgres",
    "rounds::name_successor",
    "runs::supersede",
    "runs::publish",
    "runs::raise_publication",
    "runs::raise_changes",
    "commit",
];

/// The operations of a correction in the round in force, with facts in two chunks.
const CORRECTION: &[&str] = &[
    "subjects::find",
    "runs::list",
    "runs::model_body",
    "runs::model_body",
    "runs::subjects",
    "statuses::of_kind",
    "runs::model_body",
    "voids::last",
    "facts::accepted",
    "voids::list_of",
    "voids::ended_of",
    "voids::revisions_of",
    "runs::result",
    "facts::totals",
    "facts::facts",
    "facts::facts",
    "begin",
    "runs::client_ids",
    "locks on Postgres",
    "rounds::raise_subject",
    "rounds::newest",
    "assessments::insert",
    "rounds::insert_correction",
    "outbox::insert_events",
    // Its other tables are in the same statement on PostgreSQL.
    "ledger::insert_entries",
    "runs::raise_publication",
    "runs::raise_changes",
    "commit",
];

/// The operations that an engine has.
fn on(engine: Engine, operations: &[&'static str]) -> Vec<&'static str> {
    let engine = format!("{engine:?}");
    let there = operations.iter().filter_map(|operation| match operation.split_once(" on ") {
        Some((operation, only)) => (only == engine).then_some(operation),
        None => Some(*operation),
    });
    there.collect()
}

/// The publication number, and the rounds of the present assessments.
async fn rounds_in_force(bureau: &Bureau, codes: &[String]) -> (i64, BTreeSet<Option<String>>) {
    let (number, assessments) = current(bureau.db(), codes, "2026-04-01".parse().unwrap()).await.unwrap();
    assert_eq!(assessments.len(), codes.len());
    (number, assessments.into_iter().map(|one| one.run_id).collect())
}

both_engines! {
    a_publication_interrupted_anywhere_is_whole_or_nothing,
    a_correction_interrupted_anywhere_is_made_once,
}

/// A bank reads grades after each interruption.
async fn a_publication_interrupted_anywhere_is_whole_or_nothing(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(40, 4);
    bureau.accept_files(&files).await;
    bureau.register_bank().await;
    bureau.import(1, &lines, true).await;
    let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();
    let old = bureau.run(periods()[0]).await;
    bureau.publish(&old).await;
    let new = bureau.run(periods()[1]).await.id.to_string();
    let (before, _) = rounds_in_force(&bureau, &codes).await;
    let old = old.id.to_string();
    let operations = on(bureau.db().engine(), PUBLICATION);
    let publish = async |rounds: &Rounds| rounds.publish(crate::support::tester(), &new, 1).await;
    for nth in 1..=operations.len() {
        let interrupted = interrupted_at(&bureau, Interruption::Before(nth), publish).await;
        eprintln!("{nth} {:?}", interrupted.operations);
        assert_eq!((interrupted.done.is_none(), interrupted.operations), (true, operations[..nth].to_vec()));
        assert_eq!(
            rounds_in_force(&bureau, &codes).await,
            (before, [Some(old.clone())].into()),
            "before operation {nth}"
        );
    }
    // How many operations a poll completes depends on the machine; the end state is one of two in any case.
    for nth in 1..=operations.len() {
        let interrupted = interrupted_at(&bureau, Interruption::During(nth), publish).await;
        let (number, rounds) = rounds_in_force(&bureau, &codes).await;
        if number > before {
            assert_eq!(
                (interrupted.operations, rounds),
                (operations.clone(), [Some(new.clone())].into()),
                "in operation {nth}"
            );
            break;
        }
        assert_eq!((interrupted.done.is_none(), rounds), (true, [Some(old.clone())].into()), "in operation {nth}");
    }
    // The commit may have been sent or not. A retry succeeds, or is refused because the run is published already.
    match publish(&bureau.rounds).await {
        Ok(published) => assert_eq!(published.publication, before + 1),
        Err(error) => assert!(matches!(error, GradingError::WrongState { .. }), "{error}"),
    }
    assert_eq!(rounds_in_force(&bureau, &codes).await, (before + 1, [Some(new.clone())].into()));
    let sql = "SELECT COUNT(*) FROM assessments WHERE run_id = $1";
    let (assessments,): (i64,) = bureau.db().read("test").fetch_one(sql, vec![new.as_str().into()]).await.unwrap();
    assert_eq!(assessments, 40);
}

/// An operator retries after each interruption.
async fn a_correction_interrupted_anywhere_is_made_once(store: TestStore) {
    const CODE: &str = "H33030200001";
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.register_bank().await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    let publication = async || rounds_in_force(&bureau, &[CODE.to_owned()]).await.0;
    let before = publication().await;
    let correction =
        Correction { subject: CODE, run: None, reason: "the file was wrong", actor: crate::support::tester() };
    let operations = on(bureau.db().engine(), CORRECTION);
    let correct = async |rounds: &Rounds| rounds.correct(correction).await;
    for nth in 1..=operations.len() {
        let interrupted = interrupted_at(&bureau, Interruption::Before(nth), correct).await;
        eprintln!("{nth} {:?}", interrupted.operations);
        assert_eq!((interrupted.done.is_none(), interrupted.operations), (true, operations[..nth].to_vec()));
        assert_eq!((publication().await, stored(&bureau).await), (before, [0, 0, 0, 0, 1]), "before operation {nth}");
    }
    for nth in 1..=operations.len() {
        interrupted_at(&bureau, Interruption::During(nth), correct).await;
        if publication().await > before {
            break;
        }
        assert_eq!(stored(&bureau).await, [0, 0, 0, 0, 1], "in operation {nth}");
    }
    // The commit may have been sent or not. A retry leaves exactly one correction.
    assert_eq!(correct(&bureau.rounds).await.unwrap().version, 2);
    assert_eq!((publication().await, stored(&bureau).await), (before + 1, [1, 1, 1, 1, 2]));
}

/// The rows that a correction leaves: versions, corrections, events, entries, and the version of the subject.
async fn stored(bureau: &Bureau) -> [i64; 5] {
    let mut many = [0; 5];
    for (many, sql) in many.iter_mut().zip([
        "SELECT COUNT(*) FROM assessments WHERE version > 1",
        "SELECT COUNT(*) FROM corrections",
        "SELECT COUNT(*) FROM outbox_events WHERE topic = 'grade.corrected'",
        "SELECT COUNT(*) FROM ledger_entries WHERE body LIKE '%grade_corrected%'",
        "SELECT version FROM subjects",
    ]) {
        (*many,) = bureau.db().read("test").fetch_one(sql, vec![]).await.unwrap();
    }
    many
}

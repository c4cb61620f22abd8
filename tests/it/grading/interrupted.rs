//! A publication or correction that is broken off at each of its turns of the database, before it and while it is under
//! way: banks see the old or the new, never a part.

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

/// Where work is broken off, by the number of the turn, from 1.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Break {
    /// The turn is never taken, as by a process that was killed before it.
    Before(usize),
    /// The turn was taken, and nobody waits for what comes of it.
    During(usize),
}

/// What became of work that was to be broken off.
pub struct Broken<T> {
    /// What it came to, if it came to its end.
    pub done: Option<T>,
    /// The names of the turns that it came to.
    pub turns: Vec<&'static str>,
}

/// Where a statement stands in the code, which is what it begins with; and the locks of banks, which are without.
fn name(turn: &'static str) -> &'static str {
    match turn.strip_prefix("/* ").and_then(|turn| turn.split_once(" */")) {
        Some((name, _)) => name,
        None if turn.starts_with("SELECT pg_advisory") => "locks",
        None => turn,
    }
}

/// Does work over rounds of its own, and breaks it off.
pub async fn broken_off<T>(bureau: &Bureau, at: Break, work: impl AsyncFnOnce(&Rounds) -> T) -> Broken<T> {
    let (Break::Before(last) | Break::During(last)) = at;
    let turns = Arc::new(Mutex::new(Vec::new()));
    let seen = turns.clone();
    let db = bureau.db().interrupted(move |turn| {
        let mut seen = seen.lock().unwrap();
        seen.push(name(turn));
        let never = at == Break::Before(seen.len());
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
            Poll::Pending if turns.lock().unwrap().len() >= last => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    };
    let turns = turns.lock().unwrap().clone();
    settled(bureau).await;
    Broken { done, turns }
}

/// Waits for what a broken-off transaction locked last: afterwards it is committed, or never will be.
async fn settled(bureau: &Bureau) {
    let mut tx = bureau.db().begin("test").await.unwrap();
    tx.execute("UPDATE publication SET number = number WHERE id = 1", vec![]).await.unwrap();
}

/// The turns of a publication of one page of results.
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
    "runs::banks",
    "locks on Postgres",
    "rounds::name_successor",
    "runs::supersede",
    "runs::publish",
    "runs::raise_publication",
    "runs::raise_changes",
    "commit",
];

/// The turns of a correction in the round in force, by facts in two chunks.
const CORRECTION: &[&str] = &[
    "subjects::find",
    "runs::list",
    "runs::model_body",
    "runs::model_body",
    "facts::accepted",
    "runs::subjects",
    "runs::result",
    "facts::totals",
    "facts::facts",
    "facts::facts",
    "runs::model_body",
    "begin",
    "runs::banks",
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

/// Those of the turns that there are on an engine.
fn on(engine: Engine, turns: &[&'static str]) -> Vec<&'static str> {
    let engine = format!("{engine:?}");
    let there = turns.iter().filter_map(|turn| match turn.split_once(" on ") {
        Some((turn, only)) => (only == engine).then_some(turn),
        None => Some(*turn),
    });
    there.collect()
}

/// The rounds that grades are told of, and the publication number.
async fn told(bureau: &Bureau, codes: &[String]) -> (i64, BTreeSet<Option<String>>) {
    let (number, told) = current(bureau.db(), codes, "2026-04-01".parse().unwrap()).await.unwrap();
    assert_eq!(told.len(), codes.len());
    (number, told.into_iter().map(|told| told.run_id).collect())
}

both_engines! {
    a_publication_broken_off_anywhere_is_whole_or_nothing,
    a_correction_broken_off_anywhere_is_made_once,
}

/// A bank asks after each breakdown.
async fn a_publication_broken_off_anywhere_is_whole_or_nothing(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(40, 4);
    bureau.accept_files(&files).await;
    bureau.register_bank().await;
    bureau.import(1, &lines, true).await;
    let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();
    let old = bureau.run(periods()[0]).await;
    bureau.publish(&old).await;
    let new = bureau.run(periods()[1]).await.id.to_string();
    let (before, _) = told(&bureau, &codes).await;
    let old = old.id.to_string();
    let turns = on(bureau.db().engine(), PUBLICATION);
    let publish = async |rounds: &Rounds| rounds.publish(crate::support::tester(), &new, 1).await;
    for nth in 1..=turns.len() {
        let broken = broken_off(&bureau, Break::Before(nth), publish).await;
        eprintln!("{nth} {:?}", broken.turns);
        assert_eq!((broken.done.is_none(), broken.turns), (true, turns[..nth].to_vec()));
        assert_eq!(told(&bureau, &codes).await, (before, [Some(old.clone())].into()), "before turn {nth}");
    }
    // Which turns a poll gets through is for the machine to say; that the end is one of two is not.
    for nth in 1..=turns.len() {
        let broken = broken_off(&bureau, Break::During(nth), publish).await;
        let (number, rounds) = told(&bureau, &codes).await;
        if number > before {
            assert_eq!((broken.turns, rounds), (turns.clone(), [Some(new.clone())].into()), "in turn {nth}");
            break;
        }
        assert_eq!((broken.done.is_none(), rounds), (true, [Some(old.clone())].into()), "in turn {nth}");
    }
    // The commit may have been sent or not. Whoever was not told tries again, and is told then at the latest.
    match publish(&bureau.rounds).await {
        Ok(published) => assert_eq!(published.publication, before + 1),
        Err(error) => assert!(matches!(error, GradingError::WrongState { .. }), "{error}"),
    }
    assert_eq!(told(&bureau, &codes).await, (before + 1, [Some(new.clone())].into()));
    let sql = "SELECT COUNT(*) FROM assessments WHERE run_id = $1";
    let (assessments,): (i64,) = bureau.db().read("test").fetch_one(sql, vec![new.as_str().into()]).await.unwrap();
    assert_eq!(assessments, 40);
}

/// An operator tries again after each breakdown.
async fn a_correction_broken_off_anywhere_is_made_once(store: TestStore) {
    const CODE: &str = "H33030200001";
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.register_bank().await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    let publication = async || told(&bureau, &[CODE.to_owned()]).await.0;
    let before = publication().await;
    let correction =
        Correction { subject: CODE, run: None, reason: "the file was wrong", actor: crate::support::tester() };
    let turns = on(bureau.db().engine(), CORRECTION);
    let correct = async |rounds: &Rounds| rounds.correct(correction).await;
    for nth in 1..=turns.len() {
        let broken = broken_off(&bureau, Break::Before(nth), correct).await;
        eprintln!("{nth} {:?}", broken.turns);
        assert_eq!((broken.done.is_none(), broken.turns), (true, turns[..nth].to_vec()));
        assert_eq!((publication().await, kept(&bureau).await), (before, [0, 0, 0, 0, 1]), "before turn {nth}");
    }
    for nth in 1..=turns.len() {
        broken_off(&bureau, Break::During(nth), correct).await;
        if publication().await > before {
            break;
        }
        assert_eq!(kept(&bureau).await, [0, 0, 0, 0, 1], "in turn {nth}");
    }
    // The commit may have been sent or not. Whoever was not told tries again, and it is made once.
    assert_eq!(correct(&bureau.rounds).await.unwrap().version, 2);
    assert_eq!((publication().await, kept(&bureau).await), (before + 1, [1, 1, 1, 1, 2]));
}

/// What a correction leaves: versions, corrections, events, entries, and the subject's version.
async fn kept(bureau: &Bureau) -> [i64; 5] {
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

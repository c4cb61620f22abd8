//! Each act on a run is exactly one entry of the ledger, in the transaction of the act.

use std::time::Duration;

use medcredit::{
    grading::{GradingError, Rounds},
    store::ledger::audit,
};
use serde_json::Value;

use super::{
    Bureau, File,
    interrupted::{Interruption, interrupted_at},
    line, periods,
};
use crate::support::{TestStore, both_engines, operator, tester};

const CODE: &str = "H33030200001";

async fn bureau_of_one(store: TestStore) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau
}

/// The actions of the ledger's entries, in the order in which they were appended, with what they say.
async fn entries(bureau: &Bureau) -> Vec<(String, Value)> {
    let rows = audit::outside_tree(bureau.db(), "", 1_000).await.unwrap();
    let parsed = rows.into_iter().map(|row| {
        let body: Value = serde_json::from_str(&row.body.unwrap()).unwrap();
        let opening: Value = serde_json::from_str(&row.opening.unwrap()).unwrap();
        (body["facts"]["action"].as_str().unwrap().to_owned(), opening)
    });
    parsed.collect()
}

async fn actions(bureau: &Bureau) -> Vec<String> {
    entries(bureau).await.into_iter().map(|(action, _)| action).collect()
}

both_engines! {
    each_act_on_a_run_is_one_entry,
    a_refused_act_is_no_entry,
    an_interrupted_act_is_an_entry_exactly_when_it_was_done,
}

/// An operator makes, opens, publishes and discards runs.
async fn each_act_on_a_run_is_one_entry(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let li = operator("li");
    let model = bureau.library.get("wenzhou-institution").unwrap();
    // Entries are ordered by their ids, which begin with the time.
    let later = || bureau.store.clock.advance(Duration::from_secs(1));
    let run = bureau.rounds.run(&li, model, periods()[1], &|_, _| ()).await.unwrap();
    let id = run.id.to_string();
    assert_eq!(actions(&bureau).await, ["run_made"]);
    later();
    bureau.rounds.preassess(&li, &id).await.unwrap();
    assert_eq!(actions(&bureau).await, ["run_made", "run_preassessed"]);
    later();
    bureau.rounds.publish(&li, &id, 1).await.unwrap();
    assert_eq!(actions(&bureau).await, ["run_made", "run_preassessed", "run_published"]);
    later();
    let other = bureau.run(periods()[1]).await.id.to_string();
    later();
    bureau.rounds.discard(&li, &other).await.unwrap();
    later();
    let next = bureau.run(periods()[1]).await;
    later();
    bureau.publish(&next).await;
    let all = entries(&bureau).await;
    let actions: Vec<_> = all.iter().map(|(action, _)| action.as_str()).collect();
    let acts =
        ["run_made", "run_preassessed", "run_published", "run_made", "run_discarded", "run_made", "run_published"];
    assert_eq!(actions, acts);

    let opening = |nth: usize| all[nth].1.to_string();
    let published = opening(2);
    for part in [
        "operator:li",
        "command_line",
        &id,
        "medical_institution",
        "2025-H2",
        &run.outcome_digest,
        "model_digest",
        "2026-07-31",
        "\"former\":null",
    ] {
        assert!(published.contains(part), "{part} in {published}");
    }
    assert!(opening(0).contains(&run.input_digest), "{}", opening(0));
    assert!(opening(4).contains(&other), "{}", opening(4));
    assert!(opening(6).contains(&format!("\"former\":\"{id}\"")), "{}", opening(6));
}

/// An operator tries what is refused.
async fn a_refused_act_is_no_entry(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let published = bureau.run(periods()[1]).await;
    bureau.publish(&published).await;
    let before = actions(&bureau).await;
    let id = published.id.to_string();
    bureau.rounds.preassess(tester(), &id).await.unwrap_err();
    bureau.rounds.publish(tester(), &id, 1).await.unwrap_err();
    bureau.rounds.discard(tester(), &id).await.unwrap_err();
    bureau.rounds.publish(tester(), "run_nobody", 1).await.unwrap_err();
    let other = bureau.store.reopen().await;
    let lock = medcredit::store::JobLock::try_acquire(&other, "grading").await.unwrap().unwrap();
    let model = bureau.library.get("wenzhou-institution").unwrap();
    let busy = bureau.rounds.run(tester(), model, periods()[1], &|_, _| ()).await.unwrap_err();
    assert!(matches!(busy, GradingError::Busy), "{busy}");
    lock.release().await.unwrap();
    assert_eq!(actions(&bureau).await, before);
}

/// A process is killed before each statement of an act.
async fn an_interrupted_act_is_an_entry_exactly_when_it_was_done(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    let preassess = async |rounds: &Rounds| rounds.preassess(tester(), &run).await.map(drop);
    interrupt(&bureau, "run_preassessed", preassess).await;
    let discard = async |rounds: &Rounds| rounds.discard(tester(), &run).await;
    interrupt(&bureau, "run_discarded", discard).await;
}

/// Breaks an act off before its first statement, its second, and so on, until it comes to its end.
async fn interrupt(bureau: &Bureau, action: &str, act: impl AsyncFn(&Rounds) -> Result<(), GradingError>) {
    for nth in 1..100 {
        let interrupted = interrupted_at(bureau, Interruption::Before(nth), &act).await;
        let count = actions(bureau).await.iter().filter(|of| *of == action).count();
        // What follows the commit may be interrupted too: the act is done then, and cannot be done again.
        let committed = interrupted.operations.iter().rev().skip(1).any(|operation| *operation == "commit");
        match interrupted.done {
            Some(Ok(())) => return assert_eq!(count, 1),
            Some(Err(refused)) => {
                assert!(matches!(refused, GradingError::WrongState { .. }), "{refused}");
                return assert_eq!(count, 1);
            }
            None => assert_eq!(count, usize::from(committed), "before statement {nth} of {:?}", interrupted.operations),
        }
    }
    panic!("{action} does not come to an end");
}

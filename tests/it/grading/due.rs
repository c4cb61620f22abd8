//! Corrections that are due: results in force that decisions about their facts have changed since.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use medcredit::{
    domain::Clock,
    grading::{Correction, Decision, DecisionKind, DueCorrection, DueScope},
};

use super::{
    Bureau, File, line, periods,
    voids::{CODE, NOTICE, penalty, penalty_of},
};
use crate::support::{TestStore, both_engines, tester};

const OTHER: &str = "H33030200002";
const DAYS: u16 = 3;

/// A round in force over two subjects, each with a penalty under its own notice.
async fn published(store: TestStore) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE), File::usual(OTHER)]).await;
    let scores = [CODE, OTHER].map(|code| line(code, "public_credit_score", 900, "2025-12-31"));
    let penalties =
        [penalty("2025-08-01", "医保局", NOTICE), penalty_of(OTHER, "2025-08-01", "医保局", "温医保罚〔2025〕9号")];
    bureau.import(1, &[scores, penalties].concat(), true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau
}

async fn due(bureau: &Bureau) -> Vec<DueCorrection> {
    bureau.rounds.due(DAYS, DueScope::All, &|_, _| {}).await.unwrap()
}

/// The subjects of which results are to be corrected.
async fn subjects(bureau: &Bureau, of: DueScope<'_>) -> Vec<String> {
    let due = bureau.rounds.due(DAYS, of, &|_, _| {}).await.unwrap();
    due.into_iter().map(|due| due.subject_code).collect()
}

async fn correct(bureau: &Bureau, subject: &str) {
    let correction = Correction { subject, run: None, reason: "温政复〔2026〕3号", actor: tester() };
    assert!(bureau.rounds.correct(correction).await.unwrap().changed);
}

both_engines! {
    a_correction_is_due_from_the_decision_until_it_is_made,
    only_results_that_a_correction_would_change_are_due,
    an_adverse_fact_that_ends_makes_a_correction_due,
    what_one_import_changed_is_asked_for_alone,
    the_state_is_the_same_while_the_same_corrections_are_due,
}

/// A reconsideration takes a penalty back after the round, and a clerk restores it after the correction.
async fn a_correction_is_due_from_the_decision_until_it_is_made(store: TestStore) {
    let bureau = published(store).await;
    assert_eq!(due(&bureau).await, []);
    bureau.decide_about(CODE, NOTICE, 2, false).await;
    let found = due(&bureau).await;
    let [one] = found.as_slice() else { panic!("{found:?}") };
    let run = bureau.assessment_of(CODE, "2026-04-01").await.run_id.unwrap();
    assert_eq!(
        (&one.run, one.subject_code.as_str(), one.kind.as_str(), one.period.as_str(), one.version),
        (&run, CODE, "medical_institution", "2025-H2", 1)
    );
    assert_eq!(one.after.points.unwrap().0 - one.before.points.unwrap().0, 30_000);
    let on = "2026-02-01".parse().unwrap();
    let voided = Decision { what: DecisionKind::Voided, reference: NOTICE.into(), decision: None, on, import_seq: 2 };
    assert_eq!(one.decisions, [voided]);
    assert_eq!((one.due_on.to_string().as_str(), one.is_overdue), ("2026-02-04", true), "it is April");
    let later = bureau.rounds.due(100, DueScope::All, &|_, _| {}).await.unwrap();
    assert!(!later[0].is_overdue, "{later:?}");

    correct(&bureau, CODE).await;
    assert_eq!(due(&bureau).await, [], "the correction has read the decision");
    bureau.decide_about(CODE, NOTICE, 3, true).await;
    let again = due(&bureau).await;
    let decisions: Vec<_> = again[0].decisions.iter().map(|of| (of.what, of.import_seq)).collect();
    assert_eq!(decisions, [(DecisionKind::Restored, 3)], "not the one before the correction");
    assert_eq!((again[0].version, &again[0].after), (2, &one.before));
}

/// Decisions without an effect on the result: one that was undone, one about a fact that did not count, and one about a subject that
/// the round does not cover.
async fn only_results_that_a_correction_would_change_are_due(store: TestStore) {
    let bureau = published(store).await;
    bureau.decide_about(CODE, NOTICE, 2, false).await;
    bureau.decide_about(CODE, NOTICE, 3, true).await;
    bureau.decide_about(OTHER, "温医保罚〔2019〕1号", 4, false).await;
    bureau.decide_about("H33030299999", NOTICE, 5, false).await;
    let candidates = AtomicUsize::new(0);
    let count = |_, all| candidates.store(all, Ordering::Relaxed);
    assert_eq!(bureau.rounds.due(DAYS, DueScope::All, &count).await.unwrap(), []);
    assert_eq!(candidates.into_inner(), 2, "the two that the round covers were recomputed");
    // New records alone are no decision about what was published.
    bureau.import(6, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    assert_eq!(subjects(&bureau, DueScope::All).await, [CODE], "recomputed, the subject has them too");
    correct(&bureau, CODE).await;
    bureau.import(7, &[line(CODE, "public_credit_score", 950, "2025-12-31")], true).await;
    assert_eq!(due(&bureau).await, []);
}

/// The credit platform's list comes again and again, until it says that a fact was withdrawn.
async fn an_adverse_fact_that_ends_makes_a_correction_due(store: TestStore) {
    let bureau = published(store).await;
    for seq in [2, 3] {
        bureau.adverse(seq, NOTICE, "effective", "2026-12-31").await;
        assert_eq!(due(&bureau).await, [], "{seq}");
    }
    let today = bureau.store.clock.now().day();
    for (seq, status) in [(4, "withdrawn"), (5, "withdrawn"), (6, "repaired")] {
        bureau.adverse(seq, NOTICE, status, "2026-12-31").await;
        let found = due(&bureau).await;
        let decisions: Vec<_> = found[0].decisions.iter().map(|of| (of.what, of.on, of.import_seq)).collect();
        assert_eq!(decisions, [(DecisionKind::Withdrawn, today, 4)], "{seq}: only the first says something new");
        assert_eq!((found[0].due_on, found[0].is_overdue), (today.plus_days(3), false));
        bureau.store.clock.advance(Duration::from_hours(24));
    }
    assert!(!due(&bureau).await[0].is_overdue, "the third day is not over");
    bureau.store.clock.advance(Duration::from_hours(24));
    assert!(due(&bureau).await[0].is_overdue);
    bureau.adverse(7, NOTICE, "effective", "2026-12-31").await;
    assert_eq!(due(&bureau).await, [], "it has effect again");
    bureau.adverse(8, NOTICE, "effective", "2025-12-30").await;
    let found = due(&bureau).await;
    let kinds: Vec<_> = found[0].decisions.iter().map(|of| of.what).collect();
    assert_eq!(kinds, [DecisionKind::Withdrawn, DecisionKind::Effective, DecisionKind::Ended]);
    correct(&bureau, CODE).await;
    assert_eq!(due(&bureau).await, []);
}

async fn what_one_import_changed_is_asked_for_alone(store: TestStore) {
    let bureau = published(store).await;
    bureau.decide_about(CODE, NOTICE, 2, false).await;
    bureau.decide_about(OTHER, "温医保罚〔2025〕9号", 3, false).await;
    assert_eq!(subjects(&bureau, DueScope::All).await, [CODE, OTHER]);
    assert_eq!(subjects(&bureau, DueScope::Subject(OTHER)).await, [OTHER]);
    assert_eq!(subjects(&bureau, DueScope::Import(2)).await, [CODE]);
    assert!(subjects(&bureau, DueScope::Import(1)).await.is_empty());
    correct(&bureau, CODE).await;
    assert_eq!(subjects(&bureau, DueScope::All).await, [OTHER]);
}

/// A gateway recomputes only after something happened that corrections depend on.
async fn the_state_is_the_same_while_the_same_corrections_are_due(store: TestStore) {
    let bureau = published(store).await;
    let mut states = vec![bureau.rounds.correction_state().await.unwrap()];
    due(&bureau).await;
    bureau.store.clock.advance(Duration::from_hours(24));
    assert_eq!(bureau.rounds.correction_state().await.unwrap(), states[0]);
    bureau.decide_about(CODE, NOTICE, 2, false).await;
    states.push(bureau.rounds.correction_state().await.unwrap());
    correct(&bureau, CODE).await;
    states.push(bureau.rounds.correction_state().await.unwrap());
    bureau.adverse(3, NOTICE, "withdrawn", "2026-12-31").await;
    states.push(bureau.rounds.correction_state().await.unwrap());
    bureau.publish(&bureau.run(periods()[1]).await).await;
    states.push(bureau.rounds.correction_state().await.unwrap());
    for (at, state) in states.iter().enumerate() {
        assert!(!states[at + 1..].contains(state), "{states:?}");
    }
}

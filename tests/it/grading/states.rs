//! The states of a run: its transitions, and what is visible outside.

use std::time::Duration;

use medcredit::{
    domain::{WorkCalendar, grade::GradeStatus},
    grading::{GradingError, Rounds, RunState},
};

use super::{Bureau, File, line, periods};
use crate::support::{TestStore, both_engines};

const CODE: &str = "H33030200001";

async fn bureau_of_one(store: TestStore) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau
}

/// The number of stored results of a run.
async fn results(bureau: &Bureau, run: &str) -> i64 {
    let sql = "SELECT COUNT(*) FROM bulk.run_results WHERE run_id = $1";
    bureau.db().read("test").fetch_one::<(i64,)>(sql, vec![run.into()]).await.unwrap().0
}

both_engines! {
    a_run_only_moves_forward,
    a_discarded_trial_leaves_only_its_row,
    remains_of_a_discarded_run_are_removed_by_the_next,
    subjects_object_to_one_run_at_a_time,
    a_run_is_published_only_after_the_objection_period,
    altered_results_are_not_opened_to_objections,
    a_half_year_under_way_is_not_opened_to_objections,
}

/// A bureau takes a run through its states, and tries the transitions that are refused.
async fn a_run_only_moves_forward(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let rounds = &bureau.rounds;
    let run = bureau.run(periods()[1]).await.id.to_string();
    let state = async || rounds.history(&run).await.unwrap().state;
    assert_eq!(state().await, RunState::Trial);

    let opened = rounds.preassess(crate::support::tester(), &run).await.unwrap();
    assert_eq!((opened.subjects, opened.open_until), (1, None));
    assert_eq!(state().await, RunState::Preassessment);
    assert_eq!(
        bureau.assessment_of(CODE, "2026-04-01").await.status,
        GradeStatus::NotEvaluated,
        "it does not count yet"
    );
    let again = rounds.preassess(crate::support::tester(), &run).await.unwrap_err();
    assert!(matches!(again, GradingError::WrongState { state: RunState::Preassessment, .. }), "{again}");

    rounds.publish(crate::support::tester(), &run, 1).await.unwrap();
    assert_eq!(bureau.assessment_of(CODE, "2026-04-01").await.status, GradeStatus::Graded);
    for refused in [
        rounds.preassess(crate::support::tester(), &run).await.unwrap_err(),
        rounds.discard(crate::support::tester(), &run).await.unwrap_err(),
    ] {
        assert!(matches!(refused, GradingError::WrongState { state: RunState::Published, .. }), "{refused}");
    }

    let next = bureau.run(periods()[1]).await;
    bureau.publish(&next).await;
    let life = rounds.history(&run).await.unwrap();
    assert_eq!((life.state, life.superseded_by), (RunState::Superseded, Some(next.id.to_string())));
    assert!(life.ended_at.is_some() && life.preassessed_at.is_some());
    let refused = rounds.publish(crate::support::tester(), &run, 1).await.unwrap_err();
    assert!(
        refused.to_string().contains("is superseded: only a trial or a pre-assessment can be published"),
        "{refused}"
    );
}

/// A bureau discards a wrong trial.
async fn a_discarded_trial_leaves_only_its_row(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    assert_eq!(results(&bureau, &run).await, 1);
    bureau.rounds.discard(crate::support::tester(), &run).await.unwrap();
    assert_eq!(results(&bureau, &run).await, 0);
    assert_eq!(bureau.rounds.history(&run).await.unwrap().state, RunState::Discarded);
    for refused in [
        bureau.rounds.publish(crate::support::tester(), &run, 1).await.unwrap_err(),
        bureau.rounds.preassess(crate::support::tester(), &run).await.unwrap_err(),
        bureau.rounds.discard(crate::support::tester(), &run).await.unwrap_err(),
    ] {
        assert!(matches!(refused, GradingError::WrongState { state: RunState::Discarded, .. }), "{refused}");
    }
    assert!(matches!(
        bureau.rounds.discard(crate::support::tester(), "run_nobody").await.unwrap_err(),
        GradingError::NoSuchRun(_)
    ));
}

/// A process was killed between the two transactions of a discard.
async fn remains_of_a_discarded_run_are_removed_by_the_next(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    bureau.set(&run, "UPDATE runs SET state = 'discarded' WHERE id = $1").await;
    assert_eq!(results(&bureau, &run).await, 1);
    let next = bureau.run(periods()[1]).await.id.to_string();
    assert_eq!((results(&bureau, &run).await, results(&bureau, &next).await), (0, 1));
}

/// Two runs of one scheme compete for objections.
async fn subjects_object_to_one_run_at_a_time(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let (one, other) = (bureau.run(periods()[1]).await.id.to_string(), bureau.run(periods()[1]).await.id.to_string());
    bureau.rounds.preassess(crate::support::tester(), &one).await.unwrap();
    for refused in [
        bureau.rounds.preassess(crate::support::tester(), &other).await.unwrap_err(),
        bureau.rounds.publish(crate::support::tester(), &other, 1).await.unwrap_err(),
    ] {
        assert!(matches!(&refused, GradingError::AnotherOpen { open } if *open == one), "{refused}");
    }
    bureau.rounds.discard(crate::support::tester(), &one).await.unwrap();
    bureau.rounds.publish(crate::support::tester(), &other, 1).await.unwrap();
}

/// A city has ten working days for objections.
async fn a_run_is_published_only_after_the_objection_period(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    let rounds = Rounds::new(bureau.store.env()).with_objections(10, WorkCalendar::built_in().unwrap());
    let refused = rounds.publish(crate::support::tester(), &run, 1).await.unwrap_err();
    assert!(matches!(refused, GradingError::NotPreassessed { days: 10, .. }), "{refused}");
    let opened = rounds.preassess(crate::support::tester(), &run).await.unwrap();
    // 4 to 6 April are off.
    assert_eq!(opened.open_until.unwrap().to_string(), "2026-04-16");
    // 2026-04-01 09:00 in the city; its 16th is the last day.
    bureau.store.clock.advance(Duration::from_hours(15 * 24));
    let refused = rounds.publish(crate::support::tester(), &run, 1).await.unwrap_err();
    assert!(
        matches!(&refused, GradingError::StillOpen { until, .. } if until.to_string() == "2026-04-16"),
        "{refused}"
    );
    bureau.store.clock.advance(Duration::from_hours(15));
    rounds.publish(crate::support::tester(), &run, 1).await.unwrap();
}

/// Someone changes a result, and a bureau opens the run to objections.
async fn altered_results_are_not_opened_to_objections(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    let mut tx = bureau.db().begin_bulk("test").await.unwrap();
    tx.execute("UPDATE bulk.run_results SET grade = 'good' WHERE run_id = $1", vec![run.as_str().into()])
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let refused = bureau.rounds.preassess(crate::support::tester(), &run).await.unwrap_err();
    assert!(matches!(refused, GradingError::Altered(_)), "{refused}");
}

/// A half-year is under way.
async fn a_half_year_under_way_is_not_opened_to_objections(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let early = bureau.run("2026-H1".parse().unwrap()).await.id.to_string();
    let refused = bureau.rounds.preassess(crate::support::tester(), &early).await.unwrap_err();
    assert!(matches!(refused, GradingError::NotOver { .. }), "{refused}");
}

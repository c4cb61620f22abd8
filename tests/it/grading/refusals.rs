//! Acts on runs that are refused, and the remains of runs that were cut short.

use medcredit::{
    grading::{GradingError, RunState},
    store::{Arg, JobLock},
};

use super::{Bureau, File, city, line, periods};
use crate::support::{TestStore, both_engines};

const CODE: &str = "H33030200001";

both_engines! {
    only_a_trial_of_a_past_half_year_is_published,
    altered_results_are_not_published,
    altered_facts_are_not_explained,
    one_run_is_made_at_a_time,
    remains_of_a_run_are_removed_by_the_next,
    a_run_that_fails_leaves_nothing,
    facts_of_removed_measures_are_counted,
}

/// A bureau publishes runs that cannot be published.
async fn only_a_trial_of_a_past_half_year_is_published(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    let refused = bureau.rounds.publish(crate::support::tester(), "run_nobody", 1).await.unwrap_err();
    assert!(matches!(refused, GradingError::NoSuchRun(_)), "{refused}");

    let (before, after) = (bureau.run(periods()[0]).await, bureau.run(periods()[1]).await);
    bureau.publish(&after).await;
    let refused = bureau.rounds.publish(crate::support::tester(), &before.id.to_string(), 1).await.unwrap_err();
    assert!(matches!(refused, GradingError::Backwards { .. }), "{refused}");
    let refused = bureau.rounds.publish(crate::support::tester(), &after.id.to_string(), 1).await.unwrap_err();
    assert!(matches!(&refused, GradingError::WrongState { state: RunState::Published, .. }), "{refused}");

    // The test runs on 2026-04-01, within this half-year.
    let early = bureau.run("2026-H1".parse().unwrap()).await;
    let refused = bureau.rounds.publish(crate::support::tester(), &early.id.to_string(), 1).await.unwrap_err();
    assert!(matches!(refused, GradingError::NotOver { .. }), "{refused}");
    assert_eq!(bureau.assessment_of(CODE, "2026-04-01").await.run_id, Some(after.id.to_string()));
}

/// Someone changes a result between trial and publication.
async fn altered_results_are_not_published(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(20, 5);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    for alter in [
        "UPDATE bulk.run_results SET points = points + 100000, grade = 'excellent' WHERE run_id = $1 AND subject_code = 'H33030200011'",
        "UPDATE bulk.run_results SET findings = '[]' WHERE run_id = $1 AND subject_code = 'H33030200011'",
        "DELETE FROM bulk.run_results WHERE run_id = $1 AND subject_code = 'H33030200011'",
    ] {
        let run = bureau.run(periods()[1]).await;
        let mut tx = bureau.db().begin_bulk("test").await.unwrap();
        assert_eq!(tx.execute(alter, vec![Arg::Text(run.id.to_string())]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        let refused = bureau.rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap_err();
        assert!(matches!(refused, GradingError::Altered(_)), "{refused}");
    }
}

/// Someone changes the facts behind a result, which is explained afterwards.
async fn altered_facts_are_not_explained(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(20, 5);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    bureau.run(periods()[1]).await;
    let code = &files[11].code;
    bureau.rounds.explain(code, None).await.unwrap();
    let mut tx = bureau.db().begin_bulk("test").await.unwrap();
    // From a valid chunk, so that only the digest is wrong.
    let altered = tx.execute("UPDATE bulk.fact_chunks SET totals = facts, facts = totals", vec![]).await.unwrap();
    assert!(altered > 0);
    tx.commit().await.unwrap();
    let refused = bureau.rounds.explain(code, None).await.unwrap_err();
    assert!(format!("{refused:?}").contains("its digest is wrong"), "{refused:?}");
}

/// Two processes make runs at the same time.
async fn one_run_is_made_at_a_time(store: TestStore) {
    let bureau = Bureau::with(store);
    let other = bureau.store.reopen().await;
    let held = JobLock::try_acquire(&other, "grading").await.unwrap().expect("nobody holds it");
    let model = bureau.library.get("wenzhou-institution").unwrap();
    let refused = bureau.rounds.run(crate::support::tester(), model, periods()[1], &|_, _| ()).await.unwrap_err();
    assert!(matches!(refused, GradingError::Busy), "{refused}");
    held.release().await.unwrap();
    bureau.run(periods()[1]).await;
}

/// A process was killed in the middle of a run.
async fn remains_of_a_run_are_removed_by_the_next(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    let mut tx = bureau.db().begin_bulk("test").await.unwrap();
    tx.execute(
            "INSERT INTO bulk.run_results (run_id, subject_code, status, findings, standing) VALUES ('run_killed', $1, 'graded', '[]', '{}')",
            vec![Arg::Text(CODE.into())],
        )
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let run = bureau.run(periods()[1]).await;
    let sql = "SELECT DISTINCT run_id FROM bulk.run_results";
    let left: Vec<(String,)> = bureau.db().read("test").fetch_all(sql, vec![]).await.unwrap();
    assert_eq!(left, [(run.id.to_string(),)]);
}

/// A record has a value out of range.
async fn a_run_that_fails_leaves_nothing(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE), File::usual("H33030200002")]).await;
    let mut lines = vec![line(CODE, "fund_used", 1, "2025-12-30"), line(CODE, "fund_used", 1, "2025-12-31")];
    for line in &mut lines {
        line.value_e4 = i64::MAX / 2;
    }
    bureau.import(1, &lines, true).await;
    let model = bureau.library.get("wenzhou-institution").unwrap();
    let refused = bureau.rounds.run(crate::support::tester(), model, periods()[1], &|_, _| ()).await.unwrap_err();
    assert!(matches!(&refused, GradingError::Data { subject, .. } if subject == CODE), "{refused}");
    assert!(refused.to_string().contains("fund_used in 2025-H2"), "{refused}");
    for sql in ["SELECT COUNT(*) FROM bulk.run_results", "SELECT COUNT(*) FROM runs"] {
        assert_eq!(bureau.db().read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0, 0, "{sql}");
    }
}

/// A measure was removed from the catalogue after its records were imported.
async fn facts_of_removed_measures_are_counted(store: TestStore) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.import(1, &[line(CODE, "hours_open", 8, "2025-12-31")], true).await;
    assert_eq!(bureau.run(periods()[1]).await.unknown, 1);
}

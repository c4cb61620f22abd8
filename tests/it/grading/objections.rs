//! Objections: the mark withholds the grade from the next answer on, and a decision releases it.

use medcredit::{
    domain::{Clock, WorkCalendar},
    grading::{GradingError, NewObjection, ObjectionDecision, ObjectionOutcome},
};

use super::{Bureau, File, line, periods};
use crate::support::{TestStore, both_engines, tester};

const CODE: &str = "H33030200001";

both_engines! {
    an_open_objection_withholds_the_grade_until_it_is_decided,
    repeating_an_act_changes_nothing_and_another_one_is_refused,
    a_year_without_a_calendar_is_refused_before_anything_changes,
}

fn objection(reason: &'static str) -> NewObjection<'static> {
    NewObjection { subject: CODE, run: None, reason, decide_within: 15, actor: tester() }
}

fn decision<'a>(id: &'a str, reason: &'a str) -> ObjectionDecision<'a> {
    ObjectionDecision { objection: id, outcome: ObjectionOutcome::Rejected, reason, actor: tester() }
}

async fn published(store: TestStore) -> (Bureau, WorkCalendar) {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.register_bank().await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    (bureau, WorkCalendar::built_in().unwrap())
}

async fn entries(bureau: &Bureau) -> Vec<(String,)> {
    let sql = "SELECT body FROM ledger_entries WHERE body LIKE '%objection_%' ORDER BY id";
    bureau.db().read("test").fetch_all(sql, vec![]).await.unwrap()
}

async fn version(bureau: &Bureau) -> i64 {
    let sql = "SELECT version FROM subjects";
    bureau.db().read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0
}

/// A hospital objects to its grade, and the bureau decides.
async fn an_open_objection_withholds_the_grade_until_it_is_decided(store: TestStore) {
    let (bureau, calendar) = published(store).await;
    let before = version(&bureau).await;
    let opened = bureau.rounds.open_objection(objection("扣分的处罚已撤销"), &calendar).await.unwrap();
    assert!(opened.changed);
    // 2026-04-01 is a Wednesday; 4 to 6 April are off, 1 to 5 May too, 9 May is worked.
    assert_eq!(opened.objection.due_on.to_string(), "2026-04-23");
    let withheld = bureau.assessment_of(CODE, "2026-04-01").await;
    assert_eq!((withheld.status.as_str(), &withheld.grade), ("under_objection", &None));
    assert_eq!(withheld.subject_version, before + 1, "appends compare the version");
    let open = bureau.rounds.objections(false).await.unwrap();
    assert_eq!((open.len(), open[0].opened_by.as_str()), (1, "tester"));
    assert!(!open[0].is_overdue("2026-04-23".parse().unwrap()) && open[0].is_overdue("2026-04-24".parse().unwrap()));

    let done = bureau.rounds.decide_objection(decision(&open[0].id, "处罚有效")).await.unwrap();
    assert!(done.changed);
    assert_eq!(done.objection.outcome, Some(ObjectionOutcome::Rejected));
    assert_eq!(done.objection.decided_at, Some(bureau.store.clock.now()));
    let released = bureau.assessment_of(CODE, "2026-04-01").await;
    assert_eq!((released.status.as_str(), released.subject_version), ("graded", before + 2));
    assert!(bureau.rounds.objections(false).await.unwrap().is_empty());
    assert_eq!(bureau.rounds.objections(true).await.unwrap(), [done.objection]);
    let entries = entries(&bureau).await;
    assert_eq!(entries.len(), 2);
    // Both of the same millisecond, so that their ids have no order.
    let acts = ["objection_opened", "objection_decided"];
    assert!(acts.iter().all(|act| entries.iter().any(|entry| entry.0.contains(act))), "{entries:?}");
}

/// Two operators work on the same objection.
async fn repeating_an_act_changes_nothing_and_another_one_is_refused(store: TestStore) {
    let (bureau, calendar) = published(store).await;
    let opened = bureau.rounds.open_objection(objection("one"), &calendar).await.unwrap();
    let again = bureau.rounds.open_objection(objection("one"), &calendar).await.unwrap();
    assert!(!again.changed && again.objection == opened.objection);
    let other = bureau.rounds.open_objection(objection("two"), &calendar).await.unwrap_err();
    assert!(matches!(&other, GradingError::ObjectionOpen { id, .. } if *id == opened.objection.id), "{other}");
    let marked = version(&bureau).await;
    let id = opened.objection.id.as_str();
    for changed in [true, false] {
        assert_eq!(bureau.rounds.decide_objection(decision(id, "no")).await.unwrap().changed, changed);
    }
    let other = bureau.rounds.decide_objection(decision(id, "yes")).await.unwrap_err();
    assert!(matches!(other, GradingError::ObjectionDecided { .. }), "{other}");
    assert_eq!(version(&bureau).await, marked + 1);
    assert_eq!(entries(&bureau).await.len(), 2, "repeated acts leave no entry");
    // After a decision the subject may object again.
    assert!(bureau.rounds.open_objection(objection("two"), &calendar).await.unwrap().changed);
    let nobody = NewObjection { subject: "H33030299999", ..objection("x") };
    let refused = bureau.rounds.open_objection(nobody, &calendar).await.unwrap_err();
    assert!(matches!(refused, GradingError::NoSuchSubject(_)), "{refused}");
    let refused = bureau.rounds.open_objection(objection(" "), &calendar).await.unwrap_err();
    assert!(matches!(refused, GradingError::ObjectionReason { .. }), "{refused}");
}

/// The year ends before the deadline, and the next one's holidays are not listed.
async fn a_year_without_a_calendar_is_refused_before_anything_changes(store: TestStore) {
    let (bureau, calendar) = published(store).await;
    let before = version(&bureau).await;
    let far = NewObjection { decide_within: 400, ..objection("one") };
    let refused = bureau.rounds.open_objection(far, &calendar).await.unwrap_err();
    assert!(
        refused.to_string().contains("has no year 2027") && refused.to_string().contains("calendar.toml"),
        "{refused}"
    );
    assert_eq!((version(&bureau).await, bureau.rounds.objections(true).await.unwrap().len()), (before, 0));
}

//! Corrections: a new version, an event, and the next reading of a bank.

use medcredit::{
    domain::{Clock, permission::Permission},
    grading::{Correction, GradingError, Rounds, RunState},
};
use serde_json::json;

use super::{Bureau, File, line, periods};
use crate::support::{
    TestStore,
    app::{Bank, HOSPITAL, TestApp},
    both_engines,
};

const CODE: &str = "H33030200001";

fn correction(reason: &'static str) -> Correction<'static> {
    Correction { subject: CODE, run: None, reason, actor: crate::support::tester() }
}

async fn published(store: TestStore) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    bureau.import(1, &[line(CODE, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau
}

async fn number(bureau: &Bureau, sql: &'static str) -> i64 {
    bureau.db().read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0
}

both_engines! {
    a_correction_is_a_version_and_an_event,
    a_right_assessment_is_not_corrected,
    two_processes_correct_one_result_once,
    a_subject_that_should_not_have_been_rated_is_corrected_to_not_rated,
    only_a_published_run_is_corrected,
    a_former_round_is_corrected_by_its_id,
    a_bank_reads_the_correction_next,
}

/// A bureau corrects a grade after a department delivered a fact again.
async fn a_correction_is_a_version_and_an_event(store: TestStore) {
    let bureau = published(store).await;
    let before = bureau.assessment_of(CODE, "2026-04-01").await;
    let publication = number(&bureau, "SELECT number FROM publication").await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;

    let done = bureau.rounds.correct(correction("发改委更正")).await.unwrap();
    assert!(done.changed);
    assert_eq!((done.version, &done.run), (2, before.run_id.as_ref().unwrap()));
    assert_eq!((done.before.grade.as_deref(), done.now.grade.as_deref()), (Some("poor"), Some("medium")));
    assert_eq!(done.now.points.unwrap().to_string(), "753.000");

    let after = bureau.assessment_of(CODE, "2026-04-01").await;
    assert_eq!((after.assessment_version, after.run_id), (Some(2), before.run_id));
    assert_eq!(after.grade.unwrap().code, "medium");
    assert_eq!(after.subject_version, before.subject_version + 1);
    assert_eq!(number(&bureau, "SELECT number FROM publication").await, publication + 1);

    let sql = "SELECT topic, ordering_key, body FROM outbox_events";
    let events: Vec<(String, String, String)> = bureau.db().read("test").fetch_all(sql, vec![]).await.unwrap();
    let [(topic, key, body)] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!((topic.as_str(), key.as_str()), ("grade.corrected", CODE));
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(
        body,
        json!({ "code": CODE, "kind": "medical_institution", "scheme": "wenzhou-951", "run": done.run,
                    "period": "2025-H2", "version": 2 })
    );
    let made = bureau.rounds.corrections(&done.run).await.unwrap();
    assert_eq!((made.len(), made[0].reason.as_str(), made[0].operator.as_str()), (1, "发改委更正", "tester"));
    assert_eq!(made[0].at, bureau.store.clock.now());
}

/// A bureau corrects an assessment that is right, and corrects a wrong one twice.
async fn a_right_assessment_is_not_corrected(store: TestStore) {
    let bureau = published(store).await;
    let done = bureau.rounds.correct(correction("checked")).await.unwrap();
    assert!(!done.changed && done.version == 1, "{done:?}");
    assert_eq!(number(&bureau, "SELECT COUNT(*) FROM outbox_events").await, 0);
    assert_eq!(number(&bureau, "SELECT version FROM subjects").await, 1);
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    for changed in [true, false, false] {
        assert_eq!(bureau.rounds.correct(correction("again")).await.unwrap().changed, changed);
    }
    assert_eq!(number(&bureau, "SELECT COUNT(*) FROM outbox_events").await, 1);
}

/// Two processes correct the same assessment concurrently.
async fn two_processes_correct_one_result_once(store: TestStore) {
    let bureau = published(store).await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    let (clock, entropy) = (bureau.store.clock.clone(), medcredit::domain::SeededEntropy::new(9));
    let other = Rounds::new(medcredit::store::Env::new(bureau.store.reopen().await, clock, entropy));
    let (one, two) = tokio::join!(bureau.rounds.correct(correction("one")), other.correct(correction("two")));
    assert!(one.unwrap().changed ^ two.unwrap().changed);
    assert_eq!(number(&bureau, "SELECT MAX(version) FROM assessments").await, 2);
    assert_eq!(number(&bureau, "SELECT COUNT(*) FROM outbox_events").await, 1);
}

/// A bureau corrects a subject's file: its licence was suspended all along.
async fn a_subject_that_should_not_have_been_rated_is_corrected_to_not_rated(store: TestStore) {
    let bureau = published(store).await;
    bureau.set(CODE, "UPDATE subjects SET licence_status = 'suspended', version = version + 1 WHERE code = $1").await;
    let done = bureau.rounds.correct(correction("licence")).await.unwrap();
    assert_eq!((done.now.status.as_str(), done.now.reason.as_deref()), ("not_rated", Some("licence_suspended")));
    let after = bureau.assessment_of(CODE, "2026-04-01").await;
    assert_eq!((after.grade, after.points), (None, None));
}

/// A bureau corrects a trial, and gives no valid reason.
async fn only_a_published_run_is_corrected(store: TestStore) {
    let bureau = published(store).await;
    let trial = bureau.run(periods()[1]).await.id.to_string();
    let refused = bureau.rounds.correct(Correction { run: Some(&trial), ..correction("a trial") }).await.unwrap_err();
    assert!(matches!(refused, GradingError::NeverPublished { state: RunState::Trial, .. }), "{refused}");
    for reason in ["", "  ", "two\nlines"] {
        let refused = bureau.rounds.correct(correction(reason)).await.unwrap_err();
        assert!(matches!(refused, GradingError::Reason { .. }), "{refused}");
    }
    let nobody = Correction { subject: "H33030299999", ..correction("nobody") };
    assert!(matches!(bureau.rounds.correct(nobody).await.unwrap_err(), GradingError::NotCovered(_)));
    bureau.accept_files(&[File::usual("H33030200002")]).await;
    let newcomer = Correction { subject: "H33030200002", ..correction("came after the round") };
    assert!(matches!(bureau.rounds.correct(newcomer).await.unwrap_err(), GradingError::NotCovered(_)));
}

/// A bureau corrects a former round, which banks read as history.
async fn a_former_round_is_corrected_by_its_id(store: TestStore) {
    let bureau = published(store).await;
    let former = bureau.assessment_of(CODE, "2026-04-01").await.run_id.unwrap();
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.import(2, &[line(CODE, "public_credit_score", 1000, "2025-12-31")], true).await;
    let done = bureau.rounds.correct(Correction { run: Some(&former), ..correction("later") }).await.unwrap();
    assert!(done.changed && done.run == former);
    assert_eq!(
        bureau.assessment_of(CODE, "2026-04-01").await.assessment_version,
        Some(1),
        "the round in force is another"
    );
}

/// A bank reads a grade again after a correction.
async fn a_bank_reads_the_correction_next(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |wish| {
            wish.permissions = vec![Permission::Grade, Permission::GradeHistory];
            wish.valid_for_days = Some(400);
        })
        .await;
    let token = bank.token().await;
    let grade = async || bank.get(&token, &Bank::data(&consent, "grade")).await.json["codes"][0].clone();
    for _ in 0..2 {
        let before = grade().await;
        assert_eq!(
            (&before["code"], &before["grade"]["code"], &before["assessment_version"]),
            (&json!(HOSPITAL), &json!("good"), &json!(1))
        );
    }
    // The grades that the test set by hand differ from those that the records give.
    let rounds = Rounds::new(medcredit::store::Env::new(
        app.store.reopen().await,
        app.store.clock.clone(),
        app.store.entropy.clone(),
    ));
    let of = Correction { subject: HOSPITAL, run: None, reason: "what it comes to", actor: crate::support::tester() };
    assert!(rounds.correct(of).await.unwrap().changed);
    let after = grade().await;
    assert_eq!((&after["grade"]["code"], &after["assessment_version"]), (&json!("poor"), &json!(2)));

    // After its expiry it is history, marked as corrected.
    app.advance(std::time::Duration::from_hours(24 * 130)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade-history")).await;
    let round = &reply.json["codes"][0]["rounds"][0];
    assert_eq!(
        (&round["corrected"], &round["assessment_version"], &round["grade"]["code"]),
        (&json!(true), &json!(2), &json!("poor"))
    );
}

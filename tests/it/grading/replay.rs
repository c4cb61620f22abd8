//! Replay: a run is recomputed, and every later change is found.

use medcredit::{
    grading::{Correction, GradingError, Replayed},
    store::{Arg, Tx},
};

use super::{Bureau, city, line, periods};
use crate::support::{TestStore, both_engines};

const CODE: &str = "H33030200011";

/// A small city with a published round; the run's id.
async fn published(store: TestStore) -> (Bureau, String) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(40, 5);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    (bureau, run.id.to_string())
}

async fn replay(bureau: &Bureau, run: &str) -> Replayed {
    bureau.rounds.replay(run, &|_, _| ()).await.unwrap()
}

/// The differences, each with its subject.
fn differences(replayed: &Replayed) -> Vec<(&'static str, Option<&str>)> {
    replayed.differences.iter().map(|one| (one.what, one.subject_code.as_deref())).collect()
}

async fn tamper(mut tx: Tx, sql: &'static str, args: Vec<Arg>) {
    assert!(tx.execute(sql, args).await.unwrap() > 0, "{sql}");
    tx.commit().await.unwrap();
}

both_engines! {
    an_untouched_run_is_proved,
    a_tampered_result_is_found,
    a_missing_result_is_found,
    a_tampered_assessment_is_found,
    a_tampered_chunk_is_found,
    facts_that_were_exchanged_are_found,
    a_changed_model_is_found,
    a_tampered_correction_is_found,
    a_discarded_run_cannot_be_proved,
}

/// An auditor replays an untouched round, also after further imports and changes of files.
async fn an_untouched_run_is_proved(store: TestStore) {
    let (bureau, run) = published(store).await;
    let proved = replay(&bureau, &run).await;
    assert!(proved.is_proven(), "{proved:?}");
    assert_eq!((proved.subjects, proved.differing), (40, 0));
    assert!(proved.chunks > 0);

    bureau.import(2, &[line(CODE, "public_credit_score", 1, "2025-12-31")], true).await;
    bureau.set(CODE, "UPDATE subjects SET licence_status = 'revoked' WHERE code = $1").await;
    assert!(replay(&bureau, &run).await.is_proven(), "later facts are not read");
    let (_, lines) = city(40, 5);
    assert!(lines.iter().any(|line| line.code == CODE));

    let correction =
        Correction { subject: CODE, run: None, reason: "licence revoked", actor: crate::support::tester() };
    assert!(bureau.rounds.correct(correction).await.unwrap().changed);
    let proved = replay(&bureau, &run).await;
    assert!(proved.is_proven() && proved.corrections == 1, "{proved:?}");
}

/// Someone changes a result in the tables.
async fn a_tampered_result_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    let sql = "UPDATE bulk.run_results SET points = points + 1000 WHERE run_id = $1 AND subject_code = $2";
    tamper(bureau.db().begin_bulk("test").await.unwrap(), sql, vec![run.as_str().into(), CODE.into()]).await;
    let found = replay(&bureau, &run).await;
    assert!(!found.is_proven());
    // The result is not what comes out, and what was published is not the result.
    assert_eq!(differences(&found), [("result", Some(CODE)), ("assessment", Some(CODE))]);
    assert_eq!(found.outcome.found.as_ref(), Some(&found.outcome.kept), "it comes to the same as it did");
}

/// Someone removes a result from the tables.
async fn a_missing_result_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    let sql = "DELETE FROM bulk.run_results WHERE run_id = $1 AND subject_code = $2";
    tamper(bureau.db().begin_bulk("test").await.unwrap(), sql, vec![run.as_str().into(), CODE.into()]).await;
    let found = replay(&bureau, &run).await;
    assert!(!found.is_proven());
    assert_eq!(differences(&found), [("result", None), ("assessment", Some(CODE))]);
}

/// Someone changes a published assessment, and not the results of the run.
async fn a_tampered_assessment_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    let sql = "UPDATE assessments SET grade = 'excellent', points = 999000 WHERE run_id = $1 AND subject_code = $2";
    tamper(bureau.db().begin("test").await.unwrap(), sql, vec![run.as_str().into(), CODE.into()]).await;
    let found = replay(&bureau, &run).await;
    assert_eq!(differences(&found), [("assessment", Some(CODE))]);
    assert_eq!(found.differences[0].kept, "graded excellent 999.000");
}

/// Someone changes facts in their columns.
async fn a_tampered_chunk_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    let sql = "UPDATE bulk.fact_chunks SET facts = totals WHERE period = '2025-H2'";
    tamper(bureau.db().begin_bulk("test").await.unwrap(), sql, vec![]).await;
    let found = replay(&bureau, &run).await;
    assert!(!found.is_proven());
    assert_eq!(differences(&found), [("facts", None)]);
    assert!(found.differences[0].kept.ends_with("of import 1"), "{found:?}");
    assert_eq!(found.outcome.found, None, "damaged facts are not computed with");
}

/// Someone replaces facts whole, digests and all.
async fn facts_that_were_exchanged_are_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    tamper(bureau.db().begin_bulk("test").await.unwrap(), "DELETE FROM bulk.fact_chunks", vec![]).await;
    let mut tx = bureau.db().begin("test").await.unwrap();
    tx.execute("DELETE FROM imports", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    let (_, mut lines) = city(40, 5);
    for line in lines.iter_mut().filter(|line| line.code == CODE) {
        line.value_e4 /= 2;
    }
    bureau.import(1, &lines, true).await;
    let found = replay(&bureau, &run).await;
    assert!(!found.is_proven());
    assert_ne!(found.input.found.as_ref(), Some(&found.input.kept));
    assert_eq!(differences(&found), [("result", Some(CODE))]);
}

/// Someone changes the model that a run kept, or its catalogue.
async fn a_changed_model_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    for (what, sql, back) in [
        (
            "model",
            "UPDATE models SET body = REPLACE(body, '较差', '尚可') WHERE model_id = 'wenzhou-institution'",
            "UPDATE models SET body = REPLACE(body, '尚可', '较差') WHERE model_id = 'wenzhou-institution'",
        ),
        (
            "catalogue",
            "UPDATE models SET body = REPLACE(body, '医保局', '医保处') WHERE model_id LIKE 'catalogue:%'",
            "SELECT 1",
        ),
    ] {
        tamper(bureau.db().begin("test").await.unwrap(), sql, vec![]).await;
        let found = replay(&bureau, &run).await;
        assert!(!found.is_proven());
        assert_eq!(differences(&found), [(what, None)], "{found:?}");
        let mut tx = bureau.db().begin("test").await.unwrap();
        tx.execute(back, vec![]).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// Someone changes a correction.
async fn a_tampered_correction_is_found(store: TestStore) {
    let (bureau, run) = published(store).await;
    bureau.import(2, &[line(CODE, "market_penalty", 1, "2025-12-30")], true).await;
    let correction = Correction { subject: CODE, run: None, reason: "reported late", actor: crate::support::tester() };
    assert!(bureau.rounds.correct(correction).await.unwrap().changed);
    assert!(replay(&bureau, &run).await.is_proven());
    let sql = "UPDATE assessments SET grade = 'excellent' WHERE version = 2 AND subject_code = $1";
    tamper(bureau.db().begin("test").await.unwrap(), sql, vec![CODE.into()]).await;
    assert_eq!(differences(&replay(&bureau, &run).await), [("correction", Some(CODE))]);
}

/// A discarded run has nothing to be proved by.
async fn a_discarded_run_cannot_be_proved(store: TestStore) {
    let (bureau, _) = published(store).await;
    let trial = bureau.run(periods()[1]).await.id.to_string();
    assert!(replay(&bureau, &trial).await.is_proven(), "a trial can");
    bureau.rounds.discard(crate::support::tester(), &trial).await.unwrap();
    let refused = bureau.rounds.replay(&trial, &|_, _| ()).await.unwrap_err();
    assert!(matches!(refused, GradingError::NoResults(_)), "{refused}");
}

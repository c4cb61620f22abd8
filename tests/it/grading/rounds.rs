//! A round in force: the grades that a bank reads before, during and after publication, and the five answers (domain 0.8).

use std::{collections::BTreeSet, time::Duration};

use medcredit::{
    domain::grade::{GradeStatus, NotRatedReason},
    grading::{Grades, current},
};

use super::{Bureau, File, city, line, periods};
use crate::support::{TestStore, both_engines};

const GOOD: &str = "H33030200001";

/// A bureau with one institution with almost no data, which earns 728 points and more.
async fn bureau_of_one(store: TestStore) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(GOOD)]).await;
    bureau.import(1, &[line(GOOD, "public_credit_score", 900, "2025-12-31")], true).await;
    bureau
}

both_engines! {
    a_trial_is_never_visible_outside,
    a_published_grade_is_answered_with_its_round,
    a_grade_expires_by_the_clock_alone,
    an_open_objection_withholds_the_grade,
    a_newcomer_is_not_evaluated,
    a_subject_that_is_not_rated_is_answered_with_the_reason,
    the_next_round_supersedes_the_one_before,
    a_reader_sees_the_old_round_or_the_new_one,
    publication_raises_what_others_watch,
}

/// A bank reads a grade while a bureau works on a round.
async fn a_trial_is_never_visible_outside(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let assessment = bureau.assessment_of(GOOD, "2026-04-01").await;
    assert_eq!((assessment.status, assessment.grade, assessment.run_id), (GradeStatus::NotEvaluated, None, None));

    let run = bureau.run(periods()[1]).await;
    assert_eq!(bureau.report(&run).await.state, "trial");
    let assessment = bureau.assessment_of(GOOD, "2026-04-01").await;
    assert_eq!((assessment.status, assessment.grade, assessment.points), (GradeStatus::NotEvaluated, None, None));
}

/// A bank reads a grade after publication.
async fn a_published_grade_is_answered_with_its_round(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let run = bureau.run(periods()[1]).await;
    let published = bureau.publish(&run).await;
    assert_eq!(
        (published.subjects, published.former, published.valid_until.to_string()),
        (1, None, "2026-07-31".into())
    );

    let (number, assessments) = current(bureau.db(), &[GOOD.to_owned()], "2026-04-01".parse().unwrap()).await.unwrap();
    let assessment = &assessments[0];
    assert_eq!(number, published.publication);
    assert_eq!(assessment.status, GradeStatus::Graded);
    let grade = assessment.grade.as_ref().unwrap();
    assert_eq!((grade.code.as_str(), grade.name_zh.as_str(), grade.ordinal), ("poor", "较差", 4));
    // Twenty points for its age, forty-five for its public credit; the rest comes from policies for missing data.
    assert_eq!(assessment.points.unwrap().to_string(), "748.000");
    assert_eq!((assessment.scheme_id.as_deref(), assessment.scheme_version), (Some("wenzhou-951"), Some(1)));
    assert_eq!(assessment.model_id.as_deref(), Some("wenzhou-institution"));
    assert_eq!((assessment.period, assessment.run_id.clone()), (Some(periods()[1]), Some(run.id.to_string())));
    assert_eq!((assessment.assessment_version, assessment.subject_version), (Some(1), 1));
    assert_eq!(assessment.evaluated_on.unwrap().to_string(), "2026-04-01");
    assert_eq!(assessment.valid_until.unwrap().to_string(), "2026-07-31");
}

/// A bank reads a grade day after day; only the clock moves.
async fn a_grade_expires_by_the_clock_alone(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    assert_eq!(bureau.assessment_of(GOOD, "2026-07-31").await.status, GradeStatus::Graded);
    let over = bureau.assessment_of(GOOD, "2026-08-01").await;
    assert_eq!((over.status, over.grade, over.points), (GradeStatus::Expired, None, None));
    assert_eq!(over.valid_until.unwrap().to_string(), "2026-07-31");
}

/// A bank reads the grade of an institution that objects.
async fn an_open_objection_withholds_the_grade(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.set(GOOD, "UPDATE subjects SET under_objection = 1, version = version + 1 WHERE code = $1").await;
    let assessment = bureau.assessment_of(GOOD, "2026-04-01").await;
    assert_eq!((assessment.status, assessment.grade, assessment.points), (GradeStatus::UnderObjection, None, None));
    assert_eq!(assessment.subject_version, 2);
}

/// A bank reads the grade of an institution that joined after the round.
async fn a_newcomer_is_not_evaluated(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    bureau.accept_files(&[File::usual("H33030200002")]).await;
    assert_eq!(bureau.assessment_of("H33030200002", "2026-04-01").await.status, GradeStatus::NotEvaluated);
    let codes = ["H33030299999".to_owned(), GOOD.to_owned()];
    let (_, assessments) = current(bureau.db(), &codes, "2026-04-01".parse().unwrap()).await.unwrap();
    assert_eq!(assessments.len(), 1, "an unknown code is left out");
    let (number, nobody) = current(bureau.db(), &codes[..1], "2026-04-01".parse().unwrap()).await.unwrap();
    assert!(nobody.is_empty() && number > 0);
}

/// A bank reads the grades of institutions that took no part, each for its reason.
async fn a_subject_that_is_not_rated_is_answered_with_the_reason(store: TestStore) {
    let bureau = Bureau::with(store);
    let file = |nth: u8, change: fn(&mut File)| {
        let mut file = File::usual(&format!("H3303020000{nth}"));
        change(&mut file);
        file
    };
    let files = [
        file(0, |file| file.signed = Some("2025-01-01")),
        file(1, |file| file.signed = Some("2024-12-31")),
        file(2, |file| file.signed = None),
        file(3, |file| file.agreement = "ended_by_subject"),
        file(4, |file| file.agreement = "ended_by_bureau"),
        file(5, |file| file.licence = "suspended"),
        file(6, |file| file.licence = "revoked"),
        // A suspended agreement is a sanction, not a reason to be left out.
        file(7, |file| file.agreement = "suspended"),
        // The gravest reason counts.
        file(8, |file| {
            file.licence = "revoked";
            file.agreement = "ended_by_subject";
            file.signed = None;
        }),
    ];
    bureau.accept_files(&files).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    let mut reasons = Vec::new();
    for file in &files {
        let answer = bureau.assessment_of(&file.code, "2026-04-01").await;
        assert_eq!(answer.reason.is_some(), answer.status == GradeStatus::NotRated);
        assert_eq!(answer.grade.is_some(), answer.status == GradeStatus::Graded);
        reasons.push(answer.reason);
    }
    let expected = [
        Some(NotRatedReason::AgreementUnderOneYear),
        None,
        Some(NotRatedReason::AgreementUnderOneYear),
        Some(NotRatedReason::AgreementEndedBySubject),
        Some(NotRatedReason::AgreementEndedByBureau),
        Some(NotRatedReason::LicenceSuspended),
        Some(NotRatedReason::LicenceSuspended),
        None,
        Some(NotRatedReason::LicenceSuspended),
    ];
    assert_eq!(reasons, expected);
    let report = bureau.report(&run).await;
    assert_eq!((report.subjects, report.graded), (9, 2));
    let by_reason: Vec<_> = report.not_rated.into_iter().collect();
    let expected = [
        ("agreement_ended_by_bureau".to_owned(), 1),
        ("agreement_ended_by_subject".to_owned(), 1),
        ("agreement_under_one_year".to_owned(), 2),
        ("licence_suspended".to_owned(), 3),
    ];
    assert_eq!(by_reason, expected);
    let explained = bureau.rounds.explain(&files[3].code, None).await.unwrap();
    assert!(explained.to_text().contains("not rated: agreement_ended_by_subject"), "{}", explained.to_text());
}

/// A bank reads a grade before and after the next round.
async fn the_next_round_supersedes_the_one_before(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let before = bureau.run(periods()[0]).await;
    let first = bureau.publish(&before).await;
    let after = bureau.run(periods()[1]).await;
    assert_eq!(bureau.assessment_of(GOOD, "2026-01-01").await.run_id, Some(before.id.to_string()));
    let second = bureau.publish(&after).await;
    assert_eq!(second.former, Some(before.id.to_string()));
    assert_eq!(second.publication, first.publication + 1);
    assert_eq!(bureau.assessment_of(GOOD, "2026-04-01").await.run_id, Some(after.id.to_string()));
    let states = (bureau.report(&before).await.state, bureau.report(&after).await.state);
    assert_eq!(states, ("superseded".to_owned(), "published".to_owned()));
    // The same half-year may be published again, after records were corrected.
    let again = bureau.run(periods()[1]).await;
    assert_eq!(bureau.publish(&again).await.former, Some(after.id.to_string()));
}

/// A bank reads grades continuously while rounds are published.
async fn a_reader_sees_the_old_round_or_the_new_one(store: TestStore) {
    let bureau = Bureau::with(store);
    let (files, lines) = city(60, 4);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let codes: Vec<String> = files.iter().map(|file| file.code.clone()).collect();
    bureau.publish(&bureau.run(periods()[0]).await).await;
    let mut runs = Vec::new();
    for _ in 0..4 {
        runs.push(bureau.run(periods()[1]).await);
    }
    let grades = Grades::new(bureau.store.reopen().await);
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let reader = {
        let (done, codes, total) = (done.clone(), codes.clone(), codes.len());
        tokio::spawn(async move {
            let mut seen = BTreeSet::new();
            loop {
                let last = done.load(std::sync::atomic::Ordering::SeqCst);
                let (number, assessments) = grades.current(&codes, "2026-04-01".parse().unwrap()).await.unwrap();
                let rounds: BTreeSet<_> = assessments.iter().map(|one| one.run_id.clone().unwrap()).collect();
                assert_eq!((assessments.len(), rounds.len()), (total, 1), "a mixture of rounds");
                seen.insert((number, rounds.into_iter().next().unwrap()));
                if last {
                    return seen;
                }
            }
        })
    };
    for run in &runs {
        bureau.publish(run).await;
    }
    done.store(true, std::sync::atomic::Ordering::SeqCst);
    let seen = tokio::time::timeout(Duration::from_mins(1), reader).await.unwrap().unwrap();
    let numbers: BTreeSet<_> = seen.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers.len(), seen.len(), "a number belongs to one round");
    assert!(seen.iter().any(|(_, run)| *run == runs[3].id.to_string()));
}

/// Another process watches for changes.
async fn publication_raises_what_others_watch(store: TestStore) {
    let bureau = bureau_of_one(store).await;
    let number = |sql: &'static str| {
        let db = bureau.db().clone();
        async move { db.read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0 }
    };
    let sql = ["SELECT number FROM change_counter", "SELECT number FROM publication"];
    let before = (number(sql[0]).await, number(sql[1]).await);
    let run = bureau.run(periods()[1]).await;
    assert_eq!((number(sql[0]).await, number(sql[1]).await), before, "a trial changes nothing for others");
    bureau.publish(&run).await;
    assert_eq!((number(sql[0]).await, number(sql[1]).await), (before.0 + 1, before.1 + 1));
}

/// I2: an answer that is being recorded when a round is published is committed first, and later answers use the new round.
/// SQLite has one writer at a time; on PostgreSQL the locks of banks order them.
#[test]
fn publication_waits_for_answers_in_progress() {
    use crate::support::block_on;
    const WAITING: &str = "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
                           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    block_on(async {
        let bureau = bureau_of_one(TestStore::postgres().await).await;
        let run = bureau.run(periods()[1]).await;
        bureau.register_bank().await;

        let mut answer = bureau.db().begin("test").await.unwrap();
        answer.lock_banks_shared(&["cli_1".to_owned()]).await.unwrap();
        let (rounds, id) = (bureau.rounds.clone(), run.id.to_string());
        let publishing = tokio::spawn(async move { rounds.publish(crate::support::tester(), &id, 1).await });
        let waiting = async {
            while bureau.db().read("test").fetch_one::<(i64,)>(WAITING, vec![]).await.unwrap().0 == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_mins(1), waiting).await.expect("publication waits for the answer");
        assert!(!publishing.is_finished());
        assert_eq!(bureau.assessment_of(GOOD, "2026-04-01").await.status, GradeStatus::NotEvaluated);
        answer.commit().await.unwrap();
        publishing.await.unwrap().unwrap();
        assert_eq!(bureau.assessment_of(GOOD, "2026-04-01").await.status, GradeStatus::Graded);
    });
}

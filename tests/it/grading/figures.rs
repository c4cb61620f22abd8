//! Figures before publication: comparison of models, simulation of consequences, and statistics of indicators.

use medcredit::{
    grading::{BiasFlag, GradingError, Library, RunDone},
    scoring::{Catalogue, Model},
};

use super::{Bureau, File, city, line, periods};
use crate::support::{TestStore, both_engines};

/// The model of institutions, its text changed.
fn changed(change: impl Fn(&str) -> String) -> (Model, Catalogue) {
    let library = Library::shipped().unwrap();
    let in_force = library.get("wenzhou-institution").unwrap();
    let json = change(&in_force.model.canonical());
    (Model::from_json("changed", &json, in_force.catalogue).unwrap(), in_force.catalogue.clone())
}

async fn run_by(bureau: &Bureau, (model, catalogue): &(Model, Catalogue)) -> RunDone {
    let in_force = medcredit::grading::InForce { model, catalogue };
    bureau.rounds.run(crate::support::tester(), in_force, periods()[1], &|_, _| ()).await.unwrap()
}

async fn bureau_of(store: TestStore, count: usize) -> Bureau {
    let bureau = Bureau::with(store);
    let (files, lines) = city(count, 11);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    bureau
}

both_engines! {
    two_models_are_compared,
    a_subject_in_one_run_only_differs,
    a_publication_is_simulated,
    measures_follow_consecutive_grades,
    indicators_that_do_not_distinguish_subjects_are_flagged,
    missing_data_is_counted_by_indicator,
    figures_need_runs_with_results,
}

/// A bureau tries a stricter scheme over the same records.
async fn two_models_are_compared(store: TestStore) {
    let bureau = bureau_of(store, 100).await;
    let first = bureau.run(periods()[1]).await.id.to_string();
    // The best grade needs a hundred points more.
    let stricter = changed(|json| json.replace("\"from\":\"850\"", "\"from\":\"950\""));
    assert_ne!(stricter.0.canonical(), changed(str::to_owned).0.canonical(), "nothing was changed");
    let second = run_by(&bureau, &stricter).await.id.to_string();

    let same = bureau.rounds.compare(&first, &first).await.unwrap();
    assert_eq!((same.subjects, same.agree, same.agree_percent.as_str()), (100, 100, "100.00"));
    assert!(same.differing.is_empty());

    let comparison = bureau.rounds.compare(&first, &second).await.unwrap();
    let excellent = 10;
    assert_eq!((comparison.agree, comparison.differing.len()), (100 - excellent, 10));
    assert_eq!(comparison.agree_percent, "90.00");
    let one = &comparison.differing[0];
    assert_eq!((one.places, one.points.map(|points| points.0)), (Some(-1), Some(0)));
    assert_eq!(one.first.as_ref().unwrap().grade.as_deref(), Some("excellent"));
    assert_eq!(one.second.as_ref().unwrap().grade.as_deref(), Some("good"));
    // Rows are the first run's grades: excellent, good, medium, poor, bad, not rated, absent.
    assert_eq!(comparison.matrix.counts[0][..2], [Some(0), Some(10)]);
    assert_eq!((comparison.matrix.risen, comparison.matrix.fallen), (Some(0), Some(10)));
}

/// A bureau compares runs that share only some of their subjects.
async fn a_subject_in_one_run_only_differs(store: TestStore) {
    let bureau = bureau_of(store, 20).await;
    let first = bureau.run(periods()[1]).await.id.to_string();
    bureau.accept_files(&[File::usual("H33030299999")]).await;
    let second = bureau.run(periods()[1]).await.id.to_string();
    let comparison = bureau.rounds.compare(&first, &second).await.unwrap();
    assert_eq!((comparison.subjects, comparison.agree, comparison.differing.len()), (21, 20, 1));
    let one = &comparison.differing[0];
    assert_eq!((one.subject_code.as_str(), &one.first, one.places), ("H33030299999", &None, None));
}

/// A bureau simulates a publication: nothing is visible outside, and the figures match the later publication.
async fn a_publication_is_simulated(store: TestStore) {
    let bureau = bureau_of(store, 200).await;
    let first = bureau.run(periods()[0]).await;
    let alone = bureau.rounds.simulate(&first.id.to_string()).await.unwrap();
    assert!(alone.before.is_none() && alone.movement.is_none());
    bureau.publish(&first).await;
    let trial = bureau.run(periods()[1]).await;
    let tried = bureau.rounds.simulate(&trial.id.to_string()).await.unwrap();
    assert_eq!(tried.before.as_ref().unwrap().run, first.id.to_string());
    let movement = tried.movement.clone().unwrap();
    assert_eq!(movement.graded_in_both, Some(200));
    assert_eq!(movement.risen.unwrap() + movement.fallen.unwrap() + movement.stayed.unwrap(), 200);
    assert!(movement.risen.unwrap() > 0);
    let now: u64 = tried.distribution.iter().map(|grade| grade.now).sum();
    let before: u64 = tried.distribution.iter().map(|grade| grade.before).sum();
    assert_eq!((now, before), (200, 200));
    let assessment = bureau.assessment_of("H33030200001", "2026-04-01").await;
    assert_eq!(assessment.run_id, Some(first.id.to_string()), "nothing is visible outside");
    // After publication the same comparison is made with the round that it replaced.
    bureau.publish(&trial).await;
    let after = bureau.rounds.simulate(&trial.id.to_string()).await.unwrap();
    assert_eq!(after.movement.unwrap().counts, movement.counts);
}

/// A bureau has measures for a grade that is given once, and twice in a row.
async fn measures_follow_consecutive_grades(store: TestStore) {
    let bureau = bureau_of(store, 60).await;
    let with = changed(|json| {
        let mut file: serde_json::Value = serde_json::from_str(json).unwrap();
        file["consequence"] = serde_json::json!([
            { "grade": "good", "text_zh": "降低检查频次", "basis": "default", "reason": "test" },
            { "grade": "good", "after_consecutive": 2, "text_zh": "免于日常检查", "basis": "default", "reason": "test" },
        ]);
        file.to_string()
    });
    let in_force = medcredit::grading::InForce { model: &with.0, catalogue: &with.1 };
    let first = bureau.rounds.run(crate::support::tester(), in_force, periods()[0], &|_, _| ()).await.unwrap();
    let alone = bureau.rounds.simulate(&first.id.to_string()).await.unwrap();
    let followed: Vec<u64> = alone.measures.iter().map(|measure| measure.subjects).collect();
    assert!(followed[0] > 0 && followed[1] == 0, "nobody was good twice: {followed:?}");
    bureau.publish(&first).await;
    let second = run_by(&bureau, &with).await.id.to_string();
    let tried = bureau.rounds.simulate(&second).await.unwrap();
    let good = tried.distribution.iter().find(|grade| grade.column.code == "good").unwrap().now;
    let twice = tried.movement.as_ref().unwrap().counts[1][1].unwrap();
    let followed: Vec<u64> = tried.measures.iter().map(|measure| measure.subjects).collect();
    assert_eq!(followed, [good, twice]);
    assert!(twice > 0 && twice < good);
}

/// A bureau looks for indicators that do not distinguish its subjects.
async fn indicators_that_do_not_distinguish_subjects_are_flagged(store: TestStore) {
    let bureau = bureau_of(store, 100).await;
    let run = bureau.run(periods()[1]).await;
    let report = bureau.rounds.bias(&run.id.to_string()).await.unwrap();
    assert_eq!((report.graded, report.indicators.len()), (100, 36));
    for of in &report.indicators {
        assert!(of.least <= of.lower_quartile && of.lower_quartile <= of.median, "{of:?}");
        assert!(of.median <= of.upper_quartile && of.upper_quartile <= of.most && of.most <= of.weight, "{of:?}");
        assert!(of.least <= of.mean && of.mean <= of.most, "{of:?}");
        assert!(of.correlation_milli.is_none_or(|of| (-1000..=1000).contains(&of)));
    }
    // Every agreement of this city was signed on the same day, so that its age distinguishes nobody.
    let years = &report.indicators[1];
    assert_eq!(years.deviation.0, 0);
    assert!(years.flags.contains(&BiasFlag::NoSpread) && years.correlation_milli.is_none(), "{years:?}");
}

/// A bureau has no data at all for most indicators.
async fn missing_data_is_counted_by_indicator(store: TestStore) {
    let bureau = Bureau::with(store);
    let codes = ["H33030200001", "H33030200002", "H33030200003", "H33030200004"];
    bureau.accept_files(&codes.map(File::usual)).await;
    bureau.import(1, &[line(codes[0], "public_credit_score", 900, "2025-12-31")], true).await;
    let run = bureau.run(periods()[1]).await;
    let report = bureau.rounds.bias(&run.id.to_string()).await.unwrap();
    let credit = report.indicators.last().unwrap();
    assert_eq!((credit.no, credit.missing, credit.missing_percent.as_str()), (36, 3, "75.00"));
    assert!(credit.flags.contains(&BiasFlag::OftenMissing));
    let years = &report.indicators[1];
    assert_eq!(years.missing, 0);
}

/// A bureau compares runs of different kinds, and requests figures of a discarded run.
async fn figures_need_runs_with_results(store: TestStore) {
    let bureau = bureau_of(store, 20).await;
    let run = bureau.run(periods()[1]).await.id.to_string();
    bureau.rounds.discard(crate::support::tester(), &run).await.unwrap();
    for refused in [
        bureau.rounds.bias(&run).await.map(|_| ()).unwrap_err(),
        bureau.rounds.simulate(&run).await.map(|_| ()).unwrap_err(),
        bureau.rounds.compare(&run, &run).await.map(|_| ()).unwrap_err(),
    ] {
        assert!(matches!(refused, GradingError::NoResults(_)), "{refused}");
    }
}

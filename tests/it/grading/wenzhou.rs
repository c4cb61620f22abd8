//! Wenzhou's text, as the shipped models have it: penalties and judgments, fraud, and subjects without data.

use medcredit::{
    grading::{GoodStanding, Library, in_good_standing},
    i18n::Lang,
    scoring::{Assessment, Basis, PageFormat, Part, document_model},
};

use super::{Bureau, File, Line, city, line, periods};
use crate::support::{TestStore, block_on, both_engines};

fn shipped(store: TestStore) -> Bureau {
    let mut bureau = Bureau::with(store);
    bureau.library = Library::shipped().unwrap();
    bureau
}

/// A good institution with some more facts, rated for 2025-H2.
async fn rated(store: TestStore, more: &[(&str, &str)]) -> (Bureau, Assessment, String) {
    let bureau = shipped(store);
    let (files, mut lines) = city(20, 8);
    let code = files[0].code.clone();
    // Its own events are left out, so that only those of the test count.
    lines.retain(|line: &Line| {
        line.code != code || !(line.measure.contains("penalty") || line.measure.contains("sanction"))
    });
    lines.extend(more.iter().map(|(measure, on)| line(&code, measure, 1, on)));
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    let explained = bureau.rounds.explain(&code, None).await.unwrap();
    (bureau, explained.assessment.unwrap(), code)
}

fn points(assessment: &Assessment, no: u16) -> String {
    assessment.findings.iter().find(|finding| finding.no == no).unwrap().points.to_string()
}

both_engines! {
    fraud_caps_the_grade_and_ends_the_good_standing,
    an_institution_without_any_data_is_not_rated_for_insufficient_data,
}

/// 27 当期医保行政处罚 is of administrative penalties: the judgment of the same case is not a second one.
#[test]
fn 二七_a_judgment_and_the_penalty_of_one_case_are_one_administrative_penalty() {
    block_on(async {
        let penalty = ("insurance_penalty", "2025-10-10");
        let case = [penalty, ("court_fraud_judgment", "2025-12-12")];
        let (_, assessment, _) = rated(TestStore::sqlite().await, &case).await;
        assert_eq!(points(&assessment, 27), "30.000");
        let (_, assessment, _) = rated(TestStore::sqlite().await, &[("court_fraud_judgment", "2025-12-12")]).await;
        assert_eq!((points(&assessment, 27), points(&assessment, 28)), ("60.000".into(), "20.000".into()));
        // 28 历史医保行政处罚.
        let (_, assessment, _) = rated(TestStore::sqlite().await, &[("insurance_penalty", "2024-10-10")]).await;
        assert_eq!((points(&assessment, 27), points(&assessment, 28)), ("60.000".into(), "10.000".into()));
    });
}

/// Banks lend on 优秀 and 良好, so no points lead to them after a judgment of fraud.
async fn fraud_caps_the_grade_and_ends_the_good_standing(store: TestStore) {
    let (bureau, assessment, code) = rated(store, &[("court_fraud_judgment", "2024-03-03")]).await;
    assert_eq!(assessment.grade, "poor");
    let cap = assessment.decisions.iter().find(|decision| decision.part == Part::Cap).unwrap();
    assert!(cap.decides && cap.clause == "欺诈骗保", "{cap:?}");
    let good = ["excellent", "good"].map(str::to_owned).into_iter().collect();
    let rule = GoodStanding([("wenzhou-951".to_owned(), good)].into());
    assert!(!in_good_standing(&rule, &bureau.assessment_of(&code, "2026-04-01").await));
}

#[test]
fn every_model_of_wenzhou_says_whether_fraud_caps_its_grade() {
    let library = Library::shipped().unwrap();
    let mut capped = 0;
    for model in library.models().filter(|model| model.id().starts_with("wenzhou-")) {
        let found = library.get(model.id()).unwrap();
        let has = ["fraud_finding", "court_fraud_judgment"].iter().any(|id| found.catalogue.measure(id).is_some());
        let cap = model.file().cap.iter().find(|cap| cap.clause == "欺诈骗保");
        assert_eq!(has, cap.is_some(), "{}", model.id());
        let Some(cap) = cap else { continue };
        capped += 1;
        assert_eq!((cap.basis, cap.grade.as_deref()), (Basis::Default, Some("poor")));
        assert!(cap.reason.as_deref().unwrap().contains("The text does not say that fraud limits the grade"));
        let page = document_model(found.model, found.catalogue, found.model.kind(), PageFormat::Markdown, Lang::Zh);
        assert!(page.contains("封顶") && page.contains("欺诈骗保"), "{}", model.id());
    }
    assert_eq!(capped, 8, "all but the offices, of which nobody reports fraud");
}

/// 实现“每个医保主体都有医保信用”: whom to leave out is a decision of the city, which the shipped models do not take.
#[test]
fn 每个医保主体都有医保信用() {
    block_on(async {
        let bureau = shipped(TestStore::sqlite().await);
        let mut files: Vec<File> = (0..5).map(|nth| File::usual(&format!("H3303020000{nth}"))).collect();
        files[0].signed = Some("2025-12-01");
        files[1].agreement = "ended_by_bureau";
        files[2].agreement = "ended_by_subject";
        files[3].licence = "suspended";
        bureau.accept_files(&files).await;
        let lines: Vec<Line> =
            files.iter().map(|file| line(&file.code, "public_credit_score", 900, "2025-12-31")).collect();
        bureau.import(1, &lines, true).await;
        let report = bureau.report(&bureau.run(periods()[1]).await).await;
        assert_eq!((report.graded, report.not_rated.len()), (5, 0));
        let library = Library::shipped().unwrap();
        for model in library.models().filter(|model| model.id().starts_with("wenzhou-")) {
            let reasons: Vec<_> = model.file().not_rated.reasons.iter().map(|reason| reason.as_str()).collect();
            assert_eq!(reasons, ["insufficient_data"], "{}", model.id());
        }
    });
}

/// One institution has no data, another has bad data, and a third has only a penalty of two years ago.
async fn an_institution_without_any_data_is_not_rated_for_insufficient_data(store: TestStore) {
    let bureau = shipped(store);
    let codes = ["H33030200001", "H33030200002", "H33030200003"];
    bureau.accept_files(&codes.map(File::usual)).await;
    let lines =
        [line(codes[1], "public_credit_score", 0, "2025-12-31"), line(codes[2], "insurance_penalty", 1, "2024-01-01")];
    bureau.import(1, &lines, true).await;
    bureau.publish(&bureau.run(periods()[1]).await).await;
    let mut found = Vec::new();
    for code in codes {
        let one = bureau.assessment_of(code, "2026-04-01").await;
        found.push((one.reason.map(|reason| reason.as_str()), one.grade.map(|grade| grade.code)));
    }
    let missing = (Some("insufficient_data"), None);
    assert_eq!(found, [missing.clone(), (None, Some("poor".to_owned())), missing]);
}

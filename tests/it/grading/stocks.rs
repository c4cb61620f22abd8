//! Stocks stay valid as long as the catalogue says, and of two sources on one day the later delivery counts.

use medcredit::{
    domain::HalfYear,
    grading::Library,
    scoring::{Assessment, shipped},
};

use super::{Bureau, File, Line, line};
use crate::support::{TestStore, block_on, both_engines};

const CODE: &str = "H33030200001";
/// 医保考核, a yearly assessment of 30 points that is valid for 12 months.
const ASSESSMENT: u16 = 18;

fn period(text: &str) -> HalfYear {
    text.parse().unwrap()
}

async fn bureau(store: TestStore, imports: &[Vec<Line>]) -> Bureau {
    let bureau = Bureau::with(store);
    bureau.accept_files(&[File::usual(CODE)]).await;
    for (seq, lines) in (1..).zip(imports) {
        bureau.import(seq, lines, true).await;
    }
    bureau
}

/// Rates the institution. The explanation is computed from facts and refused unless it agrees with the result, which was
/// computed from totals.
async fn rated(bureau: &Bureau, period: HalfYear) -> Assessment {
    let run = bureau.run(period).await;
    bureau.rounds.explain(CODE, Some(&run.id.to_string())).await.unwrap().assessment.unwrap()
}

fn points(assessment: &Assessment, no: u16) -> String {
    assessment.findings.iter().find(|finding| finding.no == no).unwrap().points.to_string()
}

/// A line of the present half-year, so that there is data at all.
fn present(period: HalfYear) -> Line {
    line(CODE, "public_credit_score", 900, &period.last_month().last_day().to_string())
}

both_engines! {
    an_assessment_of_december_counts_in_june,
    the_later_delivery_of_two_sources_on_one_day_counts_and_the_conflict_is_reported,
    a_run_of_the_former_method_is_replayed_by_it,
}

/// `validity_months = 12`: an assessment of 2025-12-31 counts in 2026-H1, and no longer in 2026-H2.
async fn an_assessment_of_december_counts_in_june(store: TestStore) {
    let lines = vec![
        line(CODE, "insurance_assessment_score", 90, "2025-12-31"),
        present(period("2026-H1")),
        present(period("2026-H2")),
    ];
    let bureau = bureau(store, &[lines]).await;
    let june = rated(&bureau, period("2026-H1")).await;
    assert_eq!(points(&june, ASSESSMENT), "27.000");
    let finding = june.findings.iter().find(|finding| finding.no == ASSESSMENT).unwrap();
    assert_eq!(finding.records[0].period, period("2025-H2"), "the record is cited where it was reported");
    let december = rated(&bureau, period("2026-H2")).await;
    assert_eq!(points(&december, ASSESSMENT), "18.000", "without an assessment");
    // A later value replaces it, whatever its validity.
    bureau.import(2, &[line(CODE, "insurance_assessment_score", 50, "2026-05-31")], true).await;
    assert_eq!(points(&rated(&bureau, period("2026-H1")).await, ASSESSMENT), "15.000");
}

#[test]
fn a_stock_of_six_months_counts_in_its_half_year_only() {
    block_on(async {
        // 患者满意度, and 医保专家, which is valid for 24 months.
        let lines = vec![
            line(CODE, "satisfaction_score", 100, "2025-12-31"),
            line(CODE, "insurance_experts", 2, "2025-01-31"),
            present(period("2026-H1")),
        ];
        let bureau = bureau(TestStore::sqlite().await, &[lines]).await;
        let assessment = rated(&bureau, period("2026-H1")).await;
        assert_eq!((points(&assessment, 35), points(&assessment, 11)), ("12.000".into(), "20.000".into()));
    });
}

/// A stock that is carried over has not grown by nothing.
#[test]
fn growth_compares_what_was_reported_in_each_half_year() {
    block_on(async {
        let library = library(&[("validity_months = 6", "validity_months = 12")]);
        let lines = vec![line(CODE, "case_mix_index", 1, "2025-12-31"), present(period("2026-H1"))];
        let mut bureau = bureau(TestStore::sqlite().await, &[lines]).await;
        bureau.library = library;
        let assessment = rated(&bureau, period("2026-H1")).await;
        assert_eq!(points(&assessment, 24), "16.000", "an institution without an index of its own half-year");
    });
}

/// The shipped library with another catalogue of institutions.
fn library(changes: &[(&str, &str)]) -> Library {
    let directory = tempfile::tempdir().unwrap();
    let mut text = shipped::CATALOGUES[0].1.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    std::fs::write(directory.path().join("medical_institution.toml"), text).unwrap();
    Library::load(directory.path(), &directory.path().join("none")).unwrap()
}

/// A validity that is no whole number of half-years is decided by the day, which only facts have.
#[test]
fn a_validity_of_nine_months_is_decided_by_the_day() {
    block_on(async {
        for (day, expected) in [("2025-10-01", "27.000"), ("2025-09-30", "18.000"), ("2026-01-05", "27.000")] {
            let lines = vec![line(CODE, "insurance_assessment_score", 90, day), present(period("2026-H1"))];
            let mut bureau = bureau(TestStore::sqlite().await, &[lines]).await;
            bureau.library = library(&[("validity_months = 12", "validity_months = 9")]);
            assert_eq!(points(&rated(&bureau, period("2026-H1")).await, ASSESSMENT), expected, "{day}");
        }
    });
}

/// The bureau and its branch office report different scores for one day.
async fn the_later_delivery_of_two_sources_on_one_day_counts_and_the_conflict_is_reported(store: TestStore) {
    let of = |source: &str, value: i64| Line {
        source: source.into(),
        ..line(CODE, "insurance_assessment_score", value, "2025-12-31")
    };
    // The source of the later delivery comes first in the order of names.
    let bureau =
        bureau(store, &[vec![of("鹿城区医保局", 90), present(period("2025-H2"))], vec![of("医保局", 60)]]).await;
    let run = bureau.run(period("2025-H2")).await;
    let [conflict] = run.conflicts.as_slice() else { panic!("{:?}", run.conflicts) };
    assert_eq!((conflict.subject_code.as_str(), conflict.measure.as_str()), (CODE, "insurance_assessment_score"));
    assert_eq!(
        (conflict.on.to_string().as_str(), &conflict.sources[..]),
        ("2025-12-31", &["医保局".into(), "鹿城区医保局".into()][..])
    );
    let assessment = rated(&bureau, period("2025-H2")).await;
    assert_eq!(points(&assessment, ASSESSMENT), "18.000", "60 of 100");
    let finding = assessment.findings.iter().find(|finding| finding.no == ASSESSMENT).unwrap();
    assert_eq!(finding.records[0].other_sources, ["鹿城区医保局"]);
    let explained = bureau.rounds.explain(CODE, None).await.unwrap().to_text();
    assert!(explained.contains("another value for the same day does not count: 鹿城区医保局"), "{explained}");
}

/// A run of an earlier version of the program counted stocks in their own half-year only.
async fn a_run_of_the_former_method_is_replayed_by_it(store: TestStore) {
    let lines = vec![line(CODE, "insurance_assessment_score", 90, "2025-12-31"), present(period("2026-H1"))];
    let bureau = bureau(store, &[lines]).await;
    let run = bureau.run(period("2026-H1")).await.id.to_string();
    let replay = async || bureau.rounds.replay(&run, &|_, _| ()).await.unwrap();
    assert!(replay().await.is_proven());
    let mut tx = bureau.db().begin("test").await.unwrap();
    tx.execute("UPDATE runs SET method = 1", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    let replayed = replay().await;
    assert!(!replayed.is_proven(), "by the former method the assessment does not count");
    assert!(replayed.differences[0].found.contains("graded"), "{replayed:?}");
}

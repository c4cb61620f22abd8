//! Properties of scoring for any facts (I5): order does not matter, points stay in bounds, a better value never costs points.

use medcredit::{
    domain::{Day, HalfYear, Month, money::MilliPoints},
    scoring::{Catalogue, Decimal, Fact, MeasureForm, Measures, Model, evaluate, total},
};
use proptest::prelude::*;

use super::{catalogue, institution};

const PERIOD: &str = "2026-H1";

/// A fact of any measure on any day of the three years up to the period's end.
fn fact(catalogue: &Catalogue) -> impl Strategy<Value = Fact> + use<> {
    let forms: Vec<MeasureForm> = catalogue.measures().iter().map(|measure| measure.form).collect();
    (0..forms.len(), 0i64..1095, 0i64..20_000_000, 0u8..3, 1i64..4).prop_map(
        move |(measure, ago, value, reference, seq)| {
            let end: Day = "2026-06-30".parse().unwrap();
            Fact {
                measure,
                occurred_on: end.plus_days(-ago),
                value: if forms[measure] == MeasureForm::Event { Decimal(Decimal::ONE) } else { Decimal(value) },
                source: "source".into(),
                reference: if reference == 0 { String::new() } else { format!("ref-{reference}") },
                import_seq: seq,
            }
        },
    )
}

fn measures(catalogue: &Catalogue, model: &Model, facts: Vec<Fact>) -> Measures {
    let signed = "2019-05-04".parse().unwrap();
    Measures::collect(catalogue, PERIOD.parse().unwrap(), model.lookback(), Some(signed), facts).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_facts_does_not_matter(facts in prop::collection::vec(fact(&catalogue()), 0..200), by in any::<u64>()) {
        let (catalogue, model) = (catalogue(), institution());
        let mut shuffled = facts.clone();
        // A permutation that depends on `by` alone.
        let mut state = by;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let with = usize::try_from(state >> 33).unwrap() % (at + 1);
            shuffled.swap(at, with);
        }
        let one = measures(&catalogue, &model, facts);
        let other = measures(&catalogue, &model, shuffled);
        prop_assert_eq!(one.facts(), other.facts());
        prop_assert_eq!(evaluate(&model, &one), evaluate(&model, &other));
    }

    #[test]
    fn points_stay_in_bounds_and_add_up(facts in prop::collection::vec(fact(&catalogue()), 0..200)) {
        let (catalogue, model) = (catalogue(), institution());
        let measures = measures(&catalogue, &model, facts);
        let assessment = evaluate(&model, &measures);
        let mut sum = 0;
        for (finding, placed) in assessment.findings.iter().zip(model.indicators()) {
            prop_assert_eq!(finding.no, placed.indicator.no);
            prop_assert!((0..=placed.indicator.weight.0).contains(&finding.points.0), "{:?}", finding);
            sum += finding.points.0;
        }
        // A cap, such as that of fraud, limits the sum.
        let sum = assessment.decisions.iter().filter_map(|decision| decision.at_most).fold(sum, |sum, most| sum.min(most.0));
        prop_assert_eq!(assessment.points, Some(MilliPoints(sum)));
        prop_assert_eq!(assessment.points, Some(total(&model, &measures)));
        let grade = model.scheme().grade(&assessment.grade).unwrap();
        prop_assert!(grade.from.is_none_or(|from| from.0 <= sum));
    }

    #[test]
    fn a_better_score_never_costs_points_and_an_event_against_one_never_earns_any(
        facts in prop::collection::vec(fact(&catalogue()), 0..100),
        raise in 1i64..100_000,
    ) {
        let (catalogue, model) = (catalogue(), institution());
        let before = evaluate(&model, &measures(&catalogue, &model, facts.clone())).points;
        let on: Day = "2026-06-30".parse().unwrap();
        let add = |measure: &str, value: i64, on: Day| {
            let mut more = facts.clone();
            more.push(Fact {
                measure: catalogue.place(measure).unwrap(),
                occurred_on: on,
                value: Decimal(value),
                source: "zz".into(),
                reference: "zz".into(),
                import_seq: 9,
            });
            evaluate(&model, &measures(&catalogue, &model, more)).points
        };
        for score in ["self_inspection_score", "insurance_assessment_score", "satisfaction_score"] {
            let lower = add(score, 500_000, on);
            prop_assert!(add(score, 500_000 + raise, on) >= lower, "{}", score);
        }
        for event in ["agreement_sanction", "insurance_penalty", "court_fraud_judgment", "health_penalty", "market_penalty"] {
            prop_assert!(add(event, Decimal::ONE, on) <= before, "{}", event);
            prop_assert!(add(event, Decimal::ONE, "2025-03-01".parse().unwrap()) <= before, "{}", event);
        }
        for honour in ["insurance_commendation", "health_commendation"] {
            prop_assert!(add(honour, Decimal::ONE, on) >= before, "{}", honour);
        }
    }
}

#[test]
fn facts_outside_the_look_back_do_not_count() {
    let (catalogue, model) = (catalogue(), institution());
    assert_eq!(model.lookback(), 4);
    let at = |day: &str| Fact {
        measure: catalogue.place("insurance_penalty").unwrap(),
        occurred_on: day.parse().unwrap(),
        value: Decimal(Decimal::ONE),
        source: "医保局".into(),
        reference: day.into(),
        import_seq: 1,
    };
    let facts = ["2023-12-31", "2024-01-01", "2025-12-31", "2026-01-01", "2026-06-30", "2026-07-01"].map(at);
    let kept = measures(&catalogue, &model, facts.to_vec());
    let days: Vec<_> = kept.facts().iter().map(|fact| fact.reference.as_str()).collect();
    assert_eq!(days, ["2024-01-01", "2025-12-31", "2026-01-01", "2026-06-30"]);
    let assessment = evaluate(&model, &kept);
    let of = |no: u16| assessment.findings.iter().find(|finding| finding.no == no).unwrap().value.clone().unwrap();
    assert_eq!((of(27), of(28)), ("2".to_owned(), "2".to_owned()));
}

#[test]
fn a_fact_delivered_again_replaces_the_former_one() {
    let (catalogue, model) = (catalogue(), institution());
    let delivered = |value, import_seq| Fact {
        measure: catalogue.place("visits").unwrap(),
        occurred_on: "2026-03-31".parse().unwrap(),
        value: Decimal(value),
        source: "医保局".into(),
        reference: "2026-03".into(),
        import_seq,
    };
    let kept = measures(&catalogue, &model, vec![delivered(90, 2), delivered(50, 3), delivered(70, 1)]);
    let values: Vec<_> = kept.facts().iter().map(|fact| fact.value.0).collect();
    assert_eq!(values, [50]);
    let mut nameless = delivered(10, 1);
    nameless.reference.clear();
    let kept = measures(&catalogue, &model, vec![nameless.clone(), nameless]);
    assert_eq!(kept.facts().len(), 2, "without a reference each line is a fact of its own");
}

#[test]
fn sums_that_are_too_large_are_refused_by_measure() {
    let catalogue = catalogue();
    let fact = |reference: &str| Fact {
        measure: catalogue.place("fund_used").unwrap(),
        occurred_on: "2026-03-31".parse().unwrap(),
        value: Decimal(i64::MAX / 3),
        source: "医保局".into(),
        reference: reference.into(),
        import_seq: 1,
    };
    let period = HalfYear::of(Month::new(2026, 1).unwrap());
    let refused = Measures::collect(&catalogue, period, 4, None, vec![fact("a"), fact("b")]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the facts of fund_used in 2026-H1 add up to more than the greatest sum that can be computed with"
    );
}

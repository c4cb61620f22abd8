//! Missing or zero: where the figure that it is divided by was reported, an unreported numerator is zero if the catalogue says so.

use medcredit::{
    grading::Library,
    scoring::{Decimal, Fact, Measures, MissingReason, evaluate},
};

/// Points and missing data of an indicator, with some figures reported for 2025-H2.
fn scored(model: &str, no: u16, figures: &[(&str, i64)]) -> (String, Option<MissingReason>) {
    let library = Library::shipped().unwrap();
    let in_force = library.get(model).unwrap();
    let facts = figures.iter().map(|(measure, value)| Fact {
        measure: in_force.catalogue.place(measure).unwrap_or_else(|| panic!("no measure {measure}")),
        occurred_on: "2025-12-31".parse().unwrap(),
        value: Decimal(value * Decimal::ONE),
        source: "医保局".into(),
        reference: (*measure).into(),
        import_seq: 1,
    });
    let period = "2025-H2".parse().unwrap();
    let measures =
        Measures::collect(in_force.catalogue, period, in_force.model.lookback(), None, facts.collect()).unwrap();
    let finding = evaluate(in_force.model, &measures).findings.into_iter().find(|finding| finding.no == no).unwrap();
    (finding.points.to_string(), finding.missing)
}

#[test]
fn an_institution_of_whose_visits_none_was_rejected_has_all_points() {
    let institution = |figures: &[(&str, i64)]| scored("wenzhou-institution", 12, figures);
    assert_eq!(institution(&[("visits", 1000)]), ("40.000".into(), None));
    assert_eq!(institution(&[("visits", 1000), ("audit_rejected_visits", 25)]), ("20.000".into(), None));
    // Nothing is known: the points that the reason names.
    assert_eq!(institution(&[]), ("24.000".into(), Some(MissingReason::NoData)));
    assert_eq!(institution(&[("audit_rejected_visits", 25)]), ("24.000".into(), Some(MissingReason::NoData)));
}

#[test]
fn a_sample_without_a_finding_is_not_the_lack_of_a_sample() {
    let pharmacy = |figures: &[(&str, i64)]| scored("wenzhou-pharmacy", 14, figures);
    assert_eq!(pharmacy(&[("purchases_sampled", 80)]), ("30.000".into(), None));
    assert_eq!(pharmacy(&[]), ("18.000".into(), Some(MissingReason::NoData)));
}

#[test]
fn an_unreported_figure_that_earns_points_stays_missing() {
    // 药品耗材招采完成率: that nothing was bought is not known from an agreed amount alone.
    let (points, missing) = scored("wenzhou-institution", 19, &[("procurement_agreed_amount", 100)]);
    assert_eq!((points.as_str(), missing), ("16.000", Some(MissingReason::NoData)));
}

/// Whether a reason has the words "18 of 30 points".
fn names_points(reason: &str) -> bool {
    let words: Vec<&str> = reason.split_whitespace().collect();
    let number = |word: &str| word.starts_with(|first: char| first.is_ascii_digit());
    words.windows(4).any(|of| number(of[0]) && of[1] == "of" && number(of[2]) && of[3].starts_with("points"))
}

/// Every reason that names points for missing data names those that the rule gives.
#[test]
fn the_reasons_name_the_points_that_the_rules_give() {
    let library = Library::shipped().unwrap();
    let mut named = 0;
    for model in library.models() {
        for placed in model.indicators() {
            let indicator = placed.indicator;
            let Some(reason) = indicator.reason.as_deref() else { continue };
            let medcredit::scoring::Missing::Points(points) = indicator.missing else { continue };
            let gives = format!("{points} of {} points", indicator.weight);
            if names_points(reason) {
                named += 1;
                assert!(reason.contains(&gives), "{} {}: {gives}: {reason}", model.id(), indicator.no);
            }
        }
    }
    assert!(named > 100, "{named}");
}

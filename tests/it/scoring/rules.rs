//! Invalid rules, caps, vetoes and chains are refused by file and line; valid ones decide alike in any order of facts.

use medcredit::{
    grading::Library,
    scoring::{Branches, Decimal, Fact, Measures, evaluate, rate, shipped},
};
use proptest::prelude::*;

fn text(name: &str) -> &'static str {
    shipped::MODELS.iter().find(|(file, _)| file.contains(name)).unwrap().1
}

/// The error of a shipped model with one text replaced by another.
fn refused(name: &str, from: &str, to: &str) -> String {
    assert!(text(name).contains(from), "the shipped model no longer says {from:?}");
    let changed = text(name).replacen(from, to, 1);
    match Library::shipped().unwrap().check_model("city.toml", &changed) {
        Ok(_) => panic!("accepted with {to:?}"),
        Err(refused) => refused.to_string(),
    }
}

fn line_of(name: &str, of: &str) -> usize {
    text(name).split_once(of).unwrap().0.matches('\n').count() + 1
}

const STARS: &str = "zhenjiang-pharmacy";
const ABCD: &str = "hengyang-institution";

#[test]
fn conditions_refer_to_known_signals_and_can_be_met() {
    let unknown =
        refused(STARS, "{ signal = \"violations\", at_least = 2 }", "{ signal = \"vilations\", at_least = 2 }");
    let header = line_of(STARS, "clause = \"三(一)3(1)\"") - 1;
    assert!(
        unknown.contains(&format!("city.toml:{header}: 三(一)3(1) refers to the signal \"vilations\"")),
        "{unknown}"
    );
    let none = refused(STARS, "{ signal = \"violations\", at_least = 2 }", "{ signal = \"violations\" }");
    assert!(none.contains("give a bound for violations"), "{none}");
    let never = refused(
        STARS,
        "{ signal = \"violations\", at_least = 2 }",
        "{ signal = \"violations\", at_least = 2, below = 2 }",
    );
    assert!(never.contains("no value of violations can be within the bounds"), "{never}");
    let idle = refused(
        STARS,
        "[{ signal = \"agreement_breaches\", at_least = 1 }]",
        "[{ signal = \"complaints\", at_least = 1 }]",
    );
    assert!(idle.contains("no condition refers to the signal agreement_breaches"), "{idle}");
}

#[test]
fn rules_cover_every_case_and_give_every_grade() {
    let open = refused(
        STARS,
        "clause = \"三(一)1\"\ngrade = \"three_stars\"\n",
        "clause = \"三(一)1\"\ngrade = \"three_stars\"\nwhen.any = [{ signal = \"violations\", at_most = 0 }]\n",
    );
    assert!(open.contains("the last rule, 三(一)1, must have no `when`"), "{open}");
    let early = refused(STARS, "when.any = [{ signal = \"fraud\", at_least = 1 }]\n", "");
    assert!(early.contains("the rule 三(一)3(4) has no `when`: no rule after it could ever apply"), "{early}");
    let never =
        refused(STARS, "clause = \"三(一)1\"\ngrade = \"three_stars\"", "clause = \"三(一)1\"\ngrade = \"two_stars\"");
    assert!(never.contains("no rule gives the grade three_stars"), "{never}");
    let unknown =
        refused(STARS, "clause = \"三(一)1\"\ngrade = \"three_stars\"", "clause = \"三(一)1\"\ngrade = \"stars\"");
    assert!(
        unknown.contains("\"stars\" is no grade of the scheme, which has three_stars, two_stars, one_star"),
        "{unknown}"
    );
}

#[test]
fn missing_data_of_a_signal_has_a_policy() {
    let said = refused(STARS, "missing = \"none_happened\"", "missing = \"no_condition_holds\"");
    assert!(said.contains("signal violations: a count has no missing data"), "{said}");
    let none = refused(STARS, "missing = \"none_happened\"\n", "");
    assert!(none.contains("missing field `missing`"), "{none}");
}

#[test]
fn chain_rules_cover_every_number_of_branches() {
    let gap = refused(STARS, "from = 2\nto = 2", "from = 2\nto = 1");
    assert!(gap.contains("the chain's rule ends before it begins"), "{gap}");
    let gap = refused(STARS, "from = 3\nto = 3", "from = 4\nto = 4");
    assert!(gap.contains("the chain's rule begins at 4 branches, but 3 is next"), "{gap}");
    let end = refused(STARS, "from = 4\ndirect", "from = 4\nto = 9\ndirect");
    assert!(end.contains("the chain's rules must cover every number of branches"), "{end}");
    let both = refused(STARS, "direct = \"one_star\"", "direct = \"one_star\"\nbest = \"two_stars\"");
    assert!(both.contains("the chain's rule from 4 needs either `best` or `direct`"), "{both}");
    let silent = refused(
        STARS,
        "[chain.own_worse]\noutcome = \"stands\"\nbasis = \"default\"\nreason",
        "[chain.own_worse]\noutcome = \"stands\"\nbasis = \"default\"\nsource",
    );
    assert!(
        silent.contains("what counts where a head's own grade is worse has basis = \"default\": give the reason"),
        "{silent}"
    );
}

#[test]
fn caps_and_vetoes_must_limit_something() {
    let best = refused(ABCD, "grade = \"d\"\nbasis = \"default\"", "grade = \"a\"\nbasis = \"default\"");
    assert!(best.contains("the veto 欺诈骗保 allows the best grade"), "{best}");
    let high = refused(ABCD, "at = \"799.999\"", "at = 1000");
    assert!(high.contains("the cap 失信被执行人 is at 1000, which limits nothing"), "{high}");
    let both = refused(ABCD, "at = \"799.999\"", "at = \"799.999\"\ngrade = \"b\"");
    assert!(both.contains("the cap 失信被执行人 needs either `at` or `grade`"), "{both}");
}

#[test]
fn fields_of_the_other_sort_of_model_are_refused() {
    let total = refused(STARS, "kind = \"pharmacy\"", "kind = \"pharmacy\"\ntotal = 100");
    assert!(total.contains("leave `total` out"), "{total}");
    let from = refused(STARS, "ordinal = 1 }", "ordinal = 1, from = 80 }");
    assert!(from.contains("the grade three_stars has a `from`, but no points lead to it"), "{from}");
    let other = refused(STARS, "other = [\"rating_exemption\"]\n", "");
    assert!(other.contains("the reason \"other\" and the events that lead to it"), "{other}");
}

#[test]
fn comparisons_with_peers_need_comparable_values() {
    let least = refused(ABCD, "least = 5", "least = 0");
    assert!(least.contains("a comparison with peers needs at least one other subject"), "{least}");
    let event = refused(
        ABCD,
        "of = { ratio = { numerator = [\"bed_days\"], denominator = [\"discharges\"] } }",
        "of = { count = { measures = [\"violation\"] } }",
    );
    assert!(event.contains("only a measure or a ratio can be compared with peers"), "{event}");
}

/// An event of any measure that the stars depend on, on any day of three years.
fn event() -> impl Strategy<Value = (usize, i64, u8)> {
    (0..EVENTS.len(), 0i64..1095, 0u8..4)
}

const EVENTS: [&str; 9] = [
    "violation",
    "complaint_received",
    "complaint_substantiated",
    "price_interview",
    "agreement_breach",
    "fraud_finding",
    "agreement_nonperformance",
    "serious_violation",
    "chain_exception",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn stars_and_their_explanation_do_not_depend_on_the_order_of_facts(
        events in prop::collection::vec(event(), 0..12),
        by in any::<u64>(),
        counted in 0u32..6,
    ) {
        let library = Library::shipped().unwrap();
        let in_force = library.get(STARS).unwrap();
        let end: medcredit::domain::Day = "2026-06-30".parse().unwrap();
        let facts: Vec<Fact> = events
            .iter()
            .map(|(which, ago, reference)| Fact {
                measure: in_force.catalogue.place(EVENTS[*which]).unwrap(),
                occurred_on: end.plus_days(-ago),
                value: Decimal(Decimal::ONE),
                source: "source".into(),
                reference: if *reference == 0 { String::new() } else { format!("ref-{reference}") },
                import_seq: 1,
            })
            .collect();
        let mut turned = facts.clone();
        if !turned.is_empty() {
            let by = usize::try_from(by % u64::try_from(turned.len()).unwrap()).unwrap();
            turned.rotate_left(by);
            turned.reverse();
        }
        let measures = |facts| {
            let signed = Some("2016-05-04".parse().unwrap());
            let known = Measures::collect(in_force.catalogue, "2026-H1".parse().unwrap(), 1, signed, facts).unwrap();
            known.with_branches(Some(Branches { counted, of: 9 }))
        };
        let (one, other) = (measures(facts), measures(turned));
        let assessment = evaluate(in_force.model, &one);
        prop_assert_eq!(&assessment, &evaluate(in_force.model, &other));
        let outcome = rate(in_force.model, &one);
        prop_assert_eq!((outcome.points, &outcome.grade), (None, &assessment.grade));
        // Only the best grade has no improvement.
        prop_assert_eq!(assessment.raise.is_none(), assessment.grade == "three_stars");
    }
}

//! An invalid model or catalogue is refused with all of its faults, by file and line.

use std::collections::BTreeSet;

use medcredit::scoring::{Catalogue, Model, shipped};

use super::catalogue;

/// The error of the shipped model with one text replaced by another.
fn refused(from: &str, to: &str) -> String {
    let text = shipped::MODELS[0].1;
    assert!(text.contains(from), "the shipped model no longer says {from:?}");
    match Model::parse("city.toml", &text.replacen(from, to, 1), &catalogue()) {
        Ok(_) => panic!("accepted with {to:?}"),
        Err(refused) => refused.to_string(),
    }
}

/// The line of a text in the shipped model.
fn line_of(text: &str) -> usize {
    let (before, _) = shipped::MODELS[0].1.split_once(text).unwrap();
    before.matches('\n').count() + 1
}

#[test]
fn weights_must_add_up_at_every_level() {
    let indicator = refused("name_zh = \"信息完整性\"\nweight = 10", "name_zh = \"信息完整性\"\nweight = 11");
    assert!(indicator.contains("基础信息 weighs 30, but its parts add up to 31"), "{indicator}");
    let second = refused("name_zh = \"自律信息\"\nweight = 80", "name_zh = \"自律信息\"\nweight = 70");
    assert!(second.contains("自律评价 weighs 110, but its parts add up to 100"), "{second}");
    assert!(second.contains("自律信息 weighs 70, but its parts add up to 80"), "{second}");
    let first = refused("name_zh = \"公共评价\"\nweight = 100", "name_zh = \"公共评价\"\nweight = 99");
    assert!(first.contains("the first level adds up to 999, the model has 1000 points"), "{first}");
}

#[test]
fn a_refusal_names_file_and_line() {
    let said = refused("score.linear = { worst = \"5%\", best = 0 }", "score.linear = { worst = 0, best = 0 }");
    // The line of the indicator's header.
    let header = line_of("no = 12\n") - 1;
    assert_eq!(said, format!("city.toml:{header}: indicator 12: worst and best are the same value"));
}

#[test]
fn a_file_that_cannot_be_parsed_is_refused_with_its_line() {
    let line = line_of("no = 7\n");
    let unknown = refused("no = 7\n", "no = 7\ncolour = \"red\"\n");
    assert!(unknown.starts_with("city.toml:"), "{unknown}");
    assert!(unknown.contains("unknown field `colour`"), "{unknown}");
    let float = refused("no = 7\nname_zh = \"财务管理\"\nweight = 20", "no = 7\nname_zh = \"财务管理\"\nweight = 20.0");
    assert!(float.starts_with(&format!("city.toml:{}:", line + 2)), "{float}");
    assert!(float.contains("points as text"), "{float}");
}

#[test]
fn a_part_with_an_origin_has_no_unknown_key() {
    let mut parts = BTreeSet::new();
    for (name, text) in shipped::MODELS {
        let mut part = "";
        for (nth, line) in text.lines().enumerate() {
            if line.starts_with('[') {
                part = line;
            }
            if line.starts_with("basis = ") {
                let lines = text.lines().enumerate().map(|(at, line)| {
                    let more = if at == nth { "colour = \"red\"\n" } else { "" };
                    format!("{line}\n{more}")
                });
                let said = Model::kind_of("city.toml", &lines.collect::<String>()).unwrap_err().to_string();
                assert!(said.starts_with(&format!("city.toml:{}: unknown field `colour`", nth + 2)), "{name}: {said}");
                parts.insert(part);
            }
        }
    }
    assert_eq!(parts.len(), 12, "the parts with an origin: {parts:?}");
}

#[test]
fn grades_must_be_ordered_and_cover_every_total() {
    let equal = refused("ordinal = 2, from = 800", "ordinal = 2, from = 850");
    assert!(equal.contains("the grade good begins at 850, not below the grade before it"), "{equal}");
    let open = refused("ordinal = 3, from = 750", "ordinal = 3");
    assert!(open.contains("the grade medium needs a `from`"), "{open}");
    let gap = refused("name_zh = \"差\", ordinal = 5", "name_zh = \"差\", ordinal = 5, from = 300");
    assert!(gap.contains("the worst grade, bad, must have no `from`"), "{gap}");
    let order = refused("ordinal = 4, from = 700", "ordinal = 3, from = 700");
    assert!(order.contains("the grade poor is in place 4, but its ordinal is 3"), "{order}");
    let outside = refused("ordinal = 1, from = 850", "ordinal = 1, from = 1001");
    assert!(outside.contains("begins at 1001, outside the model's 1000 points"), "{outside}");
}

#[test]
fn measures_must_be_in_the_catalogue_and_of_the_right_form() {
    let unknown = refused("value.measure = \"trauma_score\"", "value.measure = \"trauma\"");
    assert!(
        unknown.contains("indicator 16: the measure \"trauma\" is not in the catalogue of medical_institution"),
        "{unknown}"
    );
    let event = refused("value.measure = \"trauma_score\"", "value.measure = \"health_penalty\"");
    assert!(event.contains("health_penalty is an event: count it"), "{event}");
    let count = refused("measures = [\"market_penalty\"]", "measures = [\"visits\"]");
    assert!(count.contains("visits is not an event and cannot be counted"), "{count}");
    let old = refused("periods_back = [0, 3]", "periods_back = [0, 4]");
    let expected = "insurance_commendation is counted over 30 months, but facts of 医保表彰信息 are valid for 24";
    assert!(old.contains(expected), "{old}");
    let back = refused("periods_back = [1, 4]", "periods_back = [4, 1]");
    assert!(back.contains("periods_back goes from the nearest to the farthest"), "{back}");
}

#[test]
fn rules_must_reach_their_weight_and_not_exceed_it() {
    let beyond = refused("{ below = \"5%\", points = 30 }", "{ below = \"5%\", points = 31 }");
    assert!(beyond.contains("indicator 21: a band gives 31 points of 30"), "{beyond}");
    assert!(beyond.contains("indicator 21: no band gives the full 30 points"), "{beyond}");
    let order = refused("{ below = \"10%\", points = 26 }", "{ below = \"4%\", points = 26 }");
    assert!(order.contains("the band below 0.04 does not come after the one before it"), "{order}");
    let events =
        refused("score.per_event = { start = 60, each = -20 }", "score.per_event = { start = 50, each = -20 }");
    assert!(events.contains("50 points and -20 for each event do not lead to or from 60"), "{events}");
}

#[test]
fn missing_data_must_have_a_policy() {
    let none = refused("missing = { points = 18 }\n", "");
    assert!(none.contains("missing field `missing`"), "{none}");
    let happened = refused("missing = { points = 18 }", "missing = \"none_happened\"");
    assert!(happened.contains("only for a count of events"), "{happened}");
    let count = refused("missing = \"none_happened\"", "missing = \"zero\"");
    assert!(count.contains("a count has no missing data"), "{count}");
    let more = refused("missing = { points = 18 }", "missing = { points = 180 }");
    assert!(more.contains("`missing` gives 180 points of 30"), "{more}");
}

#[test]
fn every_rule_needs_a_source_or_a_reason() {
    let reason = refused("reason = \"Each penalty by the market regulator takes 15 of 30 points.\"", "");
    assert!(reason.contains("the rule of indicator 32 has basis = \"default\": give the reason"), "{reason}");
    let source = refused(
        "basis = \"default\"\nreason = \"Each penalty by the market regulator takes 15 of 30 points.\"",
        "basis = \"published\"",
    );
    assert!(source.contains("the rule of indicator 32 has basis = \"published\": name the source"), "{source}");
    let basis =
        refused("basis = \"default\"\nreason = \"Each penalty by the market", "reason = \"Each penalty by the market");
    assert!(basis.contains("missing field `basis`"), "{basis}");
}

#[test]
fn all_faults_are_reported_in_the_order_of_the_file() {
    let text = shipped::MODELS[0].1.replacen("missing = { points = 30 }", "missing = { points = 300 }", 1).replacen(
        "kind = \"medical_institution\"",
        "kind = \"pharmacy\"",
        1,
    );
    let said = Model::parse("city.toml", &text, &catalogue()).unwrap_err();
    assert_eq!(said.faults.len(), 2, "{said}");
    assert!(said.faults[0].message.contains("the model rates pharmacy"), "{said}");
    assert!(said.faults.is_sorted_by_key(|fault| fault.line), "{said}");
}

#[test]
fn a_catalogue_is_refused_by_line_too() {
    let text = shipped::CATALOGUES[0].1;
    let twice = text.replacen("id = \"senior_nurses\"", "id = \"senior_physicians\"", 1);
    let said = Catalogue::parse("catalogue.toml", &twice).unwrap_err().to_string();
    assert!(said.contains("the measure senior_physicians is defined twice"), "{said}");
    let nowhere = text.replacen("form = \"stock\"\ncategory = 1\n", "form = \"stock\"\ncategory = 99\n", 1);
    let said = Catalogue::parse("catalogue.toml", &nowhere).unwrap_err().to_string();
    assert!(said.contains("belongs to category 99, which is not in the catalogue"), "{said}");
    let flow = text.replacen("form = \"stock\"\n", "form = \"stock\"\nrepetitions = \"usual\"\n", 1);
    let said = Catalogue::parse("catalogue.toml", &flow).unwrap_err().to_string();
    assert!(said.contains("is not an event: `repetitions` is for events"), "{said}");
    let other = text.replacen("aliases = [\"医疗保障局\"]", "aliases = [\"卫健委\"]", 1);
    let said = Catalogue::parse("catalogue.toml", &other).unwrap_err().to_string();
    assert!(said.contains("卫健委 is the name of two providers"), "{said}");
    let nobody = text.replacen("[[provider]]\nname_zh = \"医保局\"", "[[provider]]\nname_zh = \"教育局\"", 1);
    let said = Catalogue::parse("catalogue.toml", &nobody).unwrap_err().to_string();
    assert!(said.contains("no category is provided by 教育局"), "{said}");
    let several = text.replacen("least = 1\nmost = 1\n", "least = 0\nmost = 9\n", 1);
    let said = Catalogue::parse("catalogue.toml", &several).unwrap_err().to_string();
    assert!(said.contains("agreement_sanction is an event: each line is one"), "{said}");
    let nothing = text.replacen("least = 0\nmost = 100\n", "least = 100\nmost = 0\n", 1);
    let said = Catalogue::parse("catalogue.toml", &nothing).unwrap_err().to_string();
    assert!(said.contains("has no valid value: 100 to 0"), "{said}");
}

#[test]
fn a_stored_model_is_read_back_unchanged() {
    let model = super::institution();
    let again = Model::from_json("kept", &model.canonical(), &catalogue()).unwrap();
    assert_eq!(again.file(), model.file());
    assert_eq!(again.canonical(), model.canonical());
}

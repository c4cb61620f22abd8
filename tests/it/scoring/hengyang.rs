//! Hengyang's grades A to D: the four grades and the size of the tree are published; everything else is marked as our choice.

use std::collections::BTreeSet;

use medcredit::{
    grading::Library,
    scoring::{Basis, Model, shipped},
};

const ID: &str = "hengyang-institution";

fn with_model<T>(test: impl FnOnce(&Model) -> T) -> T {
    test(Library::shipped().unwrap().get(ID).unwrap().model)
}

#[test]
fn the_tree_has_six_first_level_23_second_level_and_59_third_level_indicators() {
    with_model(|model| {
        let file = model.file();
        assert_eq!(file.level1.len(), 6);
        assert_eq!(file.level1.iter().map(|level| level.level2.len()).sum::<usize>(), 23);
        assert_eq!(model.indicators().count(), 59);
        assert_eq!(file.total.to_string(), "1000");
    });
}

#[test]
fn the_four_grades_are_the_published_ones() {
    with_model(|model| {
        let grades: Vec<_> = model.scheme().grade.iter().map(|grade| grade.name_zh.as_str()).collect();
        assert_eq!(grades, ["守信(A级)", "一般失信(B级)", "较重失信(C级)", "严重失信(D级)"]);
    });
}

#[test]
fn names_and_rules_are_marked_as_our_choice() {
    let (_, text) = shipped::MODELS.iter().find(|(name, _)| name.contains("hengyang")).unwrap();
    assert!(text.contains("Their names, weights and rules are NOT public"), "the head of the file says it");
    with_model(|model| {
        assert!(model.file().default.as_ref().unwrap().fields.contains(&"name_zh".to_owned()));
        for placed in model.indicators() {
            let of = placed.indicator;
            assert_eq!(of.basis, Basis::Default, "{}", of.name_zh);
            assert!(of.reason.as_deref().is_some_and(|reason| reason.len() > 20), "{} gives no reason", of.name_zh);
        }
    });
}

#[test]
fn every_indicator_has_a_rule_of_its_own_over_measures_of_the_catalogue() {
    with_model(|model| {
        let values: BTreeSet<_> =
            model.indicators().map(|placed| serde_json::to_string(&placed.indicator.value).unwrap()).collect();
        assert_eq!(values.len(), 59, "no two indicators measure the same");
    });
}

#[test]
fn red_and_black_lists_follow_the_best_and_the_worst_grade() {
    with_model(|model| {
        let lists: Vec<_> = model
            .file()
            .consequence
            .iter()
            .filter(|of| of.text_zh.contains("名单"))
            .map(|of| (of.grade.as_str(), of.after_consecutive, of.text_zh.as_str()))
            .collect();
        assert_eq!(lists, [("a", 2, "列入医保信用红名单"), ("d", 1, "列入医保信用黑名单")]);
    });
}

//! Every shipped catalogue and model: weights add up, our choices have a reason, published parts have a source, public credit
//! has its share, and no catalogue of persons collects what the law forbids.

use std::collections::BTreeSet;

use medcredit::{
    domain::{Kinds, kinds::Person},
    grading::Library,
    scoring::{Basis, Catalogue, Indicator, MeasureForm, Model, Publicity, ValueForm, shipped},
};

/// A reason shorter than this many characters explains nothing.
const SHORTEST_REASON: usize = 40;

fn library() -> Library {
    Library::shipped().unwrap_or_else(|error| panic!("{error}"))
}

/// The points models that are ours or Wenzhou's.
fn wenzhou(library: &Library) -> Vec<&Model> {
    library.models().filter(|model| model.id().starts_with("wenzhou-")).collect()
}

/// The measures a value reads.
fn reads(value: &ValueForm) -> Vec<&str> {
    match value {
        ValueForm::Measure(id) => vec![id],
        ValueForm::Ratio { numerator, denominator } => {
            numerator.iter().chain(denominator).map(String::as_str).collect()
        }
        ValueForm::Growth { of } => reads(of),
        ValueForm::Count { measures, .. } => measures.iter().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

fn said(indicator: &Indicator) -> &str {
    match indicator.basis {
        Basis::Published => indicator.source.as_deref().unwrap_or_default(),
        Basis::Default => indicator.reason.as_deref().unwrap_or_default(),
    }
}

#[test]
fn every_file_of_the_folders_is_shipped() {
    for (folder, shipped) in [("catalogue", shipped::CATALOGUES), ("models", shipped::MODELS)] {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("config").join(folder);
        let there: BTreeSet<String> = std::fs::read_dir(path)
            .unwrap()
            .map(|entry| format!("{folder}/{}", entry.unwrap().file_name().into_string().unwrap()))
            .collect();
        let compiled: BTreeSet<String> = shipped.iter().map(|(name, _)| (*name).to_owned()).collect();
        assert_eq!(there, compiled);
    }
}

#[test]
fn every_kind_has_a_catalogue_and_a_model() {
    let library = library();
    for kind in Kinds::built_in().unwrap().iter() {
        assert!(library.catalogue(&kind.id).is_some(), "{} has no catalogue", kind.id);
        assert!(wenzhou(&library).iter().any(|model| model.kind() == kind.id), "{} has no model", kind.id);
    }
}

#[test]
fn weights_add_up_at_every_level() {
    let library = library();
    for model in wenzhou(&library) {
        let file = model.file();
        assert_eq!(file.total.0, 1_000_000, "{}", model.id());
        assert_eq!(file.level1.iter().map(|level| level.weight.0).sum::<i64>(), file.total.0, "{}", model.id());
        for level1 in &file.level1 {
            let beneath: i64 = level1.level2.iter().map(|level| level.weight.0).sum();
            assert_eq!(beneath, level1.weight.0, "{} {}", model.id(), level1.name_zh);
            for level2 in &level1.level2 {
                let beneath: i64 = level2.indicator.iter().map(|indicator| indicator.weight.0).sum();
                assert_eq!(beneath, level2.weight.0, "{} {}", model.id(), level2.name_zh);
            }
        }
    }
}

#[test]
fn every_rule_gives_its_reason_or_its_source() {
    let library = library();
    for model in wenzhou(&library) {
        for placed in model.indicators() {
            let (name, origin) = (&placed.indicator.name_zh, said(placed.indicator));
            assert!(origin.chars().count() >= SHORTEST_REASON, "{} {name} does not say why: {origin:?}", model.id());
        }
        let file = model.file();
        assert!(file.published.is_some() || file.default.is_some(), "{}: whose are the weights?", model.id());
        assert!(file.not_rated.reason.is_some() || file.not_rated.source.is_some(), "{}", model.id());
    }
}

#[test]
fn all_of_them_use_the_five_published_grades() {
    let library = library();
    let institution = library.get("wenzhou-institution").unwrap().model.scheme();
    for model in wenzhou(&library) {
        assert_eq!(model.scheme(), institution, "{}: one scheme, one meaning of its words", model.id());
    }
}

/// The points of the second level 公共信用.
fn public_credit(model: &Model) -> i64 {
    let levels = model.file().level1.iter().flat_map(|level| &level.level2);
    levels.filter(|level| level.name_zh == "公共信用").map(|level| level.weight.0 / 1000).sum()
}

#[test]
fn public_credit_weighs_what_was_published() {
    let library = library();
    let weighs = |id: &str| public_credit(library.get(id).unwrap().model);
    assert_eq!(weighs("wenzhou-institution"), 50, "5 %, published");
    assert_eq!(weighs("wenzhou-pharmacy"), 50);
    assert_eq!(weighs("wenzhou-nurse"), 150, "15 %, published");
    assert_eq!(weighs("wenzhou-pharmacist"), 150, "15 %, published");
    for model in wenzhou(&library) {
        assert!((50..=150).contains(&public_credit(model)), "{}", model.id());
    }
}

#[test]
fn every_category_has_provider_frequency_validity_and_publicity() {
    for catalogue in library().catalogues() {
        assert!(catalogue.published().is_some() || catalogue.default_fields().is_some(), "{}", catalogue.kind());
        for category in catalogue.categories() {
            let at = format!("{} {}", catalogue.kind(), category.name_zh);
            assert!(!category.provider_zh.is_empty() && !category.region_zh.is_empty(), "{at}");
            assert!((1..=60).contains(&category.validity_months), "{at}: adverse facts end after five years");
            let measured = catalogue.measures().iter().any(|measure| measure.category == category.no);
            assert!(measured, "{at} carries no measure");
        }
    }
}

/// Data about persons that 浙江省公共信用信息管理条例 art. 14 forbids to collect, or allows with written consent only.
const FORBIDDEN: [&str; 14] = [
    "宗教",
    "信仰",
    "基因",
    "指纹",
    "血型",
    "疾病",
    "病史",
    "病种",
    "诊断",
    "存款",
    "收入",
    "纳税",
    "有价证券",
    "不动产",
];

#[test]
fn forbidden_data_about_persons_is_not_collected_and_none_is_public() {
    let kinds = Kinds::built_in().unwrap();
    let natural =
        |catalogue: &&Catalogue| kinds.find(catalogue.kind()).is_some_and(|kind| kind.person == Person::Natural);
    for catalogue in library().catalogues().filter(natural) {
        let categories = catalogue.categories().iter().map(|category| &category.name_zh);
        for name in categories.chain(catalogue.measures().iter().map(|measure| &measure.name_zh)) {
            let found = FORBIDDEN.iter().find(|word| name.contains(**word));
            assert_eq!(found, None, "{} gathers {name}", catalogue.kind());
        }
        for category in catalogue.categories() {
            let publicity = category.publicity;
            assert_ne!(publicity, Publicity::Public, "{} {}", catalogue.kind(), category.name_zh);
        }
    }
}

#[test]
fn adverse_facts_are_valid_as_long_as_rules_look_back_and_every_event_is_used() {
    let library = library();
    for model in wenzhou(&library) {
        let in_force = library.get(model.id()).unwrap();
        for placed in model.indicators() {
            for id in reads(&placed.indicator.value) {
                assert!(in_force.catalogue.measure(id).is_some(), "{} reads {id}", model.id());
            }
        }
        let events = in_force.catalogue.measures().iter().filter(|measure| measure.form == MeasureForm::Event);
        for event in events {
            let category = in_force.catalogue.category(event.category).unwrap();
            assert!(category.validity_months >= 24, "{} {} is forgotten too soon", model.id(), event.id);
        }
    }
}

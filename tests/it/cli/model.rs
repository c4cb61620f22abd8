//! `medcredit model check|show`: a bureau looks at models, its own and those that come with the program.

use medcredit::{cli, scoring::shipped};
use serde_json::Value;

use crate::support::{block_on, command::medcredit};

/// A directory with a configuration and, beside it, a folder of models.
fn bureau(models: &[(&str, &str)]) -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, "").unwrap();
    std::fs::create_dir(directory.path().join("models")).unwrap();
    for (name, text) in models {
        std::fs::write(directory.path().join("models").join(name), text).unwrap();
    }
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

#[test]
fn the_models_of_the_program_can_be_used() {
    let said = block_on(medcredit(&["model", "check"])).done();
    let institution =
        "wenzhou-institution version 2 can be used: 36 indicators, 1000 points, 5 grades, for medical_institution";
    assert!(said.lines().any(|line| line == institution), "{said}");
    assert_eq!(said.lines().count(), shipped::MODELS.len(), "each model a line: {said}");
}

#[test]
fn a_model_is_shown_as_json_with_every_indicator() {
    let said = block_on(medcredit(&["model", "show", "wenzhou-institution", "--json"])).done();
    let shown: Value = serde_json::from_str(&said).unwrap();
    let indicators = shown["indicators"].as_array().unwrap();
    assert_eq!(indicators.len(), 36);
    for (nth, indicator) in (1..).zip(indicators) {
        assert_eq!(indicator["no"], nth);
        for key in ["level1", "level2", "name", "rule"] {
            assert!(indicator[key].as_str().is_some_and(|text| !text.is_empty()), "{key} of {nth}");
        }
        let said = match indicator["basis"].as_str() {
            Some("published") => &indicator["source"],
            Some("default") => &indicator["reason"],
            other => panic!("the basis of {nth} is {other:?}"),
        };
        assert!(said.is_string(), "{nth} does not say where its rule comes from");
    }
    let weights: i64 = indicators.iter().map(|indicator| indicator["weight"].as_i64().unwrap()).sum();
    assert_eq!((weights, shown["total"].as_i64()), (1000, Some(1000)));
    assert_eq!(shown["scheme"]["grades"][0]["name"], "优秀");
    assert_eq!(shown["scheme"]["grades"][0]["from"], 850);
    assert_eq!(
        indicators[11]["rule"],
        "audit_rejected_visits / visits -> in proportion from 0.05 (0) to 0 (40); without data 24"
    );
}

#[test]
fn a_model_is_shown_as_a_tree() {
    let said = block_on(medcredit(&["model", "show", "wenzhou-institution"])).done();
    for line in [
        "协议评价 580",
        "  履约能力 260",
        "    14 当期协议处理 60",
        "  1 excellent 优秀: from 850",
        "  5 bad 差: the rest",
    ] {
        assert!(said.lines().any(|printed| printed == line), "{line} is missing from\n{said}");
    }
}

#[test]
fn an_unknown_model_is_wrong_usage() {
    let outcome = block_on(medcredit(&["model", "show", "atlantis"]));
    assert_eq!(outcome.code, cli::WRONG_USAGE);
    assert!(outcome.err.contains("there is no model atlantis; there are: "), "{}", outcome.err);
}

#[test]
fn errors_in_a_file_are_reported_by_line() {
    let bad = shipped::MODELS[0].1.replacen("weight = 580", "weight = 581", 1);
    let (directory, _) = bureau(&[("bad.toml", &bad), ("good.toml", shipped::MODELS[0].1)]);
    let path = |name: &str| directory.path().join("models").join(name).to_str().unwrap().to_owned();
    let outcome = block_on(medcredit(&["model", "check", &path("bad.toml"), &path("good.toml")]));
    assert_eq!(outcome.code, cli::FAILED);
    let line = 1 + bad.split_once("[[level1]]\nname_zh = \"协议评价\"").unwrap().0.matches('\n').count();
    assert!(outcome.err.contains(&format!("bad.toml:{line}: 协议评价 weighs 581")), "{}", outcome.err);
    assert!(outcome.err.contains("1 of 2 files cannot be used"), "{}", outcome.err);
    assert!(outcome.out.contains("good.toml: wenzhou-institution version 2 can be used"), "{}", outcome.out);
}

#[test]
fn a_citys_own_model_stands_beside_those_of_the_program() {
    let own = shipped::MODELS[0].1.replacen("id = \"wenzhou-institution\"", "id = \"our-institution\"", 1);
    let (_directory, config) = bureau(&[("ours.toml", &own)]);
    let said = block_on(medcredit(&["model", "check", "--config", &config])).done();
    assert_eq!(said.lines().count(), shipped::MODELS.len() + 1, "{said}");
    assert!(said.lines().any(|line| line.starts_with("our-institution version 2")), "{said}");
}

#[test]
fn a_citys_own_version_replaces_the_one_of_the_program() {
    let own = shipped::MODELS[0].1.replacen("version = 2", "version = 7", 1);
    let (_directory, config) = bureau(&[("ours.toml", &own)]);
    let said = block_on(medcredit(&["model", "check", "--config", &config])).done();
    assert!(said.lines().any(|line| line.starts_with("wenzhou-institution version 7")), "{said}");
    assert_eq!(said.lines().count(), shipped::MODELS.len(), "{said}");
}

#[test]
fn a_folder_with_a_bad_model_is_bad_configuration() {
    let own = shipped::MODELS[0].1;
    let (_directory, config) = bureau(&[("one.toml", own), ("two.toml", own)]);
    let outcome = block_on(medcredit(&["model", "check", "--config", &config]));
    assert_eq!(outcome.code, cli::BAD_CONFIGURATION);
    assert!(
        outcome.err.contains("two.toml: wenzhou-institution is already defined by another file"),
        "{}",
        outcome.err
    );
}

#[test]
fn a_model_of_another_city_does_not_fit_the_catalogues_in_force() {
    let said = block_on(medcredit(&["model", "check"]));
    assert!(
        said.err.contains("warning: the model zhenjiang-pharmacy is for 镇江市, but the catalogue of pharmacy"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("wenzhou-"), "{}", said.err);
    let (_directory, config) = bureau(&[]);
    let said = block_on(medcredit(&["model", "check", "--config", &config]));
    assert!(said.err.contains("warning: the model hengyang-doctor is for 衡阳市"), "{}", said.err);
}

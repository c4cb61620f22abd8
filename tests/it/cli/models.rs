//! `medcredit model diff|doc|map|check FOLDER`: a bureau compares, documents and maps models, and puts a scheme of its own
//! into force without a new program.

use std::path::PathBuf;

use medcredit::{cli, scoring::shipped};
use serde_json::Value;

use crate::{
    grading::{Bureau, city},
    support::{TestStore, block_on, command::medcredit, store::StoreLocation},
};

fn model(args: &[&str]) -> String {
    block_on(medcredit(&[&["model"], args].concat())).done()
}

fn shipped_model(name: &str) -> &'static str {
    shipped::MODELS.iter().find(|(file, _)| file.contains(name)).unwrap().1
}

/// Compares with a file of `tests/golden/models`, or writes it with `MEDCREDIT_GOLDEN=write`.
fn golden(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/models").join(name);
    if std::env::var("MEDCREDIT_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
    }
    assert_eq!(text, std::fs::read_to_string(&path).unwrap_or_default(), "{} changed", path.display());
}

#[test]
fn models_are_documented_as_pages_that_read_as_they_did() {
    golden("zhenjiang-pharmacy.md", &model(&["doc", "zhenjiang-pharmacy"]));
    golden("hengyang-institution.html", &model(&["doc", "hengyang-institution", "--format", "html"]));
}

#[test]
fn every_model_of_the_program_can_be_written_as_a_page() {
    let directory = tempfile::tempdir().unwrap();
    for (name, text) in shipped::MODELS {
        let id = text.lines().find_map(|line| line.strip_prefix("id = ")).unwrap().trim_matches('"');
        let file = directory.path().join(format!("{id}.html"));
        let said = model(&["doc", id, "--format", "html", "--out", file.to_str().unwrap()]);
        assert_eq!(said, format!("{id} was written to {}\n", file.display()), "{name}");
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.ends_with("</html>\n"), "{name}");
        assert!(!page.contains("<script") && !page.contains("http"), "the page needs nothing else: {name}");
    }
}

#[test]
fn two_models_are_compared_in_words() {
    let directory = tempfile::tempdir().unwrap();
    let changed = shipped_model("wenzhou-institution")
        .replacen("version = 2", "version = 3", 1)
        .replacen(
            "code = \"excellent\", name_zh = \"优秀\", ordinal = 1, from = 850",
            "code = \"excellent\", name_zh = \"优秀\", ordinal = 1, from = 860",
            1,
        )
        .replacen("name_zh = \"信息完整性\"\nweight = 10", "name_zh = \"信息完整性\"\nweight = 12", 1)
        .replacen("name_zh = \"医保年限\"\nweight = 20", "name_zh = \"签约年限\"\nweight = 18", 1)
        .replacen("{ below = 72, points = 17 }, { points = 20 }", "{ below = 72, points = 17 }, { points = 18 }", 1)
        .replacen("score.linear = { worst = \"5%\", best = 0 }", "score.linear = { worst = \"4%\", best = 0 }", 1);
    let stars = shipped_model("zhenjiang-pharmacy")
        .replacen("{ signal = \"violations\", at_least = 2 }", "{ signal = \"violations\", at_least = 3 }", 1)
        .replacen("outcome = \"stands\"", "outcome = \"replaced\"", 1);
    let mut differences = String::new();
    for (name, text, old) in
        [("ours.toml", &changed, "wenzhou-institution"), ("stars.toml", &stars, "zhenjiang-pharmacy")]
    {
        let file = directory.path().join(name);
        std::fs::write(&file, text).unwrap();
        differences.push_str(&model(&["diff", old, file.to_str().unwrap()]));
    }
    golden("diff.txt", &differences);
    assert_eq!(model(&["diff", "wenzhou-institution", "wenzhou-institution"]), "they are equivalent\n");
    let other = model(&["diff", "wenzhou-institution", "zhenjiang-institution"]);
    assert!(other.contains("indicator 医保年限 removed") && other.contains("rule 三(一)3(1) added"), "{other}");
}

#[test]
fn a_grade_is_said_in_a_receivers_words() {
    let said = model(&["map", "wenzhou-951", "good", "--to", "national-cred-lv"]);
    assert_eq!(said, "1 A\n");
    let outcome = block_on(medcredit(&["model", "map", "wenzhou-951", "good", "--to", "mars"]));
    assert_eq!(outcome.code, cli::WRONG_USAGE);
    assert!(outcome.err.contains("there are tables for: national-cred-lv"), "{}", outcome.err);
}

#[test]
fn every_file_of_a_folder_is_checked_and_every_fault_reported() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write("catalogue.toml", shipped::CATALOGUES[0].1);
    write("mapping.toml", shipped::MAPPINGS[0].1);
    write("model.toml", shipped_model("zhenjiang-institution"));
    let bad = shipped_model("zhenjiang-institution").replacen("grade = \"one_star\"", "grade = \"no_star\"", 2);
    write("bad.toml", &bad);
    write("none.toml", "this is no TOML");
    let outcome = block_on(medcredit(&["model", "check", directory.path().to_str().unwrap()]));
    assert_eq!(outcome.code, cli::FAILED);
    assert_eq!(outcome.err.matches("\"no_star\" is no grade of the scheme").count(), 2, "{}", outcome.err);
    assert!(outcome.err.contains("bad.toml:") && outcome.err.contains("none.toml:1:"), "{}", outcome.err);
    assert!(outcome.err.contains("2 of 5 files cannot be used"), "{}", outcome.err);
    for usable in ["the catalogue of medical_institution", "the table from", "zhenjiang-institution version 2"] {
        assert!(outcome.out.contains(usable), "{usable}: {}", outcome.out);
    }
}

/// A scheme that no program knows: four moons, of which the text of an invented city leaves one open.
const MOONS: &str = r#"
id = "atlantis-institution"
version = 1
name_zh = "合成市定点医疗机构月相分级"
kind = "medical_institution"

[scheme]
id = "atlantis-moons"
version = 1
name_zh = "合成市月相四级"
basis = "default"
reason = "An invented city, to show that a scheme needs a file and not a release."
grade = [
    { code = "full_moon", name_zh = "满月", ordinal = 1 },
    { code = "half_moon", name_zh = "半月", ordinal = 2 },
    { code = "crescent", name_zh = "新月", ordinal = 3 },
    { code = "eclipse", name_zh = "月食", ordinal = 4 },
]

[not_rated]
reasons = ["licence_suspended"]
basis = "default"
reason = "The invented city rates everybody who may practise."

[[signal]]
id = "rejected_share"
name_zh = "审核违规金额占比"
value.ratio = { numerator = ["audit_rejected_amount"], denominator = ["claimed_amount"] }
missing = "no_condition_holds"
basis = "default"
reason = "Without an audit nothing is said against anybody."

[[signal]]
id = "satisfaction"
name_zh = "满意度"
value.measure = "satisfaction_score"
missing = { value = 60 }
basis = "default"
reason = "Without a survey as much as just passes."

[[signal]]
id = "penalties"
name_zh = "处罚"
value.count = { measures = ["insurance_penalty", "health_penalty"], periods_back = [0, 1] }
missing = "none_happened"
basis = "default"
reason = "Of both authorities, within a year."

[[rule]]
clause = "第一条"
grade = "eclipse"
when.any = [{ signal = "penalties", at_least = 2 }, { signal = "rejected_share", above = "10%" }]
basis = "default"
reason = "Invented."

[[rule]]
clause = "第二条"
grade = "full_moon"
when.all = [{ signal = "satisfaction", at_least = 85 }, { signal = "penalties", at_most = 0 }]
basis = "default"
reason = "Invented."

[[rule]]
clause = "第三条"
grade = "half_moon"
when.all = [{ signal = "penalties", at_most = 0 }]
basis = "default"
reason = "Invented."

[[rule]]
clause = "其余"
grade = "crescent"
basis = "default"
reason = "What the invented text leaves open."

[[consequence]]
grade = "eclipse"
text_zh = "约谈"
basis = "default"
reason = "Invented."
"#;

const MOONS_FOR_THE_PLATFORM: &str = r#"
receiver = "city-platform"
basis = "default"
reason = "Invented."
map = [
    { from = "full_moon", to = "good" },
    { from = "half_moon", to = "good" },
    { from = "crescent", to = "bad" },
    { from = "eclipse", to = "bad" },
]
from = { scheme = "atlantis-moons", version = 1 }

[to]
scheme = "two-words"
name_zh = "合成平台二级"
grade = [{ code = "good", name_zh = "好" }, { code = "bad", name_zh = "差" }]
"#;

#[test]
fn a_new_citys_scheme_is_a_file_and_not_a_release() {
    block_on(async {
        let bureau = Bureau::with(TestStore::sqlite().await);
        let (files, lines) = city(60, 5);
        bureau.accept_files(&files).await;
        bureau.import(1, &lines, true).await;
        let StoreLocation::Sqlite(directory) = bureau.store.location() else { panic!("it is on SQLite") };
        let path = directory.path();
        std::fs::write(path.join("gateway.toml"), "[store]\ndirectory = '.'\n").unwrap();
        for (folder, name, text) in
            [("models", "moons.toml", MOONS), ("mappings", "moons.toml", MOONS_FOR_THE_PLATFORM)]
        {
            std::fs::create_dir(path.join(folder)).unwrap();
            std::fs::write(path.join(folder).join(name), text).unwrap();
        }
        let config = path.join("gateway.toml").to_str().unwrap().to_owned();
        let on = async |args: &[&str]| medcredit(&[args, &["--config", &config]].concat()).await.done();

        let said = on(&["model", "check"]).await;
        assert!(said.contains("atlantis-institution version 1 can be used: 3 signals, 4 rules, 4 grades"), "{said}");
        let said = on(&["score", "run", "--model", "atlantis-institution", "--period", "2025-H2", "--json"]).await;
        let report: Value = serde_json::from_str(&said).unwrap();
        let grades = report["grades"].as_array().unwrap();
        let words: Vec<_> = grades.iter().map(|grade| grade["name_zh"].as_str().unwrap()).collect();
        assert_eq!(words, ["满月", "半月", "新月", "月食"]);
        let counts: Vec<_> = grades.iter().map(|grade| grade["count"].as_i64().unwrap()).collect();
        assert_eq!(counts.iter().sum::<i64>(), 60);
        assert!(counts.iter().filter(|count| **count > 0).count() >= 2, "the city is not all of one grade: {counts:?}");
        let run = report["run"].as_str().unwrap();

        let said = on(&["score", "publish", run]).await;
        assert!(said.contains("is in force: 60 subjects"), "{said}");
        let said = on(&["score", "explain", "H33030200007"]).await;
        assert!(said.contains("rejected_share 审核违规金额占比") && said.contains("rules that apply"), "{said}");
        // Banks read the new scheme's grade, and no points.
        let graded = bureau.assessment_of("H33030200007", "2026-01-20").await;
        assert_eq!((graded.scheme_id.as_deref(), graded.points), (Some("atlantis-moons"), None));
        let code = graded.grade.unwrap().code;
        let said = on(&["model", "map", "atlantis-moons", &code, "--to", "city-platform"]).await;
        assert!(["good 好\n", "bad 差\n"].contains(&said.as_str()), "{said}");
    });
}

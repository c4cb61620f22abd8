//! `medcredit score ...`: a bureau grades and publishes from the command line.

use medcredit::{
    cli,
    identity::{Jwk, PublicKey},
    push::platform::SHIPPED,
};
use serde_json::Value;

use crate::{
    grading::{Bureau, city},
    support::{
        TestStore, block_on,
        command::{Outcome, medcredit},
        logs::never_logged,
        store::StoreLocation,
    },
};

/// The path of a file beside its database.
fn path(bureau: &Bureau, name: &str) -> String {
    let StoreLocation::Sqlite(directory) = bureau.store.location() else { panic!("it is on SQLite") };
    directory.path().join(name).to_str().unwrap().to_owned()
}

/// A bureau with a small city on SQLite, and a configuration that points to it.
async fn bureau() -> (Bureau, String) {
    let bureau = Bureau::with(TestStore::sqlite().await);
    let (files, lines) = city(100, 11);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let path = path(&bureau, "gateway.toml");
    std::fs::write(&path, "[store]\ndirectory = '.'\n").unwrap();
    (bureau, path)
}

async fn score(config: &str, args: &[&str]) -> Outcome {
    medcredit(&[&["score"], args, &["--config", config]].concat()).await
}

#[test]
fn a_round_is_held_from_the_command_line() {
    block_on(async {
        let (_bureau, config) = bureau().await;
        // Without a half-year it is the last that is over.
        let said = score(&config, &["run", "--model", "wenzhou-institution", "--json"]).await.done();
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!((report["period"].as_str(), report["state"].as_str()), (Some("2025-H2"), Some("trial")));
        let grades: Vec<_> = report["grades"].as_array().unwrap().iter().map(|grade| grade["count"].clone()).collect();
        assert_eq!(grades, [10, 63, 23, 4, 0]);
        let run = report["run"].as_str().unwrap();

        let said = score(&config, &["publish", run]).await.done();
        assert_eq!(said, format!("{run} of 2025-H2 is in force: 100 subjects, good until 2026-07-31\n"));
        let again = score(&config, &["publish", run]).await;
        assert_eq!(again.code, cli::FAILED);
        assert!(again.err.contains("is published: only a trial or a pre-assessment can be published"), "{}", again.err);

        let said = score(&config, &["report", run, "--json"]).await.done();
        let report: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(report["state"], "published");
        assert_eq!(report["not_rated"], serde_json::json!({}));
        let said = score(&config, &["report", run]).await.done();
        assert!(said.contains("good       良好     63   63.00%"), "{said}");
        let said = score(&config, &["list"]).await.done();
        assert!(said.starts_with(run) && said.contains("published"), "{said}");
    });
}

#[test]
fn a_result_is_explained_on_the_command_line() {
    block_on(async {
        let (_bureau, config) = bureau().await;
        let said = score(&config, &["run", "--period", "2025-H2", "--model", "wenzhou-institution"]).await.done();
        let run = said.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned();
        assert!(run.starts_with("run_"), "{said}");
        let said = score(&config, &["explain", "H33030200042"]).await.done();
        assert!(
            said.contains(&format!("H33030200042 in 2025-H2: wenzhou-institution version 2, run {run} (trial)")),
            "{said}"
        );
        assert!(said.contains("36 省社会信用评分"), "{said}");
        let said = score(&config, &["explain", "H33030200042", "--run", &run, "--json"]).await.done();
        let explained: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(explained["assessment"]["findings"].as_array().unwrap().len(), 36);
        let nobody = score(&config, &["explain", "H33030299999"]).await;
        assert_eq!(nobody.code, cli::FAILED);
        assert!(nobody.err.contains("no run covers the subject"), "{}", nobody.err);
    });
}

#[test]
fn wrong_half_years_and_models_are_wrong_usage() {
    block_on(async {
        let (_bureau, config) = bureau().await;
        for args in [["run", "--period", "2025-13"], ["run", "--model", "atlantis"]] {
            let outcome = score(&config, &args).await;
            assert_eq!(outcome.code, cli::WRONG_USAGE, "{}", outcome.err);
        }
    });
}

#[test]
fn a_run_is_examined_proved_and_reported_on_the_command_line() {
    block_on(async {
        let (bureau, config) = bureau().await;
        let report: Value =
            serde_json::from_str(&score(&config, &["run", "--model", "wenzhou-institution", "--json"]).await.done())
                .unwrap();
        let run = report["run"].as_str().unwrap();
        let said = score(&config, &["simulate", run]).await.done();
        assert!(
            said.contains("as the first of its scheme") && said.contains("none of this is visible outside"),
            "{said}"
        );
        let said = score(&config, &["bias", run]).await.done();
        assert!(said.contains("100 subjects graded") && said.contains("医保年限"), "{said}");
        let said = score(&config, &["compare", run, run]).await.done();
        assert!(said.contains("100 of 100 subjects agree: 100.00%"), "{said}");

        let page = bureau.store.location();
        let StoreLocation::Sqlite(directory) = page else { panic!("it is on SQLite") };
        let file = directory.path().join("report.html").to_str().unwrap().to_owned();
        let refused = score(&config, &["report", run, "--format", "html", "--out", &file]).await;
        assert_eq!(refused.code, cli::FAILED);
        assert!(refused.err.contains("is trial: only published rounds may be shown outside"), "{}", refused.err);
        let written = score(&config, &["report", run, "--format", "html", "--internal", "--out", &file]).await.done();
        assert!(written.contains("report.html"), "{written}");
        assert!(std::fs::read_to_string(&file).unwrap().contains("内部资料"));
        let again = score(&config, &["report", run, "--format", "html", "--internal", "--out", &file]).await;
        assert_eq!(again.code, cli::WRONG_USAGE, "{}", again.err);

        let said = score(&config, &["preassess", run]).await.done();
        assert!(said.contains("open to objections of its 100 subjects"), "{said}");
        score(&config, &["publish", run]).await.done();
        let said = score(&config, &["replay", run]).await.done();
        assert!(said.contains("100 subjects recomputed") && said.contains("the same"), "{said}");
        let said = score(&config, &["correct", "H33030200042", "--reason", "checked"]).await.done();
        assert!(said.contains("nothing was changed"), "{said}");
        let said = score(&config, &["show", run]).await.done();
        assert!(said.contains("opened to objections"), "{said}");
        bureau.set("H33030200042", "UPDATE assessments SET grade = 'excellent' WHERE subject_code = $1").await;
        let found = score(&config, &["replay", run]).await;
        assert_eq!(found.code, cli::FAILED);
        assert!(found.out.contains("assessment of H33030200042"), "{}", found.out);
    });
}

#[test]
fn a_package_is_exported_and_verified_on_the_command_line() {
    block_on(async {
        let (bureau, config) = bureau().await;
        let path = |name| path(&bureau, name);
        std::fs::create_dir(path("secrets")).unwrap();
        let key = never_logged("AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=");
        std::fs::write(path("secrets/key-encryption-keys"), key).unwrap();
        medcredit(&["--config", &config, "keys", "init"]).await.done();
        let keys = medcredit::store::keys::list(bureau.db()).await.unwrap();
        let jwk = |key: &medcredit::store::keys::KeyRow| Jwk {
            purpose: Some(key.purpose.clone()),
            ..PublicKey::from_any_der(&key.public_key).unwrap().jwk()
        };
        let set = serde_json::json!({ "keys": keys.iter().map(jwk).collect::<Vec<_>>() });
        std::fs::write(path("jwks.json"), set.to_string()).unwrap();
        let said = score(&config, &["run", "--model", "wenzhou-institution", "--json"]).await.done();
        let run = serde_json::from_str::<Value>(&said).unwrap()["run"].as_str().unwrap().to_owned();
        score(&config, &["publish", &run]).await.done();

        let out = path("package");
        let to = "national-insurance-platform";
        let said = score(&config, &["export", &run, "--to", to, "--out", &out]).await.done();
        assert!(said.contains("100 records for 国家医保信息平台"), "{said}");
        let words = "grades mapped to national-cred-lv, beside ours: cred-lv from wenzhou-951 version 1\n";
        assert!(said.contains(words), "{said}");

        // The receiver has no configuration, no database and no gateway.
        let said = medcredit(&["score", "verify-package", &out, "--keys", &path("jwks.json")]).await.done();
        assert!(said.contains("100 records, as many as the manifest lists") && said.contains("whole"), "{said}");
        std::fs::write(path("package/more"), "").unwrap();
        let found = medcredit(&["score", "verify-package", &out, "--keys", &path("jwks.json")]).await;
        assert_eq!(found.code, cli::FAILED);
        assert!(found.err.contains("does not verify: folder"), "{}", found.err);
    });
}

#[test]
fn a_platform_that_cannot_be_used_is_a_bad_configuration() {
    block_on(async {
        let (bureau, config) = bureau().await;
        let path = |name| path(&bureau, name);
        let (_, text) = SHIPPED.iter().find(|(id, _)| *id == "national-insurance-platform").unwrap();
        std::fs::write(path("own.toml"), text.replace("\"national-cred-lv\"", "\"national-words\"")).unwrap();
        let (package, own) = (path("package"), path("own.toml"));
        let args = ["export", "run_0", "--out", &package, "--to"];
        let to = async |rest: &[&str]| score(&config, &[&args[..], rest].concat()).await;
        let refused = to(&["national-insurance-platform", "--platform", &own]).await;
        assert_eq!(refused.code, cli::BAD_CONFIGURATION, "{}", refused.err);
        assert!(refused.err.contains("own.toml:12: ") && refused.err.contains("national-words"), "{}", refused.err);
        std::fs::write(&own, text).unwrap();
        let other = to(&["another", "--platform", &own]).await;
        assert_eq!(other.code, cli::WRONG_USAGE, "{}", other.err);
        assert!(other.err.contains("own.toml; it has: national-insurance-platform"), "{}", other.err);
        let unknown = to(&["another"]).await;
        assert_eq!(unknown.code, cli::WRONG_USAGE, "{}", unknown.err);
        assert!(
            unknown.err.contains("there is no platform another; there are: city-credit-platform, "),
            "{}",
            unknown.err
        );
        assert!(!std::path::Path::new(&package).exists());
    });
}

/// A bureau rates a half-year whose assessments by the health commission did not arrive, by the model of another city.
#[test]
fn a_run_reports_first_what_is_late_and_what_does_not_fit() {
    block_on(async {
        let bureau = Bureau::with(TestStore::sqlite().await);
        let (files, mut lines) = city(20, 11);
        lines.retain(|line| line.measure != "health_assessment_score");
        bureau.accept_files(&files).await;
        bureau.import(1, &lines, true).await;
        let config = path(&bureau, "gateway.toml");
        std::fs::write(&config, "[store]\ndirectory = '.'\n").unwrap();
        let run = async |model: &'static str| score(&config, &["run", "--model", model, "--period", "2025-H2"]).await;
        let said = run("wenzhou-institution").await;
        assert_eq!(said.code, cli::DONE, "{}", said.err);
        let late = "warning: 11 卫健考核信息 is late, to be delivered by 卫健委: 20 of its subjects have no data for 2025-H2\n";
        assert!(said.err.contains(late), "{}", said.err);
        assert!(!said.err.contains("is for"), "Wenzhou's model over Wenzhou's catalogue: {}", said.err);
        let said = run("zhenjiang-institution").await;
        let misfit = "warning: the model zhenjiang-institution is for 镇江市, but the catalogue of medical_institution collects its facts about 温州市";
        assert!(said.err.contains(misfit), "{}", said.err);
        assert!(said.err.contains("is for 镇江市, which the table of regions does not have"), "{}", said.err);
    });
}

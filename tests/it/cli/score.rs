//! `medcredit score ...`: a bureau holds a round from the command line.

use medcredit::cli;
use serde_json::Value;

use crate::{
    grading::{Bureau, city},
    support::{
        TestStore, block_on,
        command::{Outcome, medcredit},
        store::Place,
    },
};

/// A bureau with a small city on SQLite, and a configuration that points to it.
async fn bureau() -> (Bureau, String) {
    let bureau = Bureau::with(TestStore::sqlite().await);
    let (files, lines) = city(100, 11);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    let Place::Sqlite(directory) = bureau.store.place() else { panic!("it is on SQLite") };
    let path = directory.path().join("gateway.toml");
    std::fs::write(&path, "[store]\ndirectory = '.'\n").unwrap();
    let path = path.to_str().unwrap().to_owned();
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
            said.contains(&format!("H33030200042 in 2025-H2: wenzhou-institution version 1, run {run} (trial)")),
            "{said}"
        );
        assert!(said.contains("36 省社会信用评分"), "{said}");
        let said = score(&config, &["explain", "H33030200042", "--run", &run, "--json"]).await.done();
        let told: Value = serde_json::from_str(&said).unwrap();
        assert_eq!(told["assessment"]["findings"].as_array().unwrap().len(), 36);
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

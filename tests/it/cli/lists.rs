//! `medcredit score results|explain`, `objection` and the exports of built-in files, from the command line.

use medcredit::cli;
use serde_json::Value;

use crate::{
    grading::{Bureau, city, periods},
    support::{
        TestStore, block_on,
        command::{Outcome, medcredit},
        store::StoreLocation,
    },
};

const CODE: &str = "H33030200042";

/// A bureau with two published rounds of a small city, its directory, and the run in force.
async fn bureau() -> (Bureau, std::path::PathBuf, String) {
    let bureau = Bureau::with(TestStore::sqlite().await);
    let (files, lines) = city(60, 11);
    bureau.accept_files(&files).await;
    bureau.import(1, &lines, true).await;
    bureau.publish(&bureau.run(periods()[0]).await).await;
    let run = bureau.run(periods()[1]).await;
    bureau.publish(&run).await;
    let StoreLocation::Sqlite(directory) = bureau.store.location() else { panic!("it is on SQLite") };
    let directory = directory.path().to_owned();
    std::fs::write(directory.join("gateway.toml"), "[store]\ndirectory = '.'\n").unwrap();
    (bureau, directory, run.id.to_string())
}

async fn on(directory: &std::path::Path, args: &[&str]) -> Outcome {
    let config = directory.join("gateway.toml");
    medcredit(&[args, &["--config", config.to_str().unwrap()]].concat()).await
}

#[test]
fn results_are_listed_as_a_table_csv_and_a_workbook() {
    block_on(async {
        let (_bureau, directory, run) = bureau().await;
        let said = on(&directory, &["score", "results", &run]).await.done();
        assert_eq!(said.lines().count(), 61);
        assert!(said.starts_with("code") && said.contains(CODE) && said.contains("synthetic"), "{said}");

        let said = on(&directory, &["score", "results", &run, "--format", "csv"]).await.done();
        let (head, rows) = said.split_once('\n').unwrap();
        assert_eq!(head.trim_end(), "\u{feff}代码,名称,地区,级别,等级,得分,版本,更正前,上期等级,较上期,得分较上期");
        assert_eq!(rows.lines().count(), 60);
        assert!(rows.lines().all(|row| row.contains(",鹿城区,") && !row.contains("good")), "{rows}");

        let file = directory.join("results.xlsx");
        let file = file.to_str().unwrap();
        let args = ["score", "results", &run, "--format", "xlsx"];
        assert_eq!(on(&directory, &args).await.code, cli::WRONG_USAGE, "a workbook is a file");
        let args = [&args[..], &["--internal", "--out", file]].concat();
        assert!(on(&directory, &args).await.done().contains("results.xlsx"));
        let bytes = std::fs::read(file).unwrap();
        assert!(bytes.starts_with(b"PK"), "a workbook is a zip archive");
        assert_eq!(on(&directory, &args).await.code, cli::WRONG_USAGE, "an existing file is not overwritten");
    });
}

#[test]
fn names_behind_figures_are_internal() {
    block_on(async {
        let (_bureau, directory, run) = bureau().await;
        for list in ["measures", "movement"] {
            let args = ["score", "results", &run, "--list", list];
            let refused = on(&directory, &args).await;
            assert_eq!(refused.code, cli::WRONG_USAGE);
            assert!(refused.err.contains("--internal"), "{}", refused.err);
            let said = on(&directory, &[&args[..], &["--internal", "--lang", "zh"]].concat()).await.done();
            assert!(said.contains("代码"), "{said}");
        }
        let args = ["score", "results", &run, "--list", "movement", "--internal", "--format", "csv"];
        assert_eq!(on(&directory, &args).await.done().lines().count(), 61);
    });
}

#[test]
fn a_result_is_explained_in_chinese_and_as_a_page() {
    block_on(async {
        let (_bureau, directory, run) = bureau().await;
        let said = on(&directory, &["score", "explain", CODE, "--lang", "zh"]).await.done();
        assert!(said.contains("2025年下半年") && said.contains("满分 1,000") && said.contains("已发布"), "{said}");
        let wrong = on(&directory, &["score", "explain", CODE, "--lang", "fr"]).await;
        assert_eq!(wrong.code, cli::WRONG_USAGE);
        let file = directory.join("page.html");
        let args = ["score", "explain", CODE, "--format", "html", "--out", file.to_str().unwrap()];
        on(&directory, &args).await.done();
        let page = std::fs::read_to_string(file).unwrap();
        assert!(page.contains("信用评定说明") && page.contains("失分情况"));
        for args in [
            &["score", "report", &run, "--lang", "zh"][..],
            &["score", "simulate", &run, "--lang", "zh"],
            &["score", "compare", &run, &run, "--lang", "zh"],
            &["score", "bias", &run, "--lang", "zh"],
        ] {
            let said = on(&directory, args).await.done();
            for word in ["subjects", "graded", "rows", "missing", " rise", "excellent"] {
                // Codes of grades stand beside their names in the report and the simulation.
                let code = word == "excellent" && matches!(args[1], "report" | "simulate");
                assert!(code || !said.contains(word), "{args:?}: {word}\n{said}");
            }
        }
    });
}

#[test]
fn an_objection_is_opened_listed_and_decided() {
    block_on(async {
        let (bureau, directory, run) = bureau().await;
        let open = ["objection", "open", CODE, "--run", &run, "--reason", "扣分有误", "--operator", "li"];
        let said = on(&directory, &open).await.done();
        assert!(said.contains("is open, to be decided by 2026-04-23"), "{said}");
        let again = on(&directory, &open).await.done();
        assert!(again.contains("already; nothing was changed"), "{again}");
        let graded = bureau.assessment_of(CODE, "2026-04-02").await;
        assert_eq!(graded.status.as_str(), "under_objection");
        let said = on(&directory, &["objection", "list", "--json"]).await.done();
        let open: Value = serde_json::from_str(&said).unwrap();
        let id = open[0]["id"].as_str().unwrap();
        let decide = ["objection", "decide", id, "--outcome", "upheld", "--reason", "已更正", "--operator", "li"];
        let said = on(&directory, &decide).await.done();
        assert!(said.contains("was upheld; its grade is read again"), "{said}");
        assert!(on(&directory, &["objection", "list"]).await.done().contains("0 objections"));
        assert!(on(&directory, &["objection", "list", "--all"]).await.done().contains("upheld"));
        let wrong = on(&directory, &["objection", "decide", id, "--outcome", "maybe", "--reason", "x"]).await;
        assert_eq!(wrong.code, cli::WRONG_USAGE);
        // A year without its holidays is named.
        let calendar = "[[year]]\nyear = 2025\nsource = \"a test\"\nprovisional = true\n";
        std::fs::write(directory.join("calendar.toml"), calendar).unwrap();
        let refused = on(&directory, &["objection", "open", CODE, "--reason", "x", "--operator", "li"]).await;
        assert!(refused.err.contains("has no year 2026"), "{}", refused.err);
    });
}

#[test]
fn built_in_files_are_exported_and_never_overwrite() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("models/ours.toml");
        let file = path.to_str().unwrap();
        let said = medcredit(&["model", "export", "wenzhou-pharmacy", "--out", file]).await.done();
        assert!(said.contains("ours.toml"), "{said}");
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("id = \"wenzhou-pharmacy\""));
        assert_eq!(medcredit(&["model", "check", file]).await.code, 0);
        let again = medcredit(&["model", "export", "wenzhou-pharmacy", "--out", file]).await;
        assert_eq!(again.code, cli::WRONG_USAGE, "{}", again.err);
        for name in ["pharmacy", "kinds", "regions", "calendar"] {
            let said = medcredit(&["catalogue", "export", name]).await.done();
            assert!(toml::from_str::<toml::Table>(&said).is_ok(), "{name}");
        }
        for args in [["model", "export", "atlantis"], ["catalogue", "export", "atlantis"]] {
            let refused = medcredit(&args).await;
            assert_eq!(refused.code, cli::WRONG_USAGE);
            assert!(refused.err.contains("pharmacy"), "{}", refused.err);
        }
    });
}

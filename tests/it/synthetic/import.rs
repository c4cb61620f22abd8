//! From `generate` to `import` on the command line, as an operator does it.

use medcredit::cli;

use super::{make, small};
use crate::{
    importing::{ImportHarness, KEY},
    support::{TestStore, block_on, both_engines, command::medcredit},
};

both_engines! {
    every_generated_row_is_accepted,
}

/// A clerk imports the whole city: not one row is rejected, on either engine.
async fn every_generated_row_is_accepted(store: TestStore) {
    let harness = ImportHarness::new(store);
    let summary = make(&small(11), &harness.directory.path().join("city"));
    let mut taken = std::collections::BTreeMap::new();
    for file in &summary.files {
        let name = file.file_name().unwrap().to_str().unwrap();
        let template = name.split(['.', '-']).next().unwrap();
        let report = harness.import_file(template.parse().unwrap(), file).await.unwrap();
        assert_eq!((report.rejected, report.warnings), (0, 0), "{name}: {:?}", harness.findings(&report));
        *taken.entry(template.to_owned()).or_insert(0) += report.accepted;
    }
    assert_eq!(taken["subjects"], summary.institutions + summary.pharmacies);
    assert_eq!(taken["settlements"], summary.settlements);
    assert_eq!((taken["records"], taken["adverse"]), (summary.records, summary.adverse));
}

/// An operator's directory with a configuration, a key and a migrated store.
pub async fn place() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let config = directory.path().join("gateway.toml");
    std::fs::write(&config, "").unwrap();
    let secrets = directory.path().join("secrets");
    std::fs::create_dir(&secrets).unwrap();
    let keys = secrets.join("key-encryption-keys");
    std::fs::write(&keys, format!("{KEY}\n")).unwrap();
    std::fs::set_permissions(&keys, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let config = config.to_str().unwrap().to_owned();
    medcredit(&["--config", &config, "migrate"]).await.done();
    (directory, config)
}

#[test]
fn an_operator_generates_a_city_and_imports_it() {
    block_on(async {
        let (directory, config) = place().await;
        let city = directory.path().join("city").to_str().unwrap().to_owned();
        let line = ["generate", "--out", &city, "--scale", "0.005", "--staff", "0", "--months", "3"];
        let said = medcredit(&line).await.done();
        assert!(said.contains("12 institutions, 12 pharmacies, 0 others"), "{said}");
        let import = async |args: &[&str]| {
            let mut line = vec!["--config", &config, "import"];
            line.extend_from_slice(args);
            medcredit(&line).await
        };
        let subjects = format!("{city}/subjects.csv");
        let said = import(&["subjects", &subjects]).await.done();
        assert!(
            said.contains("subjects.csv: import 1 accepted: 24 rows, 24 accepted, 0 rejected, 0 warnings"),
            "{said}"
        );
        assert!(said.contains("24 new, 0 changed, 0 unchanged"), "{said}");
        let again = import(&["subjects", &subjects]).await;
        assert_eq!(again.code, cli::NOTHING_DONE, "{}", again.err);
        assert!(
            again.out.contains("the same file was imported as 1, and nothing has changed its rows"),
            "{}",
            again.out
        );
        // At the tests' clock, the morning of 2026-04-01, March is the last month that is over.
        let files = ["2026-H1"].map(|half| format!("{city}/settlements-{half}.csv"));
        let said = import(&["settlements", &files[0]]).await.done();
        assert!(said.contains("import 2 accepted"), "{said}");
        let again = import(&["settlements", "--check", &files[0]]).await;
        assert_eq!(again.code, cli::NOTHING_DONE, "{}", again.err);
        assert!(again.out.contains("the same file was imported as 2"), "{}", again.out);
    });
}

#[test]
fn the_command_reports_rejected_rows_and_where_the_report_is() {
    block_on(async {
        let (directory, config) = place().await;
        let file = directory.path().join("settlements.csv");
        let row = "H33030200090,2026-01,employee,1,1,1,1,1,1,0,0,0,0,0,1,final,2026-03-25\n";
        std::fs::write(&file, format!("{}{row}", crate::importing::SETTLEMENTS)).unwrap();
        let file = file.to_str().unwrap();
        let outcome = medcredit(&["--config", &config, "import", "settlements", file]).await;
        assert_eq!(outcome.code, cli::FAILED, "no row was accepted");
        assert!(outcome.out.contains("1 subject_unknown") && outcome.out.contains(".rejects.csv"), "{}", outcome.out);
        // A workbook instead, the row again in a report for its institution, and nothing stored by a check.
        let (workbook, folder) = (directory.path().join("to fix.xlsx"), directory.path().join("offices"));
        let to = workbook.to_str().unwrap();
        let outcome =
            medcredit(&["--config", &config, "import", "settlements", file, "--check", "--rejects", to]).await;
        assert_eq!(outcome.code, cli::FAILED, "a check that finds rejects");
        assert!(outcome.err.contains("1 rows of 1 of 1 files were rejected"), "{}", outcome.err);
        assert!(std::fs::read(&workbook).unwrap().starts_with(b"PK"));
        let by = ["--rejects-by", "institution", "--rejects", folder.to_str().unwrap()];
        let outcome = medcredit(&[&["--config", &config, "import", "settlements", file], &by[..]].concat()).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(folder.join("settlements.csv.H33030200090.rejects.csv").exists(), "{}", outcome.out);
        assert!(folder.join("settlements.csv.H33030200090.rejects.xlsx").exists(), "{}", outcome.out);
        let outcome =
            medcredit(&["--config", &config, "import", "settlements", file, "--rejects-by", "provider"]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE, "it needs a folder");
        let empty = directory.path().join("empty.csv");
        std::fs::write(&empty, crate::importing::SETTLEMENTS).unwrap();
        let outcome = medcredit(&["--config", &config, "import", "settlements", empty.to_str().unwrap()]).await;
        assert_eq!(outcome.code, cli::DONE);
        assert!(outcome.err.contains("warning: empty.csv has a header and no rows"), "{}", outcome.err);
        let outcome = medcredit(&["--config", &config, "import", "records", file]).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(outcome.err.contains("column measure is missing"), "{}", outcome.err);
        let outcome = medcredit(&["--config", &config, "import", "loans", file]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE);
        assert!(outcome.err.contains("subjects, affiliations, records"), "{}", outcome.err);
        let outcome = medcredit(&["--config", &config, "import", "--rejects", "r", "records", file, file]).await;
        assert_eq!(outcome.code, cli::WRONG_USAGE);
    });
}

#[test]
fn impossible_requests_are_refused_with_a_reason() {
    block_on(async {
        let directory = tempfile::tempdir().unwrap();
        let out = directory.path().to_str().unwrap();
        for (args, said) in [
            (["--scale", "0"], "--scale must be a number"),
            (["--scale", "big"], "--scale must be a number"),
            (["--model", "nobody"], "there is no model nobody"),
            (["--staff", "2"], "--staff must be a share from 0 to 1"),
            (["--scale", "21"], "--scale times --staff must be at most 20"),
            (["--from", "2025-H1"], "--to"),
            (["--months", "0"], "0 is not in 1..=240"),
        ] {
            let mut line = vec!["generate", "--out", out];
            line.extend_from_slice(&args);
            let outcome = medcredit(&line).await;
            assert_eq!(outcome.code, cli::WRONG_USAGE, "{args:?}");
            assert!(outcome.err.contains(said), "{args:?}: {}", outcome.err);
        }
        let outcome = medcredit(&["generate", "--out", out, "--from", "2026-H1", "--to", "2026-H2"]).await;
        assert!(outcome.err.contains("the last one that is is 2025-H2"), "{}", outcome.err);
    });
}

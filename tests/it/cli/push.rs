//! `medcredit push ...`: an operator checks and lists platforms.

use std::{fs, path::Path};

use medcredit::{cli, push::platform::SHIPPED};
use serde_json::Value;

use crate::support::{block_on, command::medcredit};

fn shipped(id: &str) -> &'static str {
    SHIPPED.iter().find(|(other, _)| *other == id).unwrap().1
}

/// A folder with a configuration and a folder of platforms.
fn site() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gateway.toml");
    fs::write(&config, "").unwrap();
    fs::create_dir(folder.path().join("platforms")).unwrap();
    (folder, config.to_str().unwrap().to_owned())
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join("platforms").join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_file_is_checked_and_summarised_in_a_line() {
    block_on(async {
        let (folder, config) = site();
        let good = write(folder.path(), "good.toml", shipped("enterprise-publicity"));
        let outcome = medcredit(&["push", "check", &good, "--config", &config]).await;
        assert_eq!(outcome.code, cli::DONE, "{}", outcome.err);
        assert_eq!(
            outcome.out,
            format!(
                "{good}: enterprise-publicity can be used: grades monthly in 10 fields; 4 kinds, audience public; file xml in \
                 utf-8 to {}/platforms/../outgoing/enterprise-publicity\n",
                folder.path().display()
            )
        );
        assert_eq!(
            outcome.err,
            format!(
                "warning: {good}: it has fields for evaluator, which [push] does not set: they stay empty\nwarning: {good}: file \
                 names begin with the name of the sender, and there is none: set `source` in [carrier.file], or evaluator_uscc \
                 in [push] of the gateway's configuration. The gateway does not start with this platform\n"
            )
        );
        let section = "[push]\nevaluator = '示范市医疗保障局'\nevaluator_uscc = '11330300MB1234A561'\n";
        fs::write(&config, section).unwrap();
        let outcome = medcredit(&["push", "check", &good, "--config", &config]).await;
        assert_eq!((outcome.code, outcome.err.as_str()), (cli::DONE, ""));

        let bad = write(folder.path(), "bad.toml", &shipped("enterprise-publicity").replace("\"xml\"", "\"xls\""));
        let outcome = medcredit(&["push", "check", &good, &bad]).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(outcome.out.starts_with(&format!("{good}: enterprise-publicity can be used")), "{}", outcome.out);
        assert!(
            outcome.err.contains(&format!("{bad}:17: [carrier.file]: `format`: \"xls\" is not a valid format")),
            "{}",
            outcome.err
        );
        assert!(outcome.err.ends_with("medcredit: 1 of 2 files cannot be used\n"), "{}", outcome.err);
        let twin = write(folder.path(), "bad.toml", shipped("enterprise-publicity"));
        let outcome = medcredit(&["push", "check", folder.path().join("platforms").to_str().unwrap()]).await;
        assert_eq!(outcome.code, cli::FAILED);
        assert!(
            outcome.err.contains(&format!("{good}: enterprise-publicity is already defined by {twin}")),
            "{}",
            outcome.err
        );
    });
}

#[test]
fn the_platforms_in_force_are_checked_and_listed() {
    block_on(async {
        let outcome = medcredit(&["push", "check"]).await;
        assert_eq!((outcome.code, outcome.err.as_str()), (cli::DONE, ""));
        assert_eq!(outcome.out.lines().count(), SHIPPED.len());
        let (folder, config) = site();
        let text = shipped("municipal-credit-service").replace("id = \"municipal-credit-service\"", "id = \"fifth\"");
        let file = write(folder.path(), "fifth.toml", &text);
        let outcome = medcredit(&["push", "check", "--config", &config]).await;
        assert_eq!(outcome.code, cli::DONE, "{}", outcome.err);
        assert_eq!(outcome.out.lines().count(), SHIPPED.len() + 1);
        let warned: Vec<_> = outcome.err.lines().map(|line| line.starts_with(&format!("warning: {file}:"))).collect();
        assert_eq!(warned, [true; 4], "three credentials and the evaluator, of the city's own only: {}", outcome.err);

        let said = medcredit(&["push", "list", "--config", &config]).await.done();
        assert!(said.contains(&format!("https     departments  市公共信用信息平台（接口）  ({file})")), "{said}");
        let said = medcredit(&["push", "list", "--json", "--config", &config]).await.done();
        let list: Vec<Value> = serde_json::from_str(&said).unwrap();
        let fifth = list.iter().find(|platform| platform["id"] == "fifth").unwrap();
        assert_eq!((&fifth["carrier"], &fifth["file"]), (&"https".into(), &file.as_str().into()));
        assert_eq!(fifth["schedule"], serde_json::json!({ "grades": "on_change", "usage": "monthly" }));
        assert!(!said.contains("secrets"), "no path of a credential: {said}");
    });
}

#[test]
fn a_folder_with_a_bad_platform_is_a_bad_configuration() {
    block_on(async {
        let (folder, config) = site();
        write(folder.path(), "a.toml", "id = 'a'");
        for command in [&["push", "check"][..], &["push", "list"]] {
            let outcome = medcredit(&[command, &["--config", &config]].concat()).await;
            assert_eq!(outcome.code, cli::BAD_CONFIGURATION, "{}", outcome.err);
            assert!(outcome.err.contains("a.toml:1: `name_zh` is missing"), "{}", outcome.err);
        }
    });
}

/// An operator's own platform names a certificate that is not there; later its file is broken.
#[test]
fn the_doctor_reports_platforms_and_what_is_missing_for_them() {
    block_on(async {
        let (folder, config) = site();
        let text =
            shipped("municipal-credit-service").replace("../secrets/municipal-credit-service.key", "../gateway.toml");
        let file = write(folder.path(), "own.toml", &text);
        let doctor = async || medcredit(&["doctor", "--config", &config]).await.out;
        let said = doctor().await;
        let lines: Vec<_> =
            said.lines().filter(|line| line.get(9..).is_some_and(|rest| rest.starts_with("platforms"))).collect();
        let count = SHIPPED.len();
        assert!(lines[0].starts_with("ok") && lines[0].contains(&format!("{count}, 1 of them from ")), "{said}");
        assert!(
            lines[1..].iter().all(|line| line.starts_with("warning") && line.contains(&format!("{file}:"))),
            "{said}"
        );
        assert_eq!(lines.len(), 3, "its certificate and its authority: {said}");
        fs::write(&file, "id = 1").unwrap();
        let said = doctor().await;
        assert!(
            said.lines().any(|line| line.starts_with("PROBLEM") && line.contains("own.toml:1: `id` must be a text")),
            "{said}"
        );
    });
}

#[test]
fn a_platform_is_registered_as_a_client_by_the_id_of_its_file() {
    block_on(async {
        let (_folder, config) = site();
        let outcome = medcredit(&["migrate", "--operator", "lin", "--config", &config]).await;
        assert_eq!(outcome.code, cli::DONE, "{}", outcome.err);
        let register = async |of: &[&str]| {
            let who =
                ["client", "register", "--config", &config, "--operator", "lin", "--name", "p", "--kind", "platform"];
            let place = ["--authority", "own", "--subject", "CN=p"];
            medcredit(&[&who[..], &place, of].concat()).await
        };
        let unknown = register(&["--platform", "nobody"]).await;
        assert_eq!(unknown.code, cli::WRONG_USAGE);
        assert!(
            unknown.err.contains("there is no platform nobody; there are: city-credit-platform"),
            "{}",
            unknown.err
        );
        let nameless = register(&[]).await;
        assert_eq!(nameless.code, cli::WRONG_USAGE);
        assert!(nameless.err.contains("--platform <ID>"), "{}", nameless.err);
    });
}

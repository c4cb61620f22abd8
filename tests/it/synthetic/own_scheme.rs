//! A city adds its own scheme with the commands of the README.

use std::{path::Path, process::Command};

use medcredit::synthetic::Request;

use super::{import::place, make, small};
use crate::support::{block_on, command::medcredit};

/// The commands of the README's section.
fn commands() -> Vec<String> {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let section = readme.split("## A scheme of your own\n").nth(1).unwrap().split("\n## ").next().unwrap();
    section.lines().filter_map(|line| line.strip_prefix("    ")).map(str::to_owned).collect()
}

/// Prepares a directory for the README's commands: a gateway.toml, and the program's own files in `config/`.
fn prepare(directory: &Path) {
    let models = directory.join("config/models");
    std::fs::create_dir_all(&models).unwrap();
    std::fs::create_dir(directory.join("models")).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/models/wenzhou-pharmacy.toml");
    std::fs::copy(shipped, models.join("wenzhou-pharmacy.toml")).unwrap();
}

#[test]
fn the_commands_of_the_readme_lead_from_a_copied_file_to_published_grades() {
    block_on(async {
        let (directory, config) = place().await;
        let directory = directory.path();
        prepare(directory);
        let summary = make(&Request { scale_e4: 300, ..small(5) }, &directory.join("city"));
        for file in summary.files.iter().map(|file| file.to_str().unwrap()) {
            let name = Path::new(file).file_name().unwrap().to_str().unwrap();
            let template = name.split(['.', '-']).next().unwrap();
            if ["subjects", "records"].contains(&template) {
                medcredit(&["--config", &config, "import", template, file]).await.done();
            }
        }
        let subjects = std::fs::read_to_string(directory.join("city/subjects.csv")).unwrap();
        let shop = subjects.lines().find_map(|line| line.strip_prefix("pharmacy,")?.split(',').next()).unwrap();
        let (mut runs, mut said): (Vec<String>, String) = (Vec::new(), String::new());
        for command in commands() {
            let Some(args) = command.strip_prefix("medcredit ") else {
                let done = Command::new("sh").args(["-c", &command]).current_dir(directory).status().unwrap();
                assert!(done.success(), "{command}");
                continue;
            };
            let path = directory.join("models/our-pharmacy.toml");
            let args: Vec<&str> = args
                .split_whitespace()
                .map(|word| match word {
                    "gateway.toml" => config.as_str(),
                    "models/our-pharmacy.toml" => path.to_str().unwrap(),
                    "SUBJECT" => shop,
                    "OLD" => &runs[0],
                    "NEW" => &runs[1],
                    other => other,
                })
                .collect();
            let output = medcredit(&args).await.done();
            if command.contains("score run") {
                runs.push(output.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned());
                assert!(runs.last().unwrap().starts_with("run_"), "{output}");
            }
            said = format!("{said}$ {command}\n{output}");
        }
        assert_eq!(runs.len(), 2);
        assert!(said.contains("our-pharmacy version 2 can be used: 31 indicators"), "{said}");
        assert!(said.contains(&format!("{} of 2025-H2 is in force: 72 subjects", runs[1])), "{said}");
        assert!(said.contains("药师在岗率"), "{said}");
    });
}

//! README.md and ARCHITECTURE.md agree with the tree.

use std::{collections::BTreeSet, fs, path::Path};

use crate::architecture::LEVELS;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The cells of a table's rows whose cell in a column is a name in backquotes.
fn table(text: &str, column: usize) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.map(|line| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cells| cells.get(column).is_some_and(|cell| cell.starts_with('`')))
        .collect()
}

#[test]
fn the_readme_lists_every_room_and_no_other() {
    let named: Vec<_> = table(&read("README.md"), 0).into_iter().map(|cells| cells[0].replace('`', "")).collect();
    let mut known: Vec<_> = LEVELS.iter().map(|(name, _)| (*name).to_owned()).collect();
    known.sort();
    assert_eq!(named, known, "in alphabetical order");
}

#[test]
fn the_table_in_architecture_is_the_one_that_imports_are_checked_against() {
    let documented: BTreeSet<_> = table(&read("ARCHITECTURE.md"), 1)
        .into_iter()
        .map(|cells| (cells[1].replace('`', ""), cells[0].parse::<u8>().unwrap()))
        .collect();
    let checked: BTreeSet<_> = LEVELS.iter().map(|(room, level)| ((*room).to_owned(), *level)).collect();
    assert_eq!(documented, checked);
}

#[test]
fn the_quick_start_is_two_commands() {
    let readme = read("README.md");
    let quick = readme.split("## Quick start").nth(1).unwrap().split("\n## ").next().unwrap();
    let commands: Vec<_> = quick.lines().filter_map(|line| line.strip_prefix("    ")).collect();
    assert_eq!(commands, ["cargo run -- demo", "./tests/run"]);
}

#[test]
fn every_section_of_the_configuration_is_explained() {
    let readme = read("README.md");
    for section in medcredit::config::Config::SECTIONS {
        assert!(readme.contains(&format!("- `[{section}]`:")), "README.md does not explain [{section}]");
    }
}

#[test]
fn no_link_to_a_file_is_broken() {
    for name in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        for word in read(name).split(|c: char| c.is_whitespace() || "(),:;`".contains(c)) {
            let word = word.trim_end_matches('.');
            let folders = ["docs/", "src/", "tests/", "config/", "migrations/"];
            let page = Path::new(word).extension().is_some_and(|end| end == "md");
            let local = page || folders.iter().any(|folder| word.starts_with(folder));
            if local && !word.contains('*') {
                assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(word).exists(), "{name} mentions {word}");
            }
        }
    }
}

#[test]
fn scripts_can_be_run() {
    use std::os::unix::fs::PermissionsExt;
    for script in ["tests/run", ".ci/run"] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(script);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o111, 0o111, "{script}");
    }
}

//! The catalogue of words: every text is used, and Chinese texts are Chinese.

use std::{fs, path::Path};

use crate::architecture::rust_files;

/// The texts of a file of the catalogue: name, English and Chinese.
fn texts(file: &str) -> Vec<(String, String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/i18n").join(file);
    let source = fs::read_to_string(path).unwrap();
    let lines = source.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix("\";"));
    lines
        .map(|line| {
            let (name, texts) = line.split_once(": \"").unwrap_or_else(|| panic!("{file}: {line}"));
            let (english, chinese) = texts.split_once("\", \"").unwrap_or_else(|| panic!("{file}: {line}"));
            let name = name.split('(').next().unwrap();
            (name.to_owned(), english.to_owned(), chinese.to_owned())
        })
        .collect()
}

const FILES: [&str; 2] = ["score.rs", "report.rs"];

/// The texts of pages, which templates call as methods.
const PAGES: [&str; 10] = [
    "web/approvals.rs",
    "web/accounts.rs",
    "web/banks.rs",
    "web/consents.rs",
    "web/frame.rs",
    "web/overview.rs",
    "web/security.rs",
    "web/states.rs",
    "web/subjects.rs",
    "web/work.rs",
];

#[test]
fn every_text_of_pages_is_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = fs::read_dir(root.join("src/i18n/web")).unwrap().collect();
    assert_eq!(files.len(), PAGES.len() + 1, "a file is not in the list");
    let mut sources: Vec<_> = rust_files(&root.join("src/http"));
    sources.extend(fs::read_dir(root.join("templates/console")).unwrap().map(|entry| entry.unwrap().path()));
    let sources: Vec<_> = sources.into_iter().map(|path| fs::read_to_string(path).unwrap()).collect();
    for file in PAGES {
        for (name, ..) in texts(file) {
            let called = format!(".{name}(");
            assert!(sources.iter().any(|source| source.contains(&called)), "{file}: nothing uses {name}");
        }
    }
}

#[test]
fn every_text_is_used() {
    let sources: Vec<String> = rust_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"))
        .into_iter()
        .filter(|path| !path.to_str().unwrap().contains("/i18n/"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    for file in FILES {
        let texts = texts(file);
        assert!(texts.len() > 50, "{file} was read");
        for (name, ..) in texts {
            let used = |source: &String| {
                // As a function that is called, or as a value.
                source.match_indices(&format!("::{name}")).any(|(at, found)| {
                    let after = source[at + found.len()..].chars().next().unwrap_or(' ');
                    !(after.is_alphanumeric() || after == '_')
                })
            };
            assert!(sources.iter().any(used), "{file}: nothing uses {name}");
        }
    }
}

#[test]
fn chinese_texts_are_chinese() {
    for file in FILES.into_iter().chain(PAGES) {
        for (name, english, chinese) in texts(file) {
            // Without the names of values, no word in Latin letters is left but options of commands.
            let mut plain = String::new();
            for part in chinese.split('{') {
                plain.push_str(part.split_once('}').map_or(part, |(_, rest)| rest));
            }
            let latin = plain.split(|c: char| !c.is_ascii_alphabetic()).find(|word| word.len() > 2 && *word != "csv");
            assert_eq!(latin, None, "{file}: {name}: {chinese}");
            assert!(!english.is_empty() && !chinese.is_empty(), "{file}: {name}");
            assert!(!english.chars().any(|c| ('\u{4e00}'..'\u{a000}').contains(&c)), "{file}: {name}: {english}");
        }
    }
}

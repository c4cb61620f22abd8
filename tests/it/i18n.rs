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
    for file in FILES {
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

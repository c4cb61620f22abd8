//! The ids that comments cite (I1, T5, K3, C7, M9) are defined in docs/INVARIANTS.md, with tests that are there.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use crate::architecture::rust_files;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The ids in a text: one of the five letters and a number, as a word of its own.
fn ids(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_' && c != '-');
    words.filter(|word| {
        let number = word.strip_prefix(['I', 'T', 'K', 'C', 'M']).unwrap_or_default();
        (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) && !number.starts_with('0')
    })
}

/// Each cited id with one place that cites it. Only comments cite: in code the same letters may be anything.
fn cited() -> BTreeMap<String, String> {
    let folders = ["src", "tests", "benches"].map(|folder| root().join(folder));
    let mut cited = BTreeMap::new();
    for file in folders.iter().flat_map(|folder| rust_files(folder)) {
        for (at, line) in fs::read_to_string(&file).unwrap().lines().enumerate() {
            let Some((_, comment)) = line.split_once("//") else { continue };
            for id in ids(comment) {
                cited.entry(id.to_owned()).or_insert_with(|| format!("{}:{}", file.display(), at + 1));
            }
        }
    }
    cited
}

struct Definition {
    /// Not in the code yet, so cited nowhere.
    planned: bool,
    /// Files and functions, as the document names them.
    tests: Vec<(PathBuf, String)>,
}

/// An entry begins with its id in bold face and ends where the next one begins.
fn defined() -> BTreeMap<String, Definition> {
    let text = fs::read_to_string(root().join("docs/INVARIANTS.md")).unwrap();
    let mut defined = BTreeMap::new();
    for entry in text.split("\n**").skip(1) {
        let (id, rest) = entry.split_once("**").unwrap();
        assert_eq!(ids(id).collect::<Vec<_>>(), [id], "an entry begins with its id");
        assert!(rest.contains("Source:"), "{id} names no source");
        let code = rest.split('`').skip(1).step_by(2);
        let tests =
            code.filter_map(|code| code.split_once(".rs::")).map(|(file, name)| (test_file(file), name.to_owned()));
        let definition = Definition { planned: rest.contains("*Planned:*"), tests: tests.collect() };
        assert!(defined.insert(id.to_owned(), definition).is_none(), "{id} is defined twice");
    }
    defined
}

/// The file that a document names.
pub fn test_file(name: &str) -> PathBuf {
    let folder = match name.split('/').next() {
        Some("src") => root().to_owned(),
        Some("interop") => root().join("tests"),
        _ => root().join("tests/it"),
    };
    folder.join(format!("{name}.rs"))
}

#[test]
fn every_cited_id_is_defined_and_every_defined_id_is_cited() {
    let (cited, defined) = (cited(), defined());
    let undefined: Vec<_> = cited.iter().filter(|(id, _)| !defined.contains_key(*id)).collect();
    assert!(undefined.is_empty(), "not in docs/INVARIANTS.md: {undefined:?}");
    let in_code: BTreeSet<_> = defined.iter().filter(|(_, row)| !row.planned).map(|(id, _)| id).collect();
    assert_eq!(in_code, cited.keys().collect::<BTreeSet<_>>(), "defined without being cited, or planned and cited");
}

#[test]
fn every_requirement_has_tests_and_each_is_there() {
    let mut missing = Vec::new();
    for (id, definition) in defined() {
        assert_ne!(
            definition.planned,
            !definition.tests.is_empty(),
            "{id}: tests for what is in the code, and only that"
        );
        missing.extend(
            definition.tests.into_iter().filter(|(file, name)| {
                !fs::read_to_string(file).is_ok_and(|text| text.contains(&format!("fn {name}(")))
            }),
        );
    }
    assert!(missing.is_empty(), "named in docs/INVARIANTS.md, but not there: {missing:#?}");
}

#[test]
fn an_id_is_a_word_of_its_own() {
    let found: Vec<_> = ids("I1, (K16); T4/C7 and M10. Not 2026-M1, X1, K, I100, K0 or AES_M4.").collect();
    assert_eq!(found, ["I1", "K16", "T4", "C7", "M10"]);
}

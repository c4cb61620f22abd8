//! docs/CARRIERS.md says what the code does.

use std::{fs, path::Path};

use medcredit::push::carrier::{RejectReason, fields_digest};
use serde_json::Value;

fn page() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/CARRIERS.md")).unwrap()
}

#[test]
fn every_reason_is_documented_with_its_words() {
    let page = page();
    let documented: Vec<_> = page.lines().filter(|line| line.starts_with("| R")).collect();
    let expected: Vec<_> = RejectReason::all()
        .map(RejectReason::words)
        .map(|words| format!("| {} | {} | {} |", words.code, words.zh, words.en))
        .collect();
    assert_eq!(documented, expected);
}

#[test]
fn the_examples_are_json_and_the_digest_is_right() {
    let page = page();
    let examples: Vec<Value> = page
        .split("```json\n")
        .skip(1)
        .map(|part| serde_json::from_str(part.split("```").next().unwrap()).unwrap())
        .collect();
    assert_eq!(examples.len(), 2, "a page and a manifest");
    let example = page.lines().find(|line| line.starts_with("    {\"PJDJ\"")).unwrap().trim();
    let object: serde_json::Map<String, Value> = serde_json::from_str(example).unwrap();
    let fields = object.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    assert!(page.contains(&format!("    {}\n", fields_digest(fields))));
}

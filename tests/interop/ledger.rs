//! docs/LEDGER.md and the script that made its vectors.

use std::{path::Path, process::Command};

#[test]
fn the_vectors_on_the_page_are_those_the_script_makes() {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs");
    let output = Command::new("python3").arg(docs.join("ledger-vectors.py")).output().expect("python3 is installed");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let made = String::from_utf8(output.stdout).unwrap();
    let page = std::fs::read_to_string(docs.join("LEDGER.md")).unwrap();
    let (_, block) = page.split_once("```json\n").unwrap();
    assert_eq!(block.split_once("\n```").unwrap().0, made.trim_end());
}

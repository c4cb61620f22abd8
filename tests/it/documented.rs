//! Every public item of the rooms that others build on has a doc comment. A field or a variant has one where there is
//! something to say that its name does not: the lint `missing_docs` would ask for one on each, and get the name again.

use std::{fs, path::Path};

use crate::architecture::{LEVELS, rust_files};

/// The highest level whose items are documented one by one; above it, a file's head and the API's own texts serve.
const HIGHEST: u8 = 4;

const ITEMS: &[&str] = &["fn", "struct", "enum", "trait", "type", "const", "static", "mod", "union"];

/// The name of the public item that a line declares.
fn declared(line: &str) -> Option<&str> {
    let mut words = line.trim_start().strip_prefix("pub ")?.split_whitespace().peekable();
    while let Some(word) = words.next() {
        match words.peek() {
            Some(next) if word == "const" && *next == "fn" => {}
            Some(next) if ITEMS.contains(&word) => return Some(next.split(['(', '<', ':', ';', '{']).next().unwrap()),
            _ if word == "async" || word == "unsafe" => {}
            _ => return None,
        }
    }
    None
}

/// Whether the lines above an item, its attributes aside, end in a doc comment.
fn documented(above: &[&str]) -> bool {
    let mut in_attribute = false;
    for line in above.iter().rev().map(|line| line.trim()) {
        in_attribute |= line.ends_with(")]") && !line.starts_with("#[");
        if !in_attribute && !line.starts_with("#[") {
            return line.starts_with("///") || line.starts_with("$(#["); // a macro's items bring their own
        }
        in_attribute &= !line.starts_with("#[");
    }
    false
}

fn undocumented(text: &str, folder: &Path) -> Vec<String> {
    let production = text.split("#[cfg(test)]").next().unwrap();
    let lines: Vec<_> = production.lines().collect();
    let items = lines.iter().enumerate().filter_map(|(at, line)| Some((at, declared(line)?)));
    let missing = items.filter(|(at, name)| {
        let module = lines[*at].contains("pub mod ") && lines[*at].ends_with(';');
        let files = [folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")];
        let head =
            module && files.iter().any(|file| fs::read_to_string(file).is_ok_and(|text| text.starts_with("//!")));
        !(head || documented(&lines[..*at]))
    });
    missing.map(|(at, name)| format!("{}: {name}", at + 1)).collect()
}

#[test]
fn every_public_item_of_the_lower_rooms_is_documented() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rooms = LEVELS.iter().filter(|(_, level)| *level <= HIGHEST);
    let mut missing = Vec::new();
    for file in rooms.flat_map(|(room, _)| rust_files(&source.join(room))) {
        let text = fs::read_to_string(&file).unwrap();
        let found = undocumented(&text, file.parent().unwrap());
        missing.extend(found.into_iter().map(|item| format!("{}:{item}", file.display())));
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_doc_comment_is_found_above_attributes() {
    let text = "/// A.\n#[derive(Debug)]\npub struct A {\n    pub a: u8,\n}\n#[expect(\n    dead_code,\n    reason = \"b\"\n)]\npub const fn b() {}\n\n    pub async fn c<T>() {}\npub use d::E;\npub(crate) fn f() {}\n/// G.\n#[expect(\n    dead_code\n)]\npub const G: u8 = 1;\n";
    assert_eq!(undocumented(text, Path::new("")), ["10: b", "12: c"]);
}

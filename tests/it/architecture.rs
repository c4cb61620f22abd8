//! Who may import whom: a room imports rooms of lower levels only, never one beside it. The table is ARCHITECTURE.md's.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The rooms and their levels, lowest first.
pub const LEVELS: &[(&str, u8)] = &[
    ("domain", 0),
    ("identity", 1),
    ("merkle", 1),
    ("facts", 1),
    ("scoring", 1),
    ("config", 2),
    ("store", 2),
    ("telemetry", 2),
    ("ledger", 3),
    ("outbox", 3),
    ("access", 4),
    ("authority", 4),
    ("collection", 4),
    ("consent", 4),
    ("grading", 4),
    ("importing", 4),
    ("limits", 4),
    ("synthetic", 4),
    ("disclosure", 5),
    ("dossier", 5),
    ("push", 5),
    ("app", 6),
    ("http", 7),
    ("cli", 8),
];

fn level(room: &str) -> Option<u8> {
    LEVELS.iter().find(|(name, _)| *name == room).map(|(_, level)| *level)
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let mut files: Vec<_> = fs::read_dir(path).unwrap().flat_map(|entry| rust_files(&entry.unwrap().path())).collect();
    files.retain(|file| file.extension().is_some_and(|end| end == "rs"));
    files.sort();
    files
}

/// The code without comments, in which links to other rooms are welcome.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The rooms a file's code names: `crate::room`, and each of `crate::{room::..., other}`.
fn rooms_named(code: &str) -> BTreeSet<String> {
    let mut rooms = BTreeSet::new();
    for (at, found) in code.match_indices("crate::") {
        let after = &code[at + found.len()..];
        match after.strip_prefix('{') {
            Some(list) => rooms.extend(items(list)),
            None => rooms.extend(first_word(after)),
        }
    }
    rooms
}

/// The first words of a brace's items, up to the brace that closes it.
fn items(list: &str) -> Vec<String> {
    let (mut depth, mut words, mut start) = (0, Vec::new(), 0);
    for (at, c) in list.char_indices() {
        match c {
            '{' => depth += 1,
            '}' | ',' if depth == 0 => {
                words.extend(first_word(list[start..at].trim_start()));
                start = at + 1;
                if c == '}' {
                    break;
                }
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    words
}

fn first_word(text: &str) -> Option<String> {
    let word: String = text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
    (!word.is_empty()).then_some(word)
}

/// The rooms in `src`: folders, and `app.rs` with the folder beside it.
fn rooms() -> Vec<(String, PathBuf)> {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let mut rooms: Vec<_> = entries
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), path))
        .filter(|(name, _)| name != "lib" && name != "main")
        .collect();
    rooms.sort();
    rooms
}

#[test]
fn every_room_has_a_level_and_every_level_a_room() {
    let there: BTreeSet<_> = rooms().into_iter().map(|(room, _)| room).collect();
    let known: BTreeSet<_> = LEVELS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(there, known);
}

#[test]
fn rooms_import_only_from_below() {
    let mut breaches = Vec::new();
    for (room, path) in rooms() {
        let own = level(&room).unwrap();
        for file in rust_files(&path) {
            for other in rooms_named(&code(&file)).iter().filter(|other| **other != room) {
                if level(other).is_none_or(|level| level >= own) {
                    breaches.push(format!("{} (level {own}) imports {other}", file.display()));
                }
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

/// A chain of `super::` that climbs out of a room would be an import the test above does not see.
#[test]
fn no_relative_path_leaves_a_room() {
    for (room, path) in rooms().into_iter().filter(|(_, path)| path.is_dir()) {
        for file in rust_files(&path) {
            let below = file.strip_prefix(&path).unwrap();
            let in_folder = below.components().count() - 1;
            let depth = in_folder + usize::from(below.file_stem().unwrap() != "mod");
            let code = code(&file);
            let production = code.split("#[cfg(test)]").next().unwrap();
            let climb = "super::".repeat(depth + 1);
            assert!(!production.contains(&climb), "{} leaves {room} by {climb}", file.display());
        }
    }
}

#[test]
fn only_the_store_knows_sqlx() {
    for file in rust_files(&root()).into_iter().filter(|file| !file.starts_with(root().join("store"))) {
        assert!(!code(&file).contains("sqlx"), "{} mentions sqlx", file.display());
    }
}

#[test]
fn the_reader_of_imports_reads_what_rust_allows() {
    let code = "use crate::{domain::{Clock, ids}, store};\nlet x = crate::merkle::leaf_hash(b\"\"); use crate::config;";
    let rooms: Vec<_> = rooms_named(code).into_iter().collect();
    assert_eq!(rooms, ["config", "domain", "merkle", "store"]);
}

//! Which room may import which: rooms of lower levels only, never one beside it. The table is ARCHITECTURE.md's. Inside a
//! room, files import each other without circles.

use std::{collections::BTreeSet, fs};

use imports::Imports;
pub use source::rust_files;
use source::{everything, production, root};

mod circles;
mod imports;
mod source;

/// The rooms and their levels, lowest first.
pub const LEVELS: &[(&str, u8)] = &[
    ("domain", 0),
    ("i18n", 0),
    ("identity", 1),
    ("merkle", 1),
    ("facts", 1),
    ("scoring", 1),
    ("config", 2),
    ("store", 2),
    ("telemetry", 2),
    ("ledger", 3),
    ("outbox", 3),
    ("timekeeping", 3),
    ("access", 4),
    ("approvals", 4),
    ("authority", 4),
    ("backup", 4),
    ("collection", 4),
    ("consent", 4),
    ("grading", 4),
    ("importing", 4),
    ("limits", 4),
    ("principals", 4),
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

/// The rooms in `src`: folders, and `app.rs` with the folder beside it.
fn rooms() -> BTreeSet<String> {
    let entries = fs::read_dir(root()).unwrap().map(|entry| entry.unwrap().path());
    let sources = entries.filter(|path| path.is_dir() || path.extension().is_some_and(|end| end == "rs"));
    let names = sources.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    names.filter(|name| !["core", "lib", "main"].contains(&name.as_str())).collect()
}

#[test]
fn every_room_has_a_level_and_every_level_a_room() {
    let levels: BTreeSet<_> = LEVELS.iter().map(|(room, _)| (*room).to_owned()).collect();
    assert_eq!(rooms(), levels);
}

/// A chain of `super::` out of a room is an import like any other. In tests, whose modules have other parents, only
/// `crate::` is read.
#[test]
fn rooms_import_only_from_below() {
    let (production, everything) = (Imports::of(&production()), Imports::of(&everything()));
    let mut breaches = BTreeSet::new();
    for module in everything.modules().filter(|module| level(&module[0]).is_some()) {
        let own = level(&module[0]).unwrap();
        let anywhere = everything.crate_paths_of(module).map(<[String]>::to_vec);
        for path in production.paths_of(module).into_iter().chain(anywhere) {
            let other = path.first().filter(|other| **other != module[0]);
            if other.is_some_and(|other| level(other).is_none_or(|level| level >= own)) {
                breaches.insert(format!("{} (level {own}) imports {}", module.join("/"), path.join("::")));
            }
        }
    }
    assert!(breaches.is_empty(), "{breaches:#?}");
}

#[test]
fn only_the_store_knows_sqlx() {
    for (module, tokens) in everything().iter().filter(|(module, _)| module[0] != "store") {
        assert!(!tokens.iter().any(|token| token == "sqlx"), "{} mentions sqlx", module.join("/"));
    }
}

/// A handler asks a room below for what it answers: with a database handle it could go around the room that checks.
#[test]
fn http_takes_no_database_handle() {
    let takes = |tokens: &[String]| {
        tokens.iter().any(|token| token == "Db") || tokens.windows(2).any(|pair| pair == [".", "db"])
    };
    let files: Vec<_> = production()
        .into_iter()
        .filter(|(module, tokens)| module[0] == "http" && takes(tokens))
        .map(|(module, _)| module.join("/"))
        .collect();
    assert!(files.is_empty(), "{files:?}");
}

//! `generate`: a synthetic city that is imported like a real one.

mod bad_data;
mod city;
mod import;
mod people;

use std::{collections::BTreeMap, path::Path};

use medcredit::{
    domain::Day,
    grading::Library,
    synthetic::{Request, Rules, Summary, generate},
};

/// A small city: three months, one half-year of facts.
pub fn small(seed: u64) -> Request {
    Request {
        seed,
        scale_e4: 100,
        from: "2025-11".parse().unwrap(),
        to: "2026-01".parse().unwrap(),
        half_years: vec!["2025-H2".parse().unwrap()],
        records: None,
        unrated: 0,
        staff_e4: 0,
        bad_data: false,
        today: today(),
    }
}

pub fn today() -> Day {
    Day::new(2026, 4, 1).unwrap()
}

/// Each kind's own model.
pub fn rules(library: &Library) -> Vec<Rules<'_>> {
    let own = library.models().filter(|model| model.id().starts_with("wenzhou-"));
    own.map(|model| Rules { model, catalogue: library.catalogue(model.kind()).unwrap() }).collect()
}

pub fn make(request: &Request, out: &Path) -> Summary {
    let library = Library::shipped().unwrap();
    generate(request, &rules(&library), out, &mut |_, _, _| {}).unwrap()
}

/// Every file below a directory, by its name within it.
pub fn bytes_of(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            files.extend(bytes_of(&path).into_iter().map(|(below, bytes)| (format!("{name}/{below}"), bytes)));
        } else {
            files.insert(name, std::fs::read(&path).unwrap());
        }
    }
    files
}

/// The rows of a file, each field by its column.
pub fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    csv::Reader::from_path(path).unwrap().deserialize().map(|row| row.unwrap()).collect()
}

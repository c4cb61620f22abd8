//! Files that import each other in a circle can be understood only together. A room's files form levels, as rooms do.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    imports::Imports,
    source::{Module, production},
};

type Arrows = BTreeMap<Module, BTreeSet<Module>>;

fn reachable<'a>(arrows: &'a Arrows, from: &'a Module) -> BTreeSet<&'a Module> {
    let mut seen = BTreeSet::new();
    let mut waiting: Vec<_> = arrows[from].iter().collect();
    while let Some(next) = waiting.pop() {
        if seen.insert(next) {
            waiting.extend(&arrows[next]);
        }
    }
    seen
}

/// The sets of files of which each reaches every other.
fn circles(arrows: &Arrows) -> BTreeSet<BTreeSet<Module>> {
    let reach: BTreeMap<_, _> = arrows.keys().map(|file| (file, reachable(arrows, file))).collect();
    let with = |file| reach[file].iter().filter(|other| reach[**other].contains(file)).map(|file| (*file).clone());
    reach.keys().map(|file| with(*file).collect::<BTreeSet<_>>()).filter(|circle| circle.len() > 1).collect()
}

#[test]
fn no_files_of_a_room_import_each_other_in_a_circle() {
    let arrows = Imports::of(&production()).arrows();
    let found: Vec<_> = circles(&arrows).iter().map(|circle| within(circle, &arrows)).collect();
    assert!(found.is_empty(), "circles: {found:#?}");
}

/// The imports that make a circle.
fn within(circle: &BTreeSet<Module>, arrows: &Arrows) -> Vec<String> {
    let to =
        |file: &Module| arrows[file].intersection(circle).map(|other| other.join("/")).collect::<Vec<_>>().join(", ");
    circle.iter().map(|file| format!("{} -> {}", file.join("/"), to(file))).collect()
}

#[test]
fn a_circle_over_several_files_is_found_and_a_ladder_is_none() {
    let arrows = |text: &str| -> Arrows {
        let files = |names: &str| names.split_whitespace().map(|name| vec![name.to_owned()]).collect();
        let lines = text.split(", ").map(|line| line.split_once(" -> ").unwrap());
        lines.map(|(file, others)| (vec![file.to_owned()], files(others))).collect()
    };
    let found = circles(&arrows("a -> b, b -> c, c -> a, d -> a"));
    let circle: Vec<_> = found.iter().flatten().flatten().map(String::as_str).collect();
    assert_eq!(circle, ["a", "b", "c"]);
    assert!(circles(&arrows("a -> b c, b -> c, c -> ")).is_empty());
}

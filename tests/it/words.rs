//! Words and names this tree does not use, because a reader would have to learn them first; each with what to say. They
//! are looked for in code, comments, messages and help texts, in the documents, and in the comments of configuration.

use std::{collections::HashSet, fs, path::Path};

/// A word, or words in a row, in any case and also inside identifiers; and what to say instead.
const WORDS: &[(&[&str], &str)] = &[
    (
        &["tell", "tells", "told", "telling"],
        "report, explain, respond, log, publish, notify, distinguish: whichever it is",
    ),
    (&["befall", "befalls", "befell"], "event, outcome"),
    (&["mend", "mends", "mended", "mending"], "fix"),
    (&["reckon", "reckons", "reckoned", "reckoning"], "compute, calculate"),
    (&["begotten"], "created"),
    (&["sift", "sifts", "sifted", "heaped"], "validate, partition"),
    (&["vouch", "vouches", "vouched"], "confirm, allow"),
    (&["anew", "afresh", "nought"], "again, zero"),
    (&["whoever", "who asks", "who looks"], "caller, client"),
    (&["what is wanted", "what is asked"], "requested"),
    (&["what is known", "what is kept"], "cached, stored"),
    (&["what came of"], "outcome, result"),
    (&["in company", "at once"], "together; immediately, at the same time"),
    (&["of before", "of old"], "former, previous"),
    (&["one's own", "otherwise than"], "(the plain construction)"),
    (&["goes on", "go on"], "continues, proceeds"),
];

/// Names of types and modules that say nothing, exactly as written.
const NAMES: &[&str] =
    &["Known", "Told", "Notes", "Door", "Surface", "Who", "Life", "Whole", "Heaped", "Place", "Desk", "World"];

/// What is read: folders and files of the repository.
const READ: &[&str] = &[
    "src",
    "tests",
    "benches",
    "docs",
    "config",
    "certs",
    "README.md",
    "ARCHITECTURE.md",
    "CONTRIBUTING.md",
    "CHANGELOG.md",
];

fn files(path: &Path, found: &mut Vec<String>) {
    if path.is_dir() {
        // Expected outputs say what the code says.
        for entry in fs::read_dir(path).unwrap().filter(|entry| entry.as_ref().unwrap().file_name() != "golden") {
            files(&entry.unwrap().path(), found);
        }
    } else if path.extension().is_some_and(|end| ["rs", "md", "toml"].iter().any(|read| end == *read)) {
        found.push(path.to_str().unwrap().to_owned());
    }
}

/// The words of a text with their lines. Identifiers are divided at underscores and at capitals.
fn words(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        let mut word = String::new();
        let mut before_small = false;
        for c in line.chars().chain([' ']) {
            if !(c.is_ascii_alphabetic() || c == '\'') || (c.is_ascii_uppercase() && before_small) {
                let whole = std::mem::take(&mut word);
                found.extend((!whole.is_empty()).then_some((at + 1, whole)));
            }
            if c.is_ascii_alphabetic() || c == '\'' {
                word.push(c.to_ascii_lowercase());
            }
            before_small = c.is_ascii_lowercase();
        }
    }
    found
}

/// Each use in a text: its line, and what was found there.
fn uses(text: &str) -> Vec<(usize, String)> {
    let words = words(text);
    let present: HashSet<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    let mut found = Vec::new();
    for (not, but) in WORDS.iter().flat_map(|(list, but)| list.iter().map(move |not| (*not, *but))) {
        let row: Vec<_> = not.split(' ').collect();
        if !row.iter().all(|word| present.contains(word)) {
            continue;
        }
        for at in words.windows(row.len()).filter(|some| some.iter().map(|(_, word)| word).eq(&row)) {
            found.push((at[0].0, format!("{not:?}: {but}")));
        }
    }
    for (at, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap().split('"').step_by(2);
        let mut names = code.flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'));
        found.extend(names.find(|name| NAMES.contains(name)).map(|name| (at + 1, format!("the name {name}"))));
    }
    found.sort();
    found
}

/// Keys and comments of a configuration. Its values are data: reasons that models state enter their digests.
fn without_strings(text: &str) -> String {
    let part = |(at, part): (usize, &str)| match at % 2 {
        0 => part.to_owned(),
        _ => part.chars().filter(|c| *c == '\n').collect(),
    };
    text.split('"').enumerate().map(part).collect()
}

#[test]
fn only_plain_words_are_used() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut all = Vec::new();
    READ.iter().for_each(|read| files(&root.join(read), &mut all));
    let mut found = Vec::new();
    for file in all.iter().filter(|file| !file.ends_with("tests/it/words.rs")) {
        let name = file.strip_prefix(root.to_str().unwrap()).unwrap().trim_start_matches('/');
        let text = fs::read_to_string(file).unwrap();
        let uses = if name.ends_with(".toml") { uses(&without_strings(&text)) } else { uses(&text) };
        found.extend(uses.into_iter().map(|(line, what)| format!("{name}:{line}: {what}")));
    }
    assert!(found.is_empty(), "{} words: {found:#?}", found.len());
}

#[test]
fn words_are_found_in_identifiers_and_over_line_ends() {
    let found =
        uses("fn tell_all() {}\n// All at\n// once.\nstruct ToldBefore;\nlet stellar = Known::retold(Notes2);\n");
    let found: Vec<_> =
        found.iter().map(|(line, what)| format!("{line} {}", what.split(':').next().unwrap())).collect();
    assert_eq!(found, ["1 \"tell\"", "2 \"at once\"", "4 \"told\"", "5 the name Known"]);
}

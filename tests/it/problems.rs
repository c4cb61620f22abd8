//! docs/ERRORS.md lists every code of an error response.

use std::{collections::BTreeSet, path::Path};

fn sources(folder: &Path, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            out.push(std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// The code among the string literals of a call: the first one in snake case, or the second if a field name comes before it.
fn code_after(rest: &str, behind_a_field: bool) -> Option<&str> {
    let call = rest.split(';').next().unwrap_or(rest);
    let shape = |text: &&str| text.len() > 4 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let mut codes = call.split('"').skip(1).step_by(2).filter(|text| shape(text) && text.contains('_'));
    let first = codes.next();
    if behind_a_field { codes.next().or(first) } else { first }
}

#[test]
fn every_code_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut texts = Vec::new();
    for room in ["access", "consent", "disclosure", "importing", "limits", "outbox", "http", "domain"] {
        sources(&root.join("src").join(room), &mut texts);
    }
    let mut codes = BTreeSet::new();
    for text in &texts {
        for call in [
            "Failure::new(",
            "Failure::forbidden(",
            "Failure::not_found(",
            "Failure::unavailable(",
            "Failure::invalid(",
            "Self::transport(",
        ] {
            for rest in text.split(call).skip(1) {
                codes.extend(code_after(rest, call == "Failure::invalid(").map(str::to_owned));
            }
        }
    }
    assert!(codes.len() > 25, "the codes were not found: {codes:?}");
    let page = std::fs::read_to_string(root.join("docs/ERRORS.md")).unwrap();
    let missing: Vec<_> = codes.iter().filter(|code| !page.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "docs/ERRORS.md does not explain {missing:?}");
}

#[test]
fn every_code_is_explained_once() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ERRORS.md")).unwrap();
    let mut seen = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("| `")) {
        let code = line.split('`').nth(1).unwrap();
        assert!(seen.insert(code), "{code} is listed twice");
    }
}

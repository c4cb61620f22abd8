//! I8: nothing personal in logs and metrics. `support::logs` checks the log of the whole suite; these tests check that it works.

use std::{fs, path::Path};

use medcredit::telemetry;

use crate::support::logs::{Guard, guard, watch};

#[test]
fn a_line_with_a_fixtures_name_is_detected_in_either_order() {
    let mut early = Guard::default();
    assert_eq!(early.forbid("温州某某医院"), None);
    assert_eq!(early.log("read the grade of 温州某某医院\n"), Some("温州某某医院"));
    let mut late = Guard::default();
    assert_eq!(late.log("first line\nread the grade of 温州某某医院\n"), None);
    assert_eq!(late.forbid("温州某某医院").as_deref(), Some("read the grade of 温州某某医院"));
}

#[test]
fn field_names_are_parsed_from_calls() {
    let call =
        r#"target: "x", client.id = %row.id, error = %chain(&error), reason, %cause, count = a(b, c), "a, \"b\", c""#;
    assert_eq!(field_names(call), ["client.id", "error", "reason", "cause", "count"]);
}

#[test]
fn the_guard_receives_the_gateways_log() {
    watch();
    tracing::info!(target: "medcredit::test", count = 7, subject.name = "某诊所", "a line for the guard");
    let guard = guard();
    let line = guard.logged().lines().find(|line| line.contains("a line for the guard")).unwrap();
    assert!(line.contains(r#""count":7"#) && line.contains(r#""subject.name":"[withheld]""#), "{line}");
}

/// The arguments of a call: the texts between commas outside of parentheses and strings.
fn arguments(call: &str) -> Vec<&str> {
    let (mut depth, mut quoted, mut escaped, mut start) = (0, false, false, 0);
    let mut found = Vec::new();
    for (at, c) in call.char_indices() {
        match c {
            '"' if !escaped => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                found.push(call[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
    }
    found.push(call[start..].trim());
    found
}

/// The names of the fields that a call records.
pub fn field_names(call: &str) -> Vec<String> {
    let mut names = Vec::new();
    for argument in arguments(call) {
        let name = argument.split('=').next().unwrap().trim().trim_start_matches(['%', '?']);
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._".contains(c);
        if !name.is_empty() && name.chars().all(plain) {
            names.push(name.to_owned());
        }
    }
    names
}

/// Each macro call of `tracing` in a file, from its name to its closing parenthesis.
pub fn calls(text: &str) -> Vec<&str> {
    let names = ["trace!(", "debug!(", "info!(", "warn!(", "error!(", "event!(", "span!("];
    let starts = names.iter().flat_map(|name| text.match_indices(name).map(|(at, _)| at + name.len()));
    starts
        .map(|start| {
            let mut depth = 1;
            let end = text[start..].find(|c| {
                depth += i32::from(c == '(') - i32::from(c == ')');
                depth == 0
            });
            &text[start..start + end.unwrap_or(0)]
        })
        .collect()
}

fn rust_files(directory: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|end| end == "rs"))
        .collect()
}

/// The sources without their unit tests.
pub fn production_code() -> Vec<(std::path::PathBuf, String)> {
    let files = rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")));
    files
        .into_iter()
        .map(|file| {
            let text = fs::read_to_string(&file).unwrap();
            (file, text.split("#[cfg(test)]").next().unwrap().to_owned())
        })
        .collect()
}

/// Finds a field that the log would withhold before a developer wonders about it.
#[test]
fn every_logged_field_is_allowed() {
    let mut seen = 0;
    for (file, text) in production_code() {
        for name in calls(&text).iter().flat_map(|call| field_names(call)) {
            seen += 1;
            let advice = "see src/telemetry/fields.rs before adding it there";
            assert!(telemetry::is_allowed(&name), "{}: the field {name} would be withheld; {advice}", file.display());
        }
    }
    assert!(seen > 10, "the calls were read");
}

#[test]
fn messages_of_the_log_are_constants() {
    for (file, text) in production_code() {
        for call in calls(&text) {
            let message = call.rsplit('"').nth(1).unwrap_or_default();
            assert!(!message.contains('{'), "{}: a message with a value in it: {call}", file.display());
            // `Debug` prints more than `Display`: PostgreSQL's errors contain the refused row.
            let debug = ["= ?", "=?", "(?", ", ?"].iter().any(|sigil| call.contains(sigil)) || call.starts_with('?');
            assert!(!debug, "{}: a value logged by its Debug: {call}", file.display());
        }
    }
}

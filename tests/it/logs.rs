//! I8: nothing personal in logs and metrics. `support::logs` watches the whole suite; here is that it would notice.

use std::{fs, path::Path};

use crate::support::logs::{Guard, guard, watch};

#[test]
fn a_line_with_a_fixtures_name_is_noticed_whichever_comes_first() {
    let mut early = Guard::default();
    assert_eq!(early.forbid("温州某某医院"), None);
    assert_eq!(early.log("read the grade of 温州某某医院\n"), Some("温州某某医院"));
    let mut late = Guard::default();
    assert_eq!(late.log("first line\nread the grade of 温州某某医院\n"), None);
    assert_eq!(late.forbid("温州某某医院").as_deref(), Some("read the grade of 温州某某医院"));
}

#[test]
fn what_the_gateway_logs_reaches_the_guard() {
    watch();
    tracing::info!(target: "medcredit::test", count = 7, subject.name = "某诊所", "a line for the guard");
    let guard = guard();
    let line = guard.logged().lines().find(|line| line.contains("a line for the guard")).unwrap();
    assert!(line.contains(r#""count":7"#) && line.contains(r#""subject.name":"[withheld]""#), "{line}");
}

/// Each macro call of `tracing` in a file, from its name to its closing parenthesis.
fn calls(text: &str) -> Vec<&str> {
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

#[test]
fn messages_of_the_log_are_constants() {
    for file in rust_files(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))) {
        let text = fs::read_to_string(&file).unwrap();
        let production = text.split("#[cfg(test)]").next().unwrap();
        for call in calls(production) {
            let message = call.rsplit('"').nth(1).unwrap_or_default();
            assert!(!message.contains('{'), "{}: a message with a value in it: {call}", file.display());
            // `Debug` shows what `Display` keeps to itself: PostgreSQL's errors carry the refused row.
            let debug = ["= ?", "=?", "(?", ", ?"].iter().any(|sigil| call.contains(sigil)) || call.starts_with('?');
            assert!(!debug, "{}: a value logged by its Debug: {call}", file.display());
        }
    }
}

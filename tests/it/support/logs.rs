//! Checks the log of the whole suite for names and numbers of the fixtures (I8).
//!
//! Every test that runs asynchronous code logs, at `trace`, into one guard. Fixtures register texts that must never be logged
//! ([`never_logged`]). A line with such a text ends the test process immediately and is printed, whichever test caused it and
//! whether the text was registered before or after it.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use medcredit::{
    domain::SystemClock,
    telemetry::{self, Format, LogSettings},
};

/// The shortest text that is checked: shorter ones occur in unrelated words.
const MIN_LENGTH: usize = 6;

/// The log so far and the texts that it must not contain.
#[derive(Debug, Default)]
pub struct Guard {
    forbidden: Vec<String>,
    logged: String,
}

impl Guard {
    /// Forbids a text. Returns an earlier line that contains it.
    pub fn forbid(&mut self, text: &str) -> Option<String> {
        if text.len() < MIN_LENGTH || self.forbidden.iter().any(|known| known == text) {
            return None;
        }
        self.forbidden.push(text.to_owned());
        self.logged.lines().find(|line| line.contains(text)).map(str::to_owned)
    }

    /// Adds a line to the log. Returns a forbidden text that it contains.
    pub fn log(&mut self, line: &str) -> Option<&str> {
        self.logged.push_str(line);
        self.forbidden.iter().find(|text| line.contains(*text)).map(String::as_str)
    }

    /// The whole log.
    pub fn logged(&self) -> &str {
        &self.logged
    }
}

/// The guard of this process.
pub fn guard() -> MutexGuard<'static, Guard> {
    static GUARD: OnceLock<Mutex<Guard>> = OnceLock::new();
    // A test that failed under the lock must not keep the others from being checked.
    GUARD.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a fixture's name or number that must never be logged, and returns it.
pub fn never_logged<T: AsRef<str>>(text: T) -> T {
    let seen = guard().forbid(text.as_ref());
    if let Some(line) = seen {
        abort(text.as_ref(), &line);
    }
    text
}

/// Checks the log of another process, such as the demo's.
pub fn check(log: &str) {
    for line in log.lines() {
        let seen = guard().log(&format!("{line}\n")).map(str::to_owned);
        if let Some(text) = seen {
            abort(&text, line);
        }
    }
}

/// Ends the process: a panic in a task of the gateway could go unnoticed.
fn abort(text: &str, line: &str) -> ! {
    eprintln!("I8: the log contains a fixture's {text:?}:\n{line}");
    std::process::exit(101)
}

struct CheckedLog;

impl Write for CheckedLog {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        let seen = guard().log(&line).map(str::to_owned);
        if let Some(text) = seen {
            abort(&text, &line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the checked log, once in a process.
pub fn watch() {
    // A process has one global subscriber.
    static STARTED: OnceLock<bool> = OnceLock::new();
    STARTED.get_or_init(|| {
        let settings = LogSettings { format: Format::Json, filter: "medcredit=trace,info".into() };
        telemetry::init(&settings, std::sync::Arc::new(SystemClock), CheckedLog)
    });
}

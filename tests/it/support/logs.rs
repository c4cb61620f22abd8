//! The whole suite's log is watched for the fixtures' names and numbers (I8).
//!
//! Every test that runs asynchronous code logs, at `trace`, into one guard. Fixtures tell it what must never be seen
//! there ([`never_logged`]); a line that shows such a text ends the test process at once, naming the line, whichever test
//! caused it and whichever of the two came first.

use std::{
    io::{self, Write},
    sync::{Mutex, MutexGuard, OnceLock, PoisonError},
};

use medcredit::{
    domain::SystemClock,
    telemetry::{self, Format, LogSettings},
};

/// Shorter texts would be found in words that mean something else.
const SHORTEST: usize = 6;

/// What was logged and what must not be.
#[derive(Debug, Default)]
pub struct Guard {
    forbidden: Vec<String>,
    logged: String,
}

impl Guard {
    /// Forbids a text, from now on and in what was logged before. Returns the line that shows it.
    pub fn forbid(&mut self, text: &str) -> Option<String> {
        if text.len() < SHORTEST || self.forbidden.iter().any(|known| known == text) {
            return None;
        }
        self.forbidden.push(text.to_owned());
        self.logged.lines().find(|line| line.contains(text)).map(str::to_owned)
    }

    /// Takes what was logged. Returns the forbidden text it shows.
    pub fn log(&mut self, line: &str) -> Option<&str> {
        self.logged.push_str(line);
        self.forbidden.iter().find(|text| line.contains(*text)).map(String::as_str)
    }

    /// Everything that was logged.
    pub fn logged(&self) -> &str {
        &self.logged
    }
}

/// The guard of this process.
pub fn guard() -> MutexGuard<'static, Guard> {
    static GUARD: OnceLock<Mutex<Guard>> = OnceLock::new();
    GUARD.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a fixture's name or number must never be seen in a log. Returns it, so that it can be used at once.
pub fn never_logged<T: AsRef<str>>(text: T) -> T {
    let seen = guard().forbid(text.as_ref());
    if let Some(line) = seen {
        give_up(text.as_ref(), &line);
    }
    text
}

/// Checks the log of another process, such as the demo's.
pub fn check(log: &str) {
    for line in log.lines() {
        let seen = guard().log(&format!("{line}\n")).map(str::to_owned);
        if let Some(text) = seen {
            give_up(&text, line);
        }
    }
}

/// A panic in a task of the gateway could be swallowed; this cannot.
fn give_up(text: &str, line: &str) -> ! {
    eprintln!("I8: the log shows a fixture's {text:?}:\n{line}");
    std::process::exit(101)
}

struct Watched;

impl Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let line = String::from_utf8_lossy(bytes).into_owned();
        let seen = guard().log(&line).map(str::to_owned);
        if let Some(text) = seen {
            give_up(&text, &line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts the watched log; once a process.
pub fn watch() {
    static STARTED: OnceLock<bool> = OnceLock::new();
    STARTED.get_or_init(|| {
        let settings = LogSettings { format: Format::Json, filter: "medcredit=trace,info".into() };
        telemetry::init(&settings, std::sync::Arc::new(SystemClock), Watched)
    });
}

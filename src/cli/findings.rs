//! The results of checks, a line each: what is right, what is wrong, and how to fix it.
//!
//! Both doctors, the verification of saved answers and that of packages report through it.

use std::{fmt, fs, io::Write, os::unix::fs::PermissionsExt as _, path::Path};

/// The permission bits that let other users of this machine read, write or enter.
const OTHER_USERS: u32 = 0o077;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It is right.
    Good,
    /// It works and should be looked at.
    Warning,
    /// It must be fixed, or must not be trusted.
    Problem,
    /// It was not checked.
    Skipped,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Problem => "PROBLEM",
            Self::Skipped => "-",
        })
    }
}

/// One line.
#[derive(Debug, Clone)]
struct Finding {
    verdict: Verdict,
    check: &'static str,
    text: String,
    /// How to fix it.
    fix: Option<String>,
}

/// The results of checks, in the order in which they ran.
#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, check: &'static str, text: impl Into<String>, fix: Option<String>) {
        self.0.push(Finding { verdict, check, text: text.into(), fix });
    }

    /// Reports that something is right.
    pub(super) fn good(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Good, check, text, None);
    }

    /// Reports something that works and should be looked at, and how to fix it.
    pub(super) fn warning(&mut self, check: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.add(Verdict::Warning, check, text, Some(fix.into()));
    }

    /// Reports something that works and should be looked at, where the text says it all.
    pub(super) fn caution(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Warning, check, text, None);
    }

    /// Reports a problem and how to fix it.
    pub(super) fn problem(&mut self, check: &'static str, text: impl Into<String>, fix: impl Into<String>) {
        self.add(Verdict::Problem, check, text, Some(fix.into()));
    }

    /// Reports a problem whose text says it all, such as an answer that does not verify.
    pub(super) fn wrong(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Problem, check, text, None);
    }

    /// Reports why something was not checked.
    pub(super) fn skipped(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Skipped, check, text, None);
    }

    /// Reports the result of a check, and returns its value if it is right.
    pub(super) fn judge<T>(&mut self, check: &'static str, found: Result<(String, T), String>) -> Option<T> {
        match found {
            Ok((text, value)) => {
                self.good(check, text);
                Some(value)
            }
            Err(text) => {
                self.wrong(check, text);
                None
            }
        }
    }

    /// The names of the checks that found a problem.
    pub(super) fn problems(&self) -> Vec<&'static str> {
        self.0.iter().filter(|finding| finding.verdict == Verdict::Problem).map(|finding| finding.check).collect()
    }

    /// The first problem, as the end of a sentence.
    pub(super) fn first_problem(&self) -> Option<String> {
        let first = self.0.iter().find(|finding| finding.verdict == Verdict::Problem)?;
        Some(format!("{}: {}", first.check, first.text))
    }

    /// Writes every line.
    pub(super) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let width = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0) + 2;
        for Finding { verdict, check, text, fix } in &self.0 {
            writeln!(out, "{verdict:9}{check:width$}{text}")?;
            if let Some(fix) = fix {
                writeln!(out, "{:9}{:width$}-> {fix}", "", "")?;
            }
        }
        Ok(())
    }

    /// Ends a doctor's command: an error that names the checks with a problem, if there are any.
    pub(super) fn conclude(&self) -> anyhow::Result<()> {
        match self.problems().as_slice() {
            [] => Ok(()),
            [one] => anyhow::bail!("one thing must be fixed: {one}"),
            many => anyhow::bail!("{} things must be fixed: {}", many.len(), many.join(", ")),
        }
    }
}

/// The mode of a file or directory that other users of this machine can reach; none where they cannot, or where it is
/// missing.
pub(super) fn mode_open_to_others(path: &Path) -> Option<u32> {
    let mode = fs::metadata(path).ok()?.permissions().mode() & 0o777;
    (mode & OTHER_USERS != 0).then_some(mode)
}

//! What checks found, a line each: what is right, what is wrong, and how it is mended.

use std::{fmt, io::Write};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Verdict {
    /// As it should be.
    Good,
    /// It works, and somebody should know.
    Warning,
    /// It must be mended, or must not be believed.
    Problem,
    /// It could not be looked at.
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
    mend: Option<String>,
}

/// What checks found, in order.
#[derive(Debug, Default)]
pub(in crate::cli) struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, verdict: Verdict, check: &'static str, text: impl Into<String>, mend: Option<String>) {
        self.0.push(Finding { verdict, check, text: text.into(), mend });
    }

    /// It is as it should be.
    pub(in crate::cli) fn good(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Good, check, text, None);
    }

    /// It works; what to do about it.
    pub(in crate::cli) fn warning(&mut self, check: &'static str, text: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Warning, check, text, Some(mend.into()));
    }

    /// It is wrong; how it is mended.
    pub(in crate::cli) fn problem(&mut self, check: &'static str, text: impl Into<String>, mend: impl Into<String>) {
        self.add(Verdict::Problem, check, text, Some(mend.into()));
    }

    /// It does not verify: there is nothing to mend, only something not to believe.
    pub(in crate::cli) fn wrong(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Problem, check, text, None);
    }

    /// It was not looked at, and why.
    pub(in crate::cli) fn skipped(&mut self, check: &'static str, text: impl Into<String>) {
        self.add(Verdict::Skipped, check, text, None);
    }

    /// What a check that either holds or does not came to.
    pub(in crate::cli) fn judge<T>(&mut self, check: &'static str, found: Result<(String, T), String>) -> Option<T> {
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
    pub(in crate::cli) fn problems(&self) -> Vec<&'static str> {
        self.0.iter().filter(|finding| finding.verdict == Verdict::Problem).map(|finding| finding.check).collect()
    }

    /// The first problem, as the end of a sentence.
    pub(in crate::cli) fn first_problem(&self) -> Option<String> {
        let first = self.0.iter().find(|finding| finding.verdict == Verdict::Problem)?;
        Some(format!("{}: {}", first.check, first.text))
    }

    /// Writes every line.
    pub(in crate::cli) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let broad = self.0.iter().map(|finding| finding.check.len()).max().unwrap_or(0) + 2;
        for Finding { verdict, check, text, mend } in &self.0 {
            writeln!(out, "{verdict:9}{check:broad$}{text}")?;
            if let Some(mend) = mend {
                writeln!(out, "{:9}{:broad$}-> {mend}", "", "")?;
            }
        }
        Ok(())
    }
}

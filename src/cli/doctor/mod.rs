//! `medcredit doctor`: looks at everything the configuration points to, and says what an operator must do.
//!
//! To add a check: an `async fn(&Examination, &mut Report)` in a file here, and a line in [`examine`].

mod authority;
mod clock;
mod database;
mod files;
mod reference;

use std::{fmt, io::Write};

use super::Context;
use crate::{
    config::Config,
    domain::{Timestamp, clock::SharedClock},
    store::Db,
};

/// Look at configuration, files, database, keys, certificates and clock.
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {}

/// What checks look at.
#[derive(Debug)]
pub(super) struct Examination {
    pub(super) config: Config,
    /// Absent when it could not be opened, which the database check has said by then.
    pub(super) db: Option<Db>,
    pub(super) clock: SharedClock,
}

impl Examination {
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Good,
    Warning,
    Bad,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "ok",
            Self::Warning => "warning",
            Self::Bad => "BAD",
        })
    }
}

/// What the checks found, in order.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<(Verdict, &'static str, String)>);

impl Report {
    /// It is as it should be.
    pub(super) fn good(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push((Verdict::Good, check, text.into()));
    }

    /// It works, and the operator should know.
    pub(super) fn warning(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push((Verdict::Warning, check, text.into()));
    }

    /// The gateway must not run like this.
    pub(super) fn bad(&mut self, check: &'static str, text: impl Into<String>) {
        self.0.push((Verdict::Bad, check, text.into()));
    }

    fn count(&self, verdict: Verdict) -> usize {
        self.0.iter().filter(|(found, _, _)| *found == verdict).count()
    }
}

/// Every check, in the order in which a later one makes sense only when the earlier ones are good.
async fn examine(exam: &mut Examination, report: &mut Report) {
    report.good("configuration", "every value can be used");
    files::check(exam, report);
    reference::check(exam, report);
    database::check(exam, report).await;
    reference::check_subjects(exam, report).await;
    authority::check(exam, report).await;
    clock::check(exam, report).await;
}

/// Runs the command.
pub(super) async fn run(_: Doctor, ctx: &Context) -> anyhow::Result<()> {
    let mut exam = Examination { config: ctx.config()?, db: None, clock: ctx.clock.clone() };
    let mut report = Report::default();
    examine(&mut exam, &mut report).await;
    if let Some(db) = exam.db {
        db.close().await;
    }
    for (verdict, check, text) in &report.0 {
        writeln!(ctx.out(), "{verdict:8}{check}: {text}")?;
    }
    match report.count(Verdict::Bad) {
        0 => Ok(()),
        1 => Err(anyhow::anyhow!("one check found something that must be mended")),
        many => Err(anyhow::anyhow!("{many} checks found something that must be mended")),
    }
}

//! `medcredit doctor`: checks everything the configuration points to, and says how to fix what is wrong.
//!
//! To add a check: an `async fn(&Examination, &mut Findings)` in a file here, and a line in [`examine`].

mod authority;
mod clock;
mod database;
mod files;
mod grades;
mod history;
mod listeners;
mod origin;
mod reference;

use std::path::PathBuf;

use super::{Context, findings::Findings};
use crate::{
    config::Config,
    domain::{Timestamp, clock::SharedClock},
    store::Db,
};

/// Check configuration, files, database, history, keys, certificates, grades, clock, names and ports
#[derive(Debug, clap::Args)]
pub(super) struct Doctor {}

/// What the checks work on.
#[derive(Debug)]
struct Examination {
    config: Config,
    /// The file that the configuration was read from.
    config_file: PathBuf,
    /// None when it could not be opened, which the database check has reported by then.
    db: Option<Db>,
    clock: SharedClock,
}

impl Examination {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Runs every check, in the order in which a later one makes sense only when the earlier ones are right.
async fn examine(exam: &mut Examination, findings: &mut Findings) {
    findings.good("configuration", "every value can be used");
    files::check(exam, findings);
    reference::check(exam, findings);
    database::check(exam, findings).await;
    history::check(exam, findings).await;
    reference::check_subjects(exam, findings).await;
    authority::check(exam, findings).await;
    grades::check(exam, findings).await;
    clock::check(exam, findings).await;
    origin::check(exam, findings).await;
    listeners::check(exam, findings).await;
}

pub(super) async fn run(_: Doctor, ctx: &Context) -> anyhow::Result<()> {
    // Read from this file, so there is one.
    let config_file = ctx.config_file.clone().unwrap_or_default();
    let mut exam = Examination { config: ctx.config()?, config_file, db: None, clock: ctx.clock.clone() };
    let mut findings = Findings::default();
    examine(&mut exam, &mut findings).await;
    if let Some(db) = exam.db {
        db.close().await;
    }
    findings.write(&mut ctx.out())?;
    findings.conclude()
}

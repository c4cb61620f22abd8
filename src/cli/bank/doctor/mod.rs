//! `bank doctor`: checks everything between the profile and an answer, in the order in which it can fail, and says how to
//! fix what is wrong.
//!
//! It reads no data about anybody.

mod files;
mod service;

use std::{io::Write, path::Path};

use clap::Args;

use super::{BankClient, Profile, archive::Archive, connection::probe};
use crate::cli::{Context, findings::Findings};

/// Check everything between the profile and an answer, and say how to fix what is wrong.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {}

/// What the checks work on.
#[derive(Debug)]
struct Examination<'a> {
    profile: &'a Profile,
    archive: Archive,
    ctx: &'a Context,
    findings: Findings,
}

pub(super) async fn run(_: DoctorArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let profile = Profile::find(profile, ctx)?;
    let archive = Archive::at(&profile.directory);
    let mut exam = Examination { profile: &profile, archive, ctx, findings: Findings::default() };
    examine(&mut exam).await;
    let mut out = ctx.out();
    writeln!(out, "{}\n", profile.origin)?;
    exam.findings.write(&mut out)?;
    exam.findings.conclude()?;
    writeln!(out, "\nThis bank is ready.")?;
    Ok(())
}

/// Runs the checks. Each needs those before it; one that cannot run is reported as skipped.
async fn examine(exam: &mut Examination<'_>) {
    let Some(certificate) = files::check(exam) else {
        return exam.findings.skipped("connection", "not tried: certificate, key and ca come first");
    };
    if let Err(failed) = probe(exam.profile, exam.ctx.clock.clone(), &mut exam.findings).await {
        exam.findings.problem(failed.stage, failed.text, failed.fix);
        return exam.findings.skipped("service", "not checked: the connection comes first");
    }
    let client = match BankClient::new(exam.profile.clone(), exam.ctx) {
        Ok(client) => client,
        Err(error) => return exam.findings.wrong("client", format!("{error:#}")),
    };
    service::check(exam, &client, &certificate).await;
}

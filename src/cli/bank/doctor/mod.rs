//! `bank doctor`: a bank's first day. Everything between the profile and an answer, in the order in which it can fail;
//! what is wrong, and how it is mended.
//!
//! It reads no data about anybody.

mod connection;
mod files;
mod service;

pub(super) use connection::find_trouble;

use std::{io::Write, path::Path};

use anyhow::bail;
use clap::Args;

use super::{BankClient, Profile, archive::Archive, findings::Findings};
use crate::{cli::Context, identity::CertificateFacts};

/// Look at everything between the profile and an answer.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {}

/// What the checks go by.
#[derive(Debug)]
struct Examination<'a> {
    profile: &'a Profile,
    archive: Archive,
    ctx: &'a Context,
    findings: Findings,
}

/// Runs the command.
pub(super) async fn run(_: DoctorArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let profile = Profile::find(profile, ctx)?;
    let archive = Archive::at(&profile.directory);
    let mut exam = Examination { profile: &profile, archive, ctx, findings: Findings::default() };
    examine(&mut exam).await;
    let mut out = ctx.out();
    writeln!(out, "{}\n", profile.origin)?;
    exam.findings.write(&mut out)?;
    match exam.findings.problems().as_slice() {
        [] => {
            writeln!(out, "\nThis bank is ready.")?;
            Ok(())
        }
        [one] => bail!("one thing must be mended: {one}"),
        many => bail!("{} things must be mended: {}", many.len(), many.join(", ")),
    }
}

/// Each step needs those before it; what was not looked at is said.
async fn examine(exam: &mut Examination<'_>) {
    let Some(own) = files::check(exam) else {
        return exam.findings.skipped("connection", "not tried: certificate, key and ca come first");
    };
    if !connection::check(exam).await {
        return exam.findings.skipped("service", "not looked at: the connection comes first");
    }
    let client = match BankClient::new(exam.profile.clone(), exam.ctx) {
        Ok(client) => client,
        Err(error) => return exam.findings.wrong("client", format!("{error:#}")),
    };
    service::check(exam, &client, &own).await;
}

/// The bank's own certificate.
type Own = CertificateFacts;

//! `bank verify`: verifies a saved answer offline, check by check.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{
    Profile,
    archive::Archive,
    keys::GatewayKeys,
    log::open,
    saved_answer::SavedAnswer,
    verify::{check_consistency, check_saved},
};
use crate::{
    authority::files,
    cli::{Context, findings::Findings},
};

/// Verify a saved answer offline, check by check.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// A file written by --save
    file: PathBuf,
    /// A checkpoint you saved: it must belong to the log of the saved proof
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Your own copy of the gateway's keys, a JSON Web Key Set; by default those in the profile's directory
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
}

pub(super) fn run(args: &VerifyArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let saved = SavedAnswer::read(&args.file)?;
    let trusted = trusted(args, profile, ctx)?;
    let mut findings = Findings::default();
    check_saved(&saved, trusted.as_ref(), &mut findings)?;
    if let Some(path) = &args.checkpoint {
        let note = String::from_utf8(files::read(path)?.to_vec()).with_context(|| path.display().to_string())?;
        compare(&saved, &note, &mut findings);
    }
    let mut out = ctx.out();
    writeln!(out, "{} {}", saved.request.method, super::show::clean(&saved.request.target_uri))?;
    writeln!(out, "answered {}, saved at {}\n", saved.answer.status, saved.kept_at)?;
    findings.write(&mut out)?;
    let problems = findings.problems();
    if !problems.is_empty() {
        bail!("{} does not verify: {}", args.file.display(), problems.join(", "));
    }
    let end = if saved.proof.is_some() { "signed and recorded" } else { "signed" };
    writeln!(out, "\nThis is what the gateway {end}.")?;
    Ok(())
}

/// The keys to trust: those of --keys, or those in the profile's directory, if there is a profile.
fn trusted(args: &VerifyArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<Option<GatewayKeys>> {
    if let Some(path) = &args.keys {
        return GatewayKeys::read(path).map(Some);
    }
    if profile.is_none() && ctx.bank_profile.is_none() {
        return Ok(None);
    }
    let known = Archive::at(&Profile::find(profile, ctx)?.directory).keys()?;
    // No saved key counts as no trust given, which is a warning; an empty list would refuse every key.
    Ok(Some(known).filter(|known| !known.all().is_empty()))
}

/// Compares the saved proof's checkpoint with one that the bank saved.
fn compare(saved: &SavedAnswer, note: &str, findings: &mut Findings) {
    let check = "checkpoint";
    let logs = saved.log_keys();
    let Some(proof) = &saved.proof else {
        return findings.skipped(check, "there is no saved proof to compare with");
    };
    let (ours, theirs) = match (open(note, &logs), open(&proof.checkpoint, &logs)) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(error), _) => return findings.wrong(check, format!("the one you gave: {error}")),
        (_, Err(error)) => return findings.wrong(check, format!("the saved one: {error}")),
    };
    let consistency = saved.consistency.iter().find(|consistency| consistency.checkpoint == note);
    if ours.origin != theirs.origin {
        findings
            .wrong(check, format!("the one you gave is of log {}, the saved one of {}", ours.origin, theirs.origin));
    } else if ours.size == theirs.size && ours.root != theirs.root {
        findings.wrong(check, "two checkpoints of one size with different roots: the log has two histories");
    } else if ours.size == theirs.size {
        findings.good(check, format!("the one you gave and the saved one are of the same {} leaves", ours.size));
    } else if let Some(consistency) = consistency {
        findings.judge(check, check_consistency(consistency, &theirs, &logs));
    } else {
        findings.skipped(
            check,
            format!(
                "the one you gave has {} leaves, the saved one {}; `bank proof FILE --checkpoint FILE` fetches the \
                 proof that connects them",
                ours.size, theirs.size
            ),
        );
    }
}

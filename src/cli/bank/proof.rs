//! `bank proof`: the inclusion proof of a disclosure, and whether the log is still the one it was.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{
    findings::Findings,
    log::{continues, fetch_proof, is_of_the_way, open, watch},
    saved_answer::Saved,
    session::{Session, log_jwks},
    verify::{check_answer, check_entry, log_keys},
};
use crate::{
    authority::files,
    cli::{Context, Usage},
    domain::ids::DisclosureId,
    identity::PublicKey,
    ledger::{Proof, check_proof},
};

/// Prove a disclosure.
#[derive(Debug, Args)]
pub(super) struct ProofArgs {
    /// What `--save` wrote, which then keeps the proof; or a disclosure's id
    #[arg(value_name = "FILE|DISCLOSURE")]
    what: PathBuf,
    /// A checkpoint you keep: the log must continue it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: ProofArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let id = args.what.to_str().and_then(|text| text.parse::<DisclosureId>().ok());
    if id.is_none() && !args.what.exists() {
        let what = args.what.display();
        return Err(Usage(format!("{what} is neither a file nor a disclosure's id (dis_...)")).into());
    }
    let desk = Session::open(profile, ctx)?;
    let keys = desk.keys().await?;
    let mut findings = Findings::default();
    let mut saved = if id.is_none() { Some(Saved::read(&args.what)?) } else { None };
    let id = match (&id, &saved) {
        (Some(id), _) => id.to_string(),
        (None, Some(saved)) => {
            let own: Vec<PublicKey> = saved.key.public_key().into_iter().collect();
            match check_answer(&saved.kept()?, &own, &mut findings) {
                Some(verified) => verified.receipt.id,
                None => bail!("the saved answer does not verify: {}", findings.first_problem().unwrap_or_default()),
            }
        }
        (None, None) => return Err(Usage("a saved answer or a disclosure's id is needed".into()).into()),
    };
    let proof = fetch_proof(&desk.client, &id).await?;
    let entered = match &saved {
        Some(saved) => entered_saved(saved, &proof, &keys, &mut findings)?,
        None => entered_alone(&proof, &keys, &mut findings),
    };
    let mut connected = Vec::new();
    if entered {
        let checkpoint = open(&proof.checkpoint, &keys)?;
        if let Some(path) = &args.checkpoint {
            let note = String::from_utf8(files::read(path)?.to_vec()).with_context(|| path.display().to_string())?;
            match continues(&desk.client, &keys, &note, &checkpoint).await {
                Ok((continued, text)) => {
                    findings.good("checkpoint", text);
                    connected.push(continued);
                }
                Err(error) => findings.wrong("checkpoint", format!("{error:#}")),
            }
        }
        match watch(&desk.client, &desk.archive, &keys, (&checkpoint, &proof.checkpoint)).await {
            Ok((continued, text)) => {
                findings.good("log", text);
                connected.extend(continued);
            }
            Err(error) if is_of_the_way(&error) => findings.warning(
                "log",
                format!("it could not be compared with the checkpoint kept here: {error:#}"),
                "the kept checkpoint stays; `bank proof` again compares it",
            ),
            Err(error) => findings.wrong("log", format!("{error:#}")),
        }
    }
    if let (Some(saved), true) = (&mut saved, findings.problems().is_empty()) {
        connected.dedup();
        saved.proof = Some(proof);
        saved.log_keys = log_jwks(&keys);
        saved.consistency = connected;
        saved.write(&args.what)?;
    }
    findings.write(&mut ctx.out())?;
    match findings.problems().as_slice() {
        [] if saved.is_some() => writeln!(ctx.out(), "\nThe proof is kept in {}.", args.what.display())?,
        [] => {}
        problems => bail!("the disclosure is not proved: {}", problems.join(", ")),
    }
    Ok(())
}

fn entered_saved(saved: &Saved, proof: &Proof, keys: &[PublicKey], findings: &mut Findings) -> anyhow::Result<bool> {
    let kept = saved.kept()?;
    let receipt = crate::ledger::Receipt::parse(kept.header("medcredit-disclosure")?)?;
    let client = saved.client_id.map(|id| id.to_string());
    Ok(check_entry((&kept, &receipt), proof, (keys, client.as_deref()), findings).is_some())
}

/// Without the answer there is no receipt to compare with: the entry itself says what was disclosed.
fn entered_alone(proof: &Proof, keys: &[PublicKey], findings: &mut Findings) -> bool {
    match check_proof(proof, &log_keys(keys, &proof.log)) {
        Ok((entry, opened)) => {
            let text = opened.map_or_else(
                || "its opening was erased".to_owned(),
                |values| {
                    let text = |name: &str| values.get(name).map(ToString::to_string).unwrap_or_default();
                    format!("consent {}, codes {}, for {}", text("consent"), text("codes"), text("purpose"))
                },
            );
            findings.good("record", format!("{} at {}: {}", entry.id, entry.at, super::show::clean(&text)));
            findings.good("inclusion", format!("leaf {} of {}", proof.leaf_index, proof.tree_size));
            true
        }
        Err(error) => {
            findings.wrong("inclusion", error.to_string());
            false
        }
    }
}

//! `bank proof`: fetches the inclusion proof of a disclosure, and checks that the log was not rewritten.

use std::{
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};
use clap::Args;

use super::{
    keys::GatewayKeys,
    log::{VerifiedCheckpoint, check_continuation, fetch_proof, is_transport_error, open, update_checkpoint},
    saved_answer::{Consistency, SavedAnswer},
    session::Session,
    verify::{Receipted, check_answer, check_record},
};
use crate::{
    authority::{Purpose, files},
    cli::{Context, Usage, findings::Findings},
    domain::ids::DisclosureId,
    ledger::{Proof, check_proof},
};

/// Fetch the proof that a disclosure is in the log, and check that the log was not rewritten.
#[derive(Debug, Args)]
pub(super) struct ProofArgs {
    /// A file written by --save, to which the proof is added; or a disclosure's id
    #[arg(value_name = "FILE|DISCLOSURE")]
    what: PathBuf,
    /// A checkpoint you saved: the log must continue it
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

pub(super) async fn run(args: ProofArgs, profile: Option<&Path>, ctx: &Context) -> anyhow::Result<()> {
    let id = args.what.to_str().and_then(|text| text.parse::<DisclosureId>().ok());
    if id.is_none() && !args.what.exists() {
        let what = args.what.display();
        return Err(Usage(format!("{what} is neither a file nor a disclosure's id (dis_...)")).into());
    }
    let session = Session::open(profile, ctx)?;
    let keys = session.keys().await?;
    let mut findings = Findings::default();
    let mut saved = if id.is_none() { Some(SavedAnswer::read(&args.what)?) } else { None };
    let id = match (&id, &saved) {
        (Some(id), _) => id.to_string(),
        (None, Some(saved)) => {
            // With the key in the file, which is enough to find the id; the record is checked with the published
            // keys.
            let own = GatewayKeys::claimed([saved.key.clone()], Purpose::AnswerSigning);
            match check_answer(&saved.response()?, &own, &mut findings) {
                Some(verified) => verified.receipt.id,
                None => bail!("the saved answer does not verify: {}", findings.first_problem().unwrap_or_default()),
            }
        }
        (None, None) => return Err(Usage("a saved answer or a disclosure's id is needed".into()).into()),
    };
    let proof = fetch_proof(&session.client, &id).await?;
    let recorded = match &saved {
        Some(saved) => check_saved_record(saved, &proof, &keys, &mut findings)?,
        None => check_lone_record(&proof, &keys, &mut findings),
    };
    let consistency =
        if recorded { check_log(&session, &args, &proof, &keys, &mut findings).await? } else { Vec::new() };
    // Only without a problem: a proof that does not hold must not replace one that does.
    if let (Some(saved), true) = (&mut saved, findings.problems().is_empty()) {
        saved.proof = Some(proof);
        saved.log_keys = keys.jwks(Purpose::LedgerSigning);
        saved.consistency = consistency;
        saved.write(&args.what)?;
    }
    findings.write(&mut ctx.out())?;
    match findings.problems().as_slice() {
        [] if saved.is_some() => writeln!(ctx.out(), "\nThe proof is saved in {}.", args.what.display())?,
        [] => {}
        problems => bail!("the disclosure is not proved: {}", problems.join(", ")),
    }
    Ok(())
}

/// Checks that the log of a proof continues the checkpoint of --checkpoint and the saved one. Returns the proofs of it.
async fn check_log(
    session: &Session,
    args: &ProofArgs,
    proof: &Proof,
    keys: &GatewayKeys,
    findings: &mut Findings,
) -> anyhow::Result<Vec<Consistency>> {
    let mut proofs = Vec::new();
    let checkpoint = open(&proof.checkpoint, keys)?;
    if let Some(path) = &args.checkpoint {
        let note = String::from_utf8(files::read(path)?.to_vec()).with_context(|| path.display().to_string())?;
        match check_continuation(&session.client, keys, &note, &checkpoint).await {
            Ok((consistency, text)) => {
                findings.good("checkpoint", text);
                proofs.push(consistency);
            }
            Err(error) => findings.wrong("checkpoint", format!("{error:#}")),
        }
    }
    let verified = VerifiedCheckpoint { checkpoint: &checkpoint, note: &proof.checkpoint };
    match update_checkpoint(&session.client, &session.archive, keys, verified).await {
        Ok((consistency, text)) => {
            findings.good("log", text);
            proofs.extend(consistency);
        }
        Err(error) if is_transport_error(&error) => findings.warning(
            "log",
            format!("it could not be compared with the checkpoint saved here: {error:#}"),
            "run `bank proof` again: the saved checkpoint is unchanged",
        ),
        Err(error) => findings.wrong("log", format!("{error:#}")),
    }
    // The checkpoint that was given may be the saved one.
    proofs.dedup();
    Ok(proofs)
}

fn check_saved_record(
    saved: &SavedAnswer,
    proof: &Proof,
    keys: &GatewayKeys,
    findings: &mut Findings,
) -> anyhow::Result<bool> {
    let response = saved.response()?;
    let receipt = crate::ledger::Receipt::parse(response.header("medcredit-disclosure")?)?;
    let client = saved.client_id.map(|id| id.to_string());
    Ok(check_record(Receipted { response: &response, receipt: &receipt }, proof, keys, client.as_deref(), findings)
        .is_some())
}

/// Checks a proof without its answer: there is no receipt to compare with, and the entry itself shows what was disclosed.
fn check_lone_record(proof: &Proof, keys: &GatewayKeys, findings: &mut Findings) -> bool {
    match check_proof(proof, &keys.log(&proof.log)) {
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

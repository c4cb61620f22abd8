//! `medcredit ledger verify|prove|checkpoint`.

use std::{io::Write, path::PathBuf};

use anyhow::Context as _;

use super::{Context, Usage};
use crate::{
    authority::Purpose,
    config::Config,
    identity::PublicKey,
    ledger::{self, CheckpointFile, LogKey, ProofStatus, verify},
    merkle::VerifierKey,
    store::{Db, keys},
};

/// Verify the ledger, prove an entry, show the newest checkpoint.
#[derive(Debug, clap::Args)]
pub(super) struct LedgerCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Build the whole ledger again from its entries and say what does not fit; ends with 1 when something does not
    Verify(Verify),
    /// Print the proof that an entry is in the ledger (JSON, docs/LEDGER.md section 7)
    Prove {
        /// The entry: dis_... or ent_...
        id: String,
    },
    /// Print the newest signed checkpoint
    Checkpoint {
        /// Print the log's verifier keys instead
        #[arg(long)]
        keys: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// A verifier key of the log, as `ledger checkpoint --keys` printed it on a better day; may be repeated. Without it the
    /// keys in the database are believed
    #[arg(long = "key", value_name = "NAME+ID+KEY")]
    keys: Vec<String>,
    /// The checkpoint outside, instead of the configured file: a copy that the database's administrators cannot write
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
}

/// Runs the command.
pub(super) async fn run(args: LedgerCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let done = match args.verb {
        Verb::Verify(args) => verify(args, &config, &db, ctx).await,
        Verb::Prove { id } => prove(&id, &db, ctx).await,
        Verb::Checkpoint { keys: true } => print_keys(&config, &db, ctx).await,
        Verb::Checkpoint { keys: false } => print_checkpoint(&db, ctx).await,
    };
    db.close().await;
    done
}

/// The log's keys as the database has them, whatever became of them: what they signed stays signed.
async fn stored_keys(db: &Db) -> anyhow::Result<Vec<LogKey>> {
    let rows = keys::list(db).await?;
    let of_log = rows.iter().filter(|row| row.purpose == Purpose::LedgerSigning.as_str());
    let public: Vec<_> = of_log.filter_map(|row| PublicKey::from_any_der(&row.public_key).ok()).collect();
    Ok(ledger::log_keys(&public))
}

async fn verify(args: Verify, config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let trusted = !args.keys.is_empty();
    let keys = if trusted {
        let read = |text: &String| text.parse::<VerifierKey>().map(|key| *key.public());
        args.keys.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(|error| Usage(error.to_string()))?
    } else {
        stored_keys(db).await?
    };
    let outside = CheckpointFile::new(args.checkpoint.unwrap_or_else(|| config.ledger.checkpoint_file.clone()));
    let origin = config.ledger.origin(&config.gateway.public_origin);
    let subject = verify::Target { db, origin: &origin, keys: &keys, checkpoint_file: Some(&outside) };
    let bar = ctx.progress(Some(0), "leaves");
    let report = verify::verify(subject, &|done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let report = report?;
    writeln!(ctx.out(), "log          {origin}")?;
    if !trusted {
        writeln!(ctx.out(), "keys         {} from this same database: give --key to trust none of it", keys.len())?;
    }
    writeln!(ctx.out(), "{report}")?;
    anyhow::ensure!(report.sound(), "the ledger has been tampered with: {} thing(s) do not fit", report.problem_count);
    Ok(())
}

async fn prove(id: &str, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    match ledger::prove(db, id, None).await? {
        None => anyhow::bail!("there is no entry {id}"),
        Some(ProofStatus::Pending) => anyhow::bail!("{id} is recorded and not yet sealed: is a gateway running?"),
        Some(ProofStatus::Sealed(proof)) => {
            let json = serde_json::to_string_pretty(&proof).context("the proof cannot be written")?;
            writeln!(ctx.out(), "{json}")?;
        }
    }
    Ok(())
}

async fn print_checkpoint(db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let note = ledger::checkpoint(db).await?.context("nothing has been sealed yet")?;
    write!(ctx.out(), "{note}")?;
    Ok(())
}

async fn print_keys(config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let keys = stored_keys(db).await?;
    anyhow::ensure!(!keys.is_empty(), "the database has no key that signs checkpoints");
    let origin = config.ledger.origin(&config.gateway.public_origin);
    for key in keys {
        writeln!(ctx.out(), "{}", VerifierKey::new(&origin, key)?)?;
    }
    Ok(())
}

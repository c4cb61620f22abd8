//! `medcredit ledger verify|prove|checkpoint|accept-checkpoint`.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;

use super::{Context, Usage, context::custody, operator::Operator};
use crate::{
    authority::{Keyring, Purpose, files},
    config::Config,
    identity::PublicKey,
    ledger::{
        self, AcceptError, Accepted, AnswerJournal, CheckpointFile, FixedKeys, History, HistoryMonitor, HistoryState,
        LogKey, ProofStatus, current_epoch, verify,
    },
    merkle::{Checkpoint, VerifierKey},
    store::{Db, keys},
};

/// Verify the ledger, prove an entry, print the newest checkpoint, or accept it where the checkpoint file is missing.
#[derive(Debug, clap::Args)]
pub(super) struct LedgerCommand {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Rebuild the whole ledger from its entries and report every mismatch; ends with 1 if there is one
    Verify(Verify),
    /// Print the proof that an entry is in the ledger, as JSON (docs/LEDGER.md, section 7)
    Prove {
        /// The entry's id: dis_... or ent_...
        id: String,
    },
    /// Print the newest signed checkpoint
    Checkpoint {
        /// Print the log's verifier keys instead
        #[arg(long)]
        keys: bool,
    },
    /// Write the database's newest checkpoint to the missing checkpoint file, so that `serve` and `ledger verify` work again
    AcceptCheckpoint {
        #[command(flatten)]
        operator: Operator,
        /// Why nothing outside the database is known, such as a new host; recorded in the ledger
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, clap::Args)]
struct Verify {
    /// A verifier key of the log, as `ledger checkpoint --keys` printed it earlier; repeatable [default: the keys in the
    /// database, unverified]
    #[arg(long = "key", value_name = "NAME+ID+KEY")]
    keys: Vec<String>,
    /// A copy of the checkpoint file that the database's administrators cannot write [default: the configured file]
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Continue after the checkpoint in this file, which the last run without a finding wrote, and leave consents and counted
    /// answers uncompared; while the file does not exist, verify everything
    #[arg(long, value_name = "FILE")]
    verified: Option<PathBuf>,
}

pub(super) async fn run(args: LedgerCommand, ctx: &Context) -> anyhow::Result<()> {
    let mut config = ctx.config()?;
    let db = ctx.store(&config).await?;
    config.ledger.epoch = current_epoch(&db, config.ledger.epoch).await?;
    let done = match args.verb {
        Verb::Verify(args) => verify(args, &config, &db, ctx).await,
        Verb::Prove { id } => prove(&id, &db, ctx).await,
        Verb::Checkpoint { keys: true } => print_keys(&config, &db, ctx).await,
        Verb::Checkpoint { keys: false } => print_checkpoint(&db, ctx).await,
        Verb::AcceptCheckpoint { operator, reason } => accept(&operator, &reason, &config, &db, ctx).await,
    };
    // Before the result is returned, so that the database is closed after a failure too.
    db.close().await;
    done
}

/// The log's keys in the database, including retired and revoked ones: their signatures stay valid.
pub(super) async fn stored_keys(db: &Db) -> anyhow::Result<Vec<PublicKey>> {
    let rows = keys::list(db).await?;
    let of_log = rows.iter().filter(|row| row.purpose == Purpose::LedgerSigning.as_str());
    Ok(of_log.filter_map(|row| PublicKey::from_any_der(&row.public_key).ok()).collect())
}

async fn verify(args: Verify, config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let trusted = !args.keys.is_empty();
    let keys = if trusted {
        let read = |text: &String| text.parse::<VerifierKey>().map(|key| *key.public());
        args.keys.iter().map(read).collect::<Result<Vec<_>, _>>().map_err(|error| Usage(error.to_string()))?
    } else {
        ledger::log_keys(&stored_keys(db).await?)
    };
    let outside = CheckpointFile::new(args.checkpoint.unwrap_or_else(|| config.ledger.checkpoint_file.clone()));
    let origin = config.ledger.origin(&config.gateway.public_origin);
    let verified = args.verified.as_deref().map(|file| read_verified(file, &origin, &keys)).transpose()?.flatten();
    let subject = verify::Target { db, origin: &origin, keys: &keys, checkpoint_file: Some(&outside) };
    let bar = ctx.progress(Some(0), "leaves");
    let check = verify::StateCheck { now: ctx.clock.now(), sealed_within: config.ledger.sealed_within() };
    let report = verify::verify_after(subject, verified.as_ref(), Some(check), &|done, of| {
        bar.set_length(of);
        bar.set_position(done);
    })
    .await;
    bar.finish_and_clear();
    let report = report?;
    writeln!(ctx.out(), "log          {origin}")?;
    if !trusted {
        writeln!(
            ctx.out(),
            "keys         {} from this same database: give --key to verify independently of it",
            keys.len()
        )?;
    }
    writeln!(ctx.out(), "{report}")?;
    if let (Some(file), Some(note)) = (&args.verified, report.newest_checkpoint.as_ref().filter(|_| report.sound())) {
        files::write_public(file, note.as_bytes())?;
    }
    anyhow::ensure!(report.problem_count == 0, "the ledger was tampered with: {} mismatches", report.problem_count);
    anyhow::ensure!(
        report.overdue_count == 0,
        "{} entries are not sealed by the time that their receipts promise: start a gateway, or look at its log",
        report.overdue_count
    );
    anyhow::ensure!(
        report.sound(),
        "the checkpoint file {} is missing: put it back, or accept the database as it is with `medcredit ledger accept-checkpoint`",
        outside.path().display()
    );
    Ok(())
}

/// The checkpoint of the last sound verification; none before the first.
fn read_verified(file: &Path, origin: &str, keys: &[LogKey]) -> anyhow::Result<Option<Checkpoint>> {
    let note = match std::fs::read_to_string(file) {
        Ok(note) => note,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| file.display().to_string()),
    };
    let checkpoint = ledger::open_checkpoint(&note, origin, keys).with_context(|| {
        format!("{} is not a checkpoint of this log: remove it, and everything is verified once more", file.display())
    })?;
    Ok(Some(checkpoint))
}

async fn prove(id: &str, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    match ledger::prove(db, id, None).await? {
        None => anyhow::bail!("there is no entry {id}"),
        Some(ProofStatus::Pending) => anyhow::bail!("{id} is recorded and not sealed yet: is a gateway running?"),
        Some(ProofStatus::Sealed(proof)) => {
            let json = serde_json::to_string_pretty(&proof).context("the proof cannot be written")?;
            writeln!(ctx.out(), "{json}")?;
        }
    }
    Ok(())
}

async fn print_checkpoint(db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let note = ledger::checkpoint(db).await?.context("nothing is sealed yet")?;
    write!(ctx.out(), "{note}")?;
    Ok(())
}

async fn print_keys(config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let keys = ledger::log_keys(&stored_keys(db).await?);
    anyhow::ensure!(!keys.is_empty(), "the database has no key that signs checkpoints");
    let origin = config.ledger.origin(&config.gateway.public_origin);
    for key in keys {
        writeln!(ctx.out(), "{}", VerifierKey::new(&origin, key)?)?;
    }
    Ok(())
}

/// The journal of the answers that the configured host gives in the present epoch.
pub(super) fn answer_journal(config: &Config) -> AnswerJournal {
    AnswerJournal::beside(&config.ledger.checkpoint_file, config.ledger.epoch)
}

/// Refuses a database that was turned back: what it lets happen may have happened before, or have been stopped since (I9).
pub(super) async fn must_be_current(config: &Config, db: &Db) -> anyhow::Result<()> {
    let keys = FixedKeys::verifying(stored_keys(db).await?);
    let state = monitor(config, db, keys).examine().await?;
    anyhow::ensure!(matches!(state, HistoryState::Current) || !state.is_known(), "{state}");
    Ok(())
}

/// A monitor of the configured log that starts without any memory.
pub(super) fn monitor(config: &Config, db: &Db, keys: FixedKeys) -> HistoryMonitor {
    let origin = config.ledger.origin(&config.gateway.public_origin);
    let file = CheckpointFile::new(config.ledger.checkpoint_file.clone());
    HistoryMonitor::new(db.clone(), Arc::new(keys), origin, file, History::default())
        .with_answers(answer_journal(config))
        .observing()
}

async fn accept(operator: &Operator, reason: &str, config: &Config, db: &Db, ctx: &Context) -> anyhow::Result<()> {
    let file = config.ledger.checkpoint_file.display();
    // Only the checkpoint of an empty ledger is signed here.
    let keys = match ledger::checkpoint(db).await? {
        Some(_) => FixedKeys::verifying(stored_keys(db).await?),
        None => FixedKeys::new(Keyring::load(&custody(ctx).await?).await?.signer(Purpose::LedgerSigning)?, Vec::new()),
    };
    let monitor = monitor(config, db, keys);
    match monitor.accept(&ctx.env(db), &operator.actor(ctx)?, reason).await {
        Ok(Accepted::Nothing(size)) => {
            writeln!(ctx.out(), "nothing to accept: {file} covers {size} leaves, and the ledger continues them")?;
        }
        Ok(Accepted::Empty) => writeln!(ctx.out(), "nothing has been sealed yet: {file} covers 0 leaves")?,
        Ok(Accepted::Checkpoint(size)) => {
            writeln!(
                ctx.out(),
                "accepted: {file} covers {size} leaves. Whatever was recorded after them and is missing"
            )?;
            writeln!(ctx.out(), "cannot be detected any more. Run `medcredit ledger verify`, then start the gateway.")?;
        }
        Err(error @ AcceptError::Refused(_)) => {
            let why = "put the newer database back, or recover from its loss with `medcredit recover`";
            return Err(anyhow::Error::new(error).context(why));
        }
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

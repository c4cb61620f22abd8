//! `medcredit recover`: continues after a history was turned back (docs/RECOVERY.md).

mod reconcile;
mod replay;

use std::{collections::HashSet, io::Write, sync::Arc, time::Duration};

use anyhow::Context as _;
use serde_json::json;

use super::{
    Context, OrFail, Usage,
    context::custody,
    ledger::{monitor, stored_keys},
    operator::Operator,
};
use crate::{
    app::{consent_policy, principals_policy},
    authority::{Custody, Keyring, Purpose, keys},
    config::Config,
    consent::Consents,
    domain::{ClockTrust, Timestamp, ids::KeyId},
    ledger::{
        Action, AnswerJournal, Change, CheckpointFile, Faults, FixedKeys, GivenAnswer, History, HistoryState,
        LeafCache, Sealer, SealerOptions, audit, checkpoint, current_epoch, journal_beside, raise_epoch,
        report_lost_answers,
    },
    principals::Principals,
    store::{EndRow, NewEnd, ends, keys as key_rows},
};
use reconcile::suspend_all;
use replay::{Replay, Replayed};

/// Recover from a database that was turned back: raise the epoch, end again what had ended, suspend all consents.
#[derive(Debug, clap::Args)]
pub(super) struct Recover {
    #[command(flatten)]
    operator: Operator,
    /// The reason, for the ledger
    #[arg(long)]
    reason: Option<String>,
    /// Recover even though nothing is missing
    #[arg(long)]
    force: bool,
    /// List the consents that recoveries have suspended
    #[arg(long, conflicts_with_all = ["reason", "force", "resume", "resume_all"])]
    list: bool,
    /// Resume a consent that was compared with its signed text; repeatable
    #[arg(long, value_name = "CONSENT", conflicts_with_all = ["force", "resume_all"])]
    resume: Vec<String>,
    /// Resume every consent of `--list`
    #[arg(long, conflicts_with = "force")]
    resume_all: bool,
}

/// The most entries that are sealed in one transaction.
const ROUND: i64 = 1024;

pub(super) async fn run(args: Recover, ctx: &Context) -> anyhow::Result<()> {
    let mut custody = custody(ctx).await?;
    let mut config = ctx.config()?;
    config.ledger.epoch = current_epoch(&custody.env.db, config.ledger.epoch).await?;
    let kinds = Arc::new(config.reference.kinds()?);
    let consents = Consents::open(custody.env.clone(), kinds, consent_policy(&config));
    let done = if args.list {
        reconcile::list(&consents, &custody.env.db, ctx).await
    } else {
        let reason = args.reason.ok_or_else(|| Usage("Pass --reason: it is recorded in the ledger.".into()))?;
        custody = custody.acting_for(args.operator.actor(ctx)?);
        if args.resume_all || !args.resume.is_empty() {
            reconcile::resume(&consents, &args.resume, &custody.actor, &reason, ctx).await
        } else {
            let recovery = Recovery { custody: &custody, config: &config, consents: &consents, reason: &reason, ctx };
            recovery.run(args.force).await
        }
    };
    // Before the result is returned, so that the database is closed after a failure too.
    custody.env.db.close().await;
    done
}

/// One recovery.
struct Recovery<'a> {
    custody: &'a Custody,
    config: &'a Config,
    consents: &'a Consents,
    reason: &'a str,
    ctx: &'a Context,
}

/// What a recovery has done, for the ledger and the report.
struct Summary {
    state: HistoryState,
    lost: Vec<(EndRow, Replayed)>,
    suspended: usize,
}

impl Recovery<'_> {
    /// Each step may be repeated, and until the last one every gateway that knows the lost history refuses data: a recovery
    /// that was killed is completed by running it again.
    async fn run(&self, force: bool) -> anyhow::Result<()> {
        let db = &self.custody.env.db;
        let keys = FixedKeys::verifying(stored_keys(db).await?);
        let state = monitor(self.config, db, keys).examine().await?;
        anyhow::ensure!(
            force || state != HistoryState::Current,
            "there is nothing to recover: {state}. To recover nevertheless, add --force"
        );
        let mut out = self.ctx.out();
        writeln!(out, "found      {state}")?;
        let lost = self.replay().await?;
        for (end, outcome) in &lost {
            writeln!(out, "{outcome:10} {} of {}, by {} (epoch {})", end.kind, end.target, end.actor, end.epoch)?;
        }
        let suspended = suspend_all(self.consents, &self.custody.actor).await.or_fail()?;
        writeln!(out, "suspended  {suspended} consents: see `medcredit recover --list`")?;
        let revoked = self.void_tokens().await?;
        writeln!(out, "revoked    {revoked} keys that signed tokens: every earlier token is void")?;
        let epoch = self.raise(&Summary { state, lost, suspended }).await?;
        for lost in self.report_lost_answers(epoch).await? {
            let consent = lost.consent.as_deref().unwrap_or("several consents");
            writeln!(out, "lost       {} to {}, under {consent}", lost.id, lost.client)?;
        }
        let size = self.seal(epoch).await?;
        writeln!(
            out,
            "recovered  the log continues in epoch {epoch} with {size} leaves. Start the gateways, then compare"
        )?;
        writeln!(
            out,
            "           each suspended consent with its signed text and resume it: `recover --resume CONSENT`"
        )?;
        Ok(())
    }

    /// Ends again what the journal has and the database lacks.
    async fn replay(&self) -> anyhow::Result<Vec<(EndRow, Replayed)>> {
        let journal = journal_beside(&self.config.ledger.checkpoint_file);
        let known = journal.read().await.with_context(|| journal.path().display().to_string())?;
        let stored: HashSet<_> = ends::since(&self.custody.env.db, 0).await?.into_iter().map(|end| end.id).collect();
        let Custody { env, crypter, .. } = self.custody;
        let principals = Principals::open(env.clone(), crypter.clone(), principals_policy(self.config));
        let replay =
            Replay { custody: self.custody, consents: self.consents, principals: &principals, reason: self.reason };
        let mut lost = Vec::new();
        for end in known.into_iter().filter(|end| !stored.contains(&end.id)) {
            let outcome =
                replay.end(&end).await.or_fail().with_context(|| format!("{} of {}", end.kind, end.target))?;
            lost.push((end, outcome));
        }
        Ok(lost)
    }

    /// Revokes every key that signed tokens. Tokens are not stored, so those of the lost time can only end with their key;
    /// keys of the lost time are not in this database and verify nothing.
    async fn void_tokens(&self) -> anyhow::Result<usize> {
        let rows = key_rows::list(&self.custody.env.db).await?;
        let signing = rows.iter().filter(|row| row.purpose == Purpose::TokenSigning.as_str() && row.state != "revoked");
        let mut revoked = 0;
        for row in signing {
            let id: KeyId = row.id.parse().map_err(|error| anyhow::anyhow!("key {}: {error}", row.id))?;
            keys::revoke(self.custody, id, self.reason).await?;
            revoked += 1;
        }
        Ok(revoked)
    }

    /// Raises the epoch, with the entry of the recovery and the lost ends in the same transaction. Gateways that still run
    /// notice it and stop.
    async fn raise(&self, summary: &Summary) -> anyhow::Result<u32> {
        let env = &self.custody.env;
        let outside = CheckpointFile::new(self.config.ledger.checkpoint_file.clone()).read().await?;
        let inside = checkpoint(&env.db).await?;
        let mut tx = env.db.begin("recover").await?;
        let epoch = raise_epoch(&mut tx, epoch_of(outside.as_deref()), env.now()).await?;
        for (end, _) in &summary.lost {
            // With their own ids: from here on no journal is ahead of this database.
            tx.end(NewEnd {
                id: end.id.clone(),
                kind: end.kind.clone(),
                target: end.target.clone(),
                detail: end.detail.clone(),
                actor: end.actor.clone(),
                at: Timestamp::from_micros(end.at),
            });
        }
        let count = |outcome| summary.lost.iter().filter(|(_, of)| *of == outcome).count();
        let detail = json!({
            "epoch": epoch,
            "found": summary.state.to_string(),
            "checkpoint_inside": inside,
            "checkpoint_outside": outside,
            "lost_ends": summary.lost.len(),
            "replayed": count(Replayed::Done),
            "by_hand": count(Replayed::ByHand),
            "suspended_consents": summary.suspended,
        });
        let change = Change::of(detail).because(Some(self.reason));
        audit(&mut tx, env, &self.custody.actor, Action::HistoryRecovered, None, change).await?;
        tx.commit().await?;
        Ok(epoch)
    }

    /// Records the answers that left this host and are lost; a gateway on another host records its own when it starts.
    async fn report_lost_answers(&self, epoch: u32) -> anyhow::Result<Vec<GivenAnswer>> {
        let journal = AnswerJournal::beside(&self.config.ledger.checkpoint_file, epoch);
        Ok(report_lost_answers(&self.custody.env, &journal, &self.custody.actor, Some(self.reason)).await?)
    }

    /// Signs the first checkpoint of the new epoch and replaces the checkpoint file.
    async fn seal(&self, epoch: u32) -> anyhow::Result<u64> {
        let mut config = self.config.clone();
        config.ledger.epoch = epoch;
        let env = &self.custody.env;
        let keyring = Keyring::load(self.custody).await?;
        let keys = FixedKeys::new(keyring.signer(Purpose::LedgerSigning)?, keyring.log().to_vec());
        let options = SealerOptions {
            origin: config.ledger.origin(&config.gateway.public_origin),
            // Replaced below, under rules of its own: the sealer never replaces a checkpoint of another history.
            checkpoint_file: None,
            interval: Duration::from_secs(1),
            round: ROUND,
            leaf_cache: LeafCache::default(),
            history: History::default(),
            clock_trust: ClockTrust::default(),
            faults: Faults::default(),
        };
        let sealer = Sealer::new(env.db.clone(), env.clock.clone(), Arc::new(keys.clone()), options);
        while sealer.seal_once().await?.is_some() {}
        Ok(monitor(&config, &env.db, keys).adopt().await?)
    }
}

/// The epoch of a checkpoint outside, whatever log it is of: the new epoch must be above it.
fn epoch_of(note: Option<&str>) -> u32 {
    let origin = note.and_then(|note| note.lines().next());
    origin.and_then(|origin| origin.rsplit_once('/')).and_then(|(_, epoch)| epoch.parse().ok()).unwrap_or(0)
}

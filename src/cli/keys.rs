//! `medcredit keys`: the keys a gateway signs with.

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Context, context::custody, operator::Operator};
use crate::{
    authority::{Purpose, keyring, keys},
    domain::ids::KeyId,
    importing::reseal_subjects,
};

/// The keys a gateway signs with.
#[derive(Debug, Args)]
pub(super) struct KeysCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Make the keys that are missing: for tokens, answers and the ledger
    Init,
    /// List keys, the oldest first
    List,
    /// Make a new key; the one before it signs no more and is still published
    Rotate {
        /// token_signing, answer_signing or ledger_signing
        purpose: Purpose,
    },
    /// Make a key good for nothing, at once and for ever; an active one is replaced
    Revoke {
        /// The key, as `keys list` shows it
        key: KeyId,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Seal private keys and subjects' personal parts anew under the first key-encryption key, where an older one sealed them
    Reseal,
}

impl Action {
    /// Whether it changes something, so that the ledger will name who did it.
    const fn changes(&self) -> bool {
        !matches!(self, Self::List)
    }
}

/// Runs the command.
pub(super) async fn run(args: KeysCommand, ctx: &Context) -> anyhow::Result<()> {
    let mut custody = custody(ctx).await?;
    if args.action.changes() {
        custody = custody.acting_for(args.operator.actor(ctx)?);
    }
    let mut out = ctx.out();
    match args.action {
        Action::Init => {
            let made = keys::create_missing(&custody).await?;
            for key in &made {
                writeln!(out, "made {}  {}  {}", key.id, key.purpose, key.kid)?;
            }
            if made.is_empty() {
                writeln!(out, "nothing is missing")?;
            }
        }
        Action::List => {
            for record in keyring::list(&custody).await? {
                let key = record.key;
                writeln!(
                    out,
                    "{}  {:8}  {:14}  {:7}  {}  since {}",
                    key.id,
                    record.state,
                    key.purpose.as_str(),
                    key.public_key.suite().as_str(),
                    key.public_key.key_id(),
                    key.created_at
                )?;
            }
        }
        Action::Rotate { purpose } => {
            let made = keys::rotate(&custody, purpose).await?;
            writeln!(out, "made {}  {}  {}", made.id, made.purpose, made.kid)?;
        }
        Action::Revoke { key, reason } => {
            let replacement = keys::revoke(&custody, key, &reason).await?;
            writeln!(out, "revoked {key}")?;
            if let Some(made) = replacement {
                writeln!(out, "made {}  {}  {}", made.id, made.purpose, made.kid)?;
            }
        }
        Action::Reseal => {
            writeln!(out, "sealed {} keys anew", keys::reseal(&custody).await?)?;
            let natural = ctx.config()?.reference.kinds()?.natural();
            let subjects = reseal_subjects(&custody.env.db, &custody.crypter, &natural).await?.subjects;
            writeln!(out, "sealed the personal parts of {subjects} subjects anew")?;
        }
    }
    custody.env.db.close().await;
    Ok(())
}

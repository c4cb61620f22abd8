//! `medcredit keys`: the keys that the gateway signs with.

use std::io::Write;

use clap::{Args, Subcommand};

use super::{Context, context::custody, operator::Operator};
use crate::{
    authority::{Custody, Purpose, keyring, keys},
    domain::ids::KeyId,
    importing::reseal_subjects,
};

/// Manage the keys that the gateway signs with.
#[derive(Debug, Args)]
pub(super) struct KeysCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create the missing keys: for tokens, answers and the ledger
    Init,
    /// List the keys, oldest first
    List,
    /// Create a new key; the old one stops signing and stays published
    Rotate {
        /// The purpose: token_signing, answer_signing or ledger_signing
        purpose: Purpose,
    },
    /// Revoke a key immediately and for ever; an active one is replaced
    Revoke {
        /// The key's id, as `keys list` shows it
        key: KeyId,
        /// The reason, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Seal private keys and personal data of subjects again under the first key-encryption key
    Reseal,
}

impl Action {
    /// Whether it changes something, and the ledger records the operator.
    const fn changes(&self) -> bool {
        !matches!(self, Self::List)
    }
}

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
                writeln!(out, "created {}  {}  {}", key.id, key.purpose, key.kid)?;
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
            writeln!(out, "created {}  {}  {}", made.id, made.purpose, made.kid)?;
        }
        Action::Revoke { key, reason } => {
            let replacement = keys::revoke(&custody, key, &reason).await?;
            writeln!(out, "revoked {key}")?;
            if let Some(made) = replacement {
                writeln!(out, "created {}  {}  {}", made.id, made.purpose, made.kid)?;
            }
        }
        Action::Reseal => {
            writeln!(out, "sealed {} keys again", keys::reseal(&custody).await?)?;
            let natural = ctx.config()?.reference.kinds()?.natural();
            let Custody { env, actor, crypter, .. } = &custody;
            let subjects = reseal_subjects(env, actor, crypter, &natural).await?.subjects;
            writeln!(out, "sealed the personal parts of {subjects} subjects again")?;
        }
    }
    custody.env.db.close().await;
    Ok(())
}

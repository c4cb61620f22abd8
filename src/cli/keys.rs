//! `medcredit keys`: the keys that the gateway signs with.

use std::io::Write;

use clap::{Args, Subcommand};

use super::{
    Context,
    context::{custody, server_files},
    four_eyes::{Act, BreakGlass, acts_alone},
    operator::Operator,
};
use crate::{
    approvals::Proposed,
    authority::{
        Custody, Purpose, keyring, keys,
        server::{self, Resealed},
    },
    domain::{error_chain, ids::KeyId},
    importing::reseal_subjects,
    principals::reseal_operators,
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
    /// Publish the next key of a purpose; `keys rotate` lets it sign once everybody can have fetched it
    Prepare {
        /// The purpose: token_signing, answer_signing or ledger_signing
        purpose: Purpose,
    },
    /// Let the published next key sign; the old one stops signing and stays published
    Rotate {
        /// The purpose: token_signing, answer_signing or ledger_signing
        purpose: Purpose,
        /// Create a key that signs immediately: verifiers with a cached key set refuse its signatures for some minutes
        #[arg(long)]
        now: bool,
        /// The reason, where another operator has to approve it
        #[arg(long, value_name = "TEXT")]
        reason: Option<String>,
        #[command(flatten)]
        glass: BreakGlass,
    },
    /// Revoke a key immediately and for ever; an active one is replaced
    Revoke {
        /// The key's id, as `keys list` shows it
        key: KeyId,
        /// The reason, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Seal private keys, key files and personal data again under the first key-encryption key
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
        Action::Prepare { purpose } => {
            let made = keys::prepare(&custody, purpose).await?;
            writeln!(out, "published {}  {}  {}", made.id, made.purpose, made.kid)?;
            let minutes = keys::PUBLISHED_AHEAD.as_secs() / 60;
            writeln!(out, "`medcredit keys rotate {purpose}` lets it sign, {minutes} minutes from now or later")?;
        }
        Action::Rotate { purpose, now, reason, glass } => {
            let purpose_name = purpose.to_string();
            let proposed = if now {
                Proposed::RotateKey { purpose: purpose_name }
            } else {
                Proposed::ActivateKey { purpose: purpose_name }
            };
            let act = Act { actor: &custody.actor, proposed, reason: reason.as_deref(), glass };
            if acts_alone(act, &ctx.config()?, &custody.env, ctx).await? {
                rotate(&custody, purpose, now, ctx).await?;
            }
        }
        Action::Revoke { key, reason } => {
            let replacement = keys::revoke(&custody, key, &reason).await?;
            writeln!(out, "revoked {key}")?;
            if let Some(made) = replacement {
                writeln!(out, "created {}  {}  {}", made.id, made.purpose, made.kid)?;
            }
        }
        Action::Reseal => reseal(&custody, ctx).await?,
    }
    custody.env.db.close().await;
    Ok(())
}

/// Creates a key that signs immediately, or lets the published next one sign.
async fn rotate(custody: &Custody, purpose: Purpose, now: bool, ctx: &Context) -> anyhow::Result<()> {
    let mut out = ctx.out();
    if now {
        let made = keys::rotate(custody, purpose).await?;
        writeln!(out, "created {}  {}  {}", made.id, made.purpose, made.kid)?;
    } else {
        let made = keys::activate(custody, purpose).await?;
        writeln!(out, "signs from now on: {}  {}  {}", made.id, made.purpose, made.kid)?;
    }
    Ok(())
}

/// Seals everything again that another key than the first one sealed, and fails where something stays.
async fn reseal(custody: &Custody, ctx: &Context) -> anyhow::Result<()> {
    let (config, mut out) = (ctx.config()?, ctx.out());
    // The private keys first: with them every gateway begins to seal under the first key, and nothing new follows.
    writeln!(out, "sealed {} keys again", keys::reseal(custody).await?)?;
    let mut left = Vec::new();
    for server in server_files(&config) {
        let name = server.key.display();
        match server::reseal(custody, &server).await {
            Ok(Resealed::Again) => writeln!(out, "sealed {name} again")?,
            Ok(Resealed::Current) => writeln!(out, "{name} is under the first key")?,
            Ok(Resealed::Missing) => writeln!(out, "{name} does not exist on this machine")?,
            Err(error) => {
                writeln!(out, "{name} STAYS UNDER ANOTHER KEY: {}", error_chain(&error))?;
                left.push(name.to_string());
            }
        }
    }
    let operators = reseal_operators(&custody.env, &custody.actor, &custody.crypter).await?;
    writeln!(out, "sealed the secrets of {operators} operators and invitations again")?;
    let natural = config.reference.kinds()?.natural();
    let subjects = reseal_subjects(&custody.env, &custody.actor, &custody.crypter, &natural).await?.subjects;
    writeln!(out, "sealed the personal parts of {subjects} subjects again")?;
    anyhow::ensure!(
        left.is_empty(),
        "keep every line of {}: without the former key {} cannot be opened; issue a new certificate, or put the one that \
         belongs to the key beside it, and run this again",
        config.secrets.key_encryption_key_file.display(),
        left.join(" and ")
    );
    writeln!(out, "the database and this machine's files are under the first key")?;
    Ok(())
}

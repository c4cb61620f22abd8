//! `medcredit consent`: manages consents, also while the gateway runs.

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;

use super::{Context, OrFail, Usage, operator::Operator};
use crate::{
    app,
    consent::{Amendment, Consent, Consents, Decision, Grant, SignedText},
    domain::{
        Month, Timestamp,
        permission::{Permission, Purpose},
        printable::visible,
    },
    store::consents,
};

/// Manage consents: list, show, grant, amend, suspend and revoke.
#[derive(Debug, Args)]
pub(super) struct ConsentCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List consents, oldest first
    List {
        /// List the consents after this one
        #[arg(long)]
        after: Option<String>,
        /// The maximum number of consents to list
        #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
        limit: i64,
    },
    /// Show a consent with its history
    Show {
        /// The consent's id
        id: String,
    },
    /// Grant a requested consent: it becomes active
    Grant(GrantArgs),
    /// Reject a request for consent
    Reject(Change),
    /// Suspend a consent
    Suspend(Change),
    /// Resume a suspended consent
    Resume(Change),
    /// Revoke a consent: the next request under it is refused
    Revoke(Change),
    /// Change what a consent allows; tokens that are limited to it become invalid. To allow more, pass a newly signed text
    Amend(Box<AmendArgs>),
}

// The text that the subject signed. No doc comment: clap would show it in place of the command's own.
#[derive(Debug, Args)]
struct TextArgs {
    /// The file with the signed text, of which only the SHA-256 is stored
    #[arg(long, value_name = "FILE", conflicts_with = "text_sha256")]
    text: Option<PathBuf>,
    /// The SHA-256 of the signed text, hex
    #[arg(long, value_name = "HEX")]
    text_sha256: Option<String>,
    /// The version of the signed text
    #[arg(long, default_value = "1")]
    text_version: String,
    /// The signer: legal_representative or authorised_agent
    #[arg(long, default_value = "legal_representative")]
    signer: String,
}

#[derive(Debug, Args)]
struct GrantArgs {
    /// The consent's id
    id: String,
    #[command(flatten)]
    text: TextArgs,
    /// An earlier end than the requested one (RFC 3339)
    #[arg(long)]
    expires_at: Option<Timestamp>,
    /// An older consent of the same bank and entity, which this one replaces
    #[arg(long, value_name = "CONSENT")]
    replaces: Option<String>,
}

#[derive(Debug, Args)]
struct Change {
    /// The consent's id
    id: String,
    /// The reason, for the ledger
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct AmendArgs {
    /// The consent's id
    id: String,
    /// A permission from now on; repeatable
    #[arg(long = "permission")]
    permissions: Vec<Permission>,
    /// A purpose from now on; repeatable
    #[arg(long = "purpose")]
    purposes: Vec<Purpose>,
    /// The first month of data
    #[arg(long, requires = "data_to")]
    data_from: Option<Month>,
    /// The last month of data
    #[arg(long, requires = "data_from")]
    data_to: Option<Month>,
    /// The maximum number of readings in total
    #[arg(long)]
    max_fetches: Option<i64>,
    /// The maximum number of readings per day
    #[arg(long)]
    daily_budget: Option<i64>,
    /// The end of validity (RFC 3339)
    #[arg(long)]
    expires_at: Option<Timestamp>,
    #[command(flatten)]
    text: TextArgs,
    /// The reason, for the ledger
    #[arg(long)]
    reason: Option<String>,
}

impl TextArgs {
    fn read(self) -> anyhow::Result<Option<SignedText>> {
        let sha256 = match (self.text, self.text_sha256) {
            (Some(file), _) => {
                let text = std::fs::read(&file).with_context(|| file.display().to_string())?;
                HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text).as_ref())
            }
            (None, Some(digest)) => digest,
            (None, None) => return Ok(None),
        };
        Ok(Some(SignedText { sha256, version: self.text_version, signer: self.signer }))
    }
}

impl GrantArgs {
    /// The terms of the grant.
    fn terms(self) -> anyhow::Result<Grant> {
        let text = self.text.read()?.ok_or_else(|| Usage("Pass --text or --text-sha256.".into()))?;
        Ok(Grant { text, expires_at: self.expires_at, replaces: self.replaces })
    }
}

impl AmendArgs {
    /// The change, of which everything that was not given stays as it is.
    fn amendment(self) -> anyhow::Result<Amendment> {
        Ok(Amendment {
            permissions: (!self.permissions.is_empty()).then_some(self.permissions),
            purposes: (!self.purposes.is_empty()).then_some(self.purposes),
            data: self.data_from.zip(self.data_to),
            max_fetches: self.max_fetches,
            daily_budget: self.daily_budget,
            expires_at: self.expires_at,
            text: self.text.read()?,
        })
    }
}

pub(super) async fn run(args: ConsentCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let kinds = Arc::new(config.reference.kinds()?);
    let room = Consents::open(ctx.env(&db), kinds, app::consent_policy(&config));
    // Only called for a change: the login name is announced whenever it is used.
    let decision = |reason| anyhow::Ok(Decision::by(args.operator.actor(ctx)?).because(reason));
    let changed = match args.action {
        Action::List { after, limit } => {
            list(&room.list_any(after.as_deref(), limit).await.or_fail()?, ctx)?;
            None
        }
        Action::Show { id } => {
            let consent = room.get_any(&id).await.or_fail()?;
            show(ctx, &consent, &consents::events(&db, &id).await?)?;
            None
        }
        Action::Grant(grant) => {
            let id = grant.id.clone();
            Some(room.grant(&id, &grant.terms()?, &decision(None)?).await.or_fail()?)
        }
        Action::Reject(change) => Some(room.reject(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Suspend(change) => Some(room.suspend(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Resume(change) => Some(room.resume(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Revoke(change) => Some(room.revoke(&change.id, None, &decision(change.reason)?).await.or_fail()?),
        Action::Amend(amend) => {
            let (id, reason) = (amend.id.clone(), amend.reason.clone());
            Some(room.amend(&id, &amend.amendment()?, &decision(reason)?).await.or_fail()?)
        }
    };
    if let Some(consent) = changed {
        writeln!(ctx.out(), "{} is {} (version {})", consent.id, consent.state, consent.version)?;
    }
    db.close().await;
    Ok(())
}

fn list(consents: &[Consent], ctx: &Context) -> std::io::Result<()> {
    let now = ctx.clock.now();
    for consent in consents {
        writeln!(
            ctx.out(),
            "{}  {:10}  {}  {}",
            consent.id,
            consent.state_at(now),
            consent.uscc,
            consent.codes.join(",")
        )?;
    }
    Ok(())
}

fn show(ctx: &Context, consent: &Consent, events: &[consents::EventRow]) -> std::io::Result<()> {
    let words = |words: Vec<String>| words.join(", ");
    let mut out = ctx.out();
    writeln!(out, "{}  {} (version {})", consent.id, consent.state_at(ctx.clock.now()), consent.version)?;
    writeln!(out, "  bank         {}", consent.client)?;
    writeln!(out, "  entity       {}", consent.uscc)?;
    writeln!(out, "  codes        {}", consent.codes.join(", "))?;
    writeln!(out, "  permissions  {}", words(consent.permissions.iter().map(ToString::to_string).collect()))?;
    writeln!(out, "  purposes     {}", words(consent.purposes.iter().map(ToString::to_string).collect()))?;
    writeln!(out, "  product      {}", visible(&consent.product))?;
    writeln!(out, "  data         {} to {}", consent.data_from, consent.data_to)?;
    writeln!(out, "  validity     until {}", consent.expires_at)?;
    let limit = |limit: Option<i64>| limit.map_or_else(|| "not limited".to_owned(), |limit| limit.to_string());
    writeln!(out, "  fetches      in all {}, in a day {}", limit(consent.max_fetches), limit(consent.daily_budget))?;
    writeln!(out, "  history")?;
    for event in events {
        let reason = event.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", visible(reason)));
        writeln!(
            out,
            "    {}  {}  {} by {}{reason}",
            event.version,
            Timestamp::from_micros(event.at),
            event.event,
            event.actor
        )?;
    }
    Ok(())
}

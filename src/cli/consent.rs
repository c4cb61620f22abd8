//! `medcredit consent`: what an administrator does with consents, also while the gateway runs.

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use data_encoding::HEXLOWER;

use super::{Context, OrFail, Usage, operator::Operator};
use crate::{
    app,
    consent::{Amendment, Consent, Consents, Decision, Grant},
    domain::{
        Month, Timestamp,
        permission::{Permission, Purpose},
    },
    store::consents,
};

/// Consents.
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
        /// Go on behind this one
        #[arg(long)]
        after: Option<String>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: i64,
    },
    /// Show a consent with its history
    Show {
        /// The consent
        id: String,
    },
    /// Put a requested consent in force
    Grant(GrantArgs),
    /// Refuse a request
    Reject(Change),
    /// Stop a consent for the moment
    Suspend(Change),
    /// Let a stopped consent go on
    Resume(Change),
    /// End a consent
    Revoke(Change),
    /// Change what a consent allows; tokens limited to it end with the change
    Amend(Box<AmendArgs>),
}

#[derive(Debug, Args)]
struct GrantArgs {
    /// The consent
    id: String,
    /// The signed text: its SHA-256 is kept, the text is not
    #[arg(long, value_name = "FILE", required_unless_present = "text_sha256", conflicts_with = "text_sha256")]
    text: Option<PathBuf>,
    /// The signed text's SHA-256, hex
    #[arg(long, value_name = "HEX")]
    text_sha256: Option<String>,
    /// Which version of the text was signed
    #[arg(long, default_value = "1")]
    text_version: String,
    /// Who signed: legal_representative or authorised_agent
    #[arg(long, default_value = "legal_representative")]
    signer: String,
    /// An earlier end than asked for (RFC 3339)
    #[arg(long)]
    expires_at: Option<Timestamp>,
    /// An older consent of the same bank and entity that this one replaces
    #[arg(long, value_name = "CONSENT")]
    replaces: Option<String>,
}

#[derive(Debug, Args)]
struct Change {
    /// The consent
    id: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct AmendArgs {
    /// The consent
    id: String,
    /// What may be read from now on; may be given many times
    #[arg(long = "permission")]
    permissions: Vec<Permission>,
    /// What for from now on; may be given many times
    #[arg(long = "purpose")]
    purposes: Vec<Purpose>,
    /// First month of data
    #[arg(long, requires = "data_to")]
    data_from: Option<Month>,
    /// Last month of data
    #[arg(long, requires = "data_from")]
    data_to: Option<Month>,
    /// The most fetches in all
    #[arg(long)]
    max_fetches: Option<i64>,
    /// The most fetches in a day
    #[arg(long)]
    daily_budget: Option<i64>,
    /// End of validity (RFC 3339)
    #[arg(long)]
    expires_at: Option<Timestamp>,
    /// SHA-256 of the text signed for it, hex
    #[arg(long, value_name = "HEX")]
    text_sha256: Option<String>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
pub(super) async fn run(args: ConsentCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let kinds = Arc::new(config.reference.kinds()?);
    let room = Consents::open(ctx.env(&db), kinds, app::consent_policy(&config));
    let decision = |reason| anyhow::Ok(Decision::by(args.operator.actor(ctx)?).because(reason));
    let changed = match args.action {
        Action::List { after, limit } => {
            let now = ctx.clock.now();
            for consent in room.list_any(after.as_deref(), limit).await.or_fail()? {
                writeln!(
                    ctx.out(),
                    "{}  {:10}  {}  {}",
                    consent.id,
                    consent.state_at(now),
                    consent.uscc,
                    consent.codes.join(",")
                )?;
            }
            None
        }
        Action::Show { id } => {
            let consent = room.get_any(&id).await.or_fail()?;
            show(ctx, &consent, &consents::events(&db, &id).await?)?;
            None
        }
        Action::Grant(grant) => {
            let text_sha256 = match (&grant.text, grant.text_sha256) {
                (Some(file), _) => {
                    let text = std::fs::read(file).with_context(|| file.display().to_string())?;
                    HEXLOWER.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &text).as_ref())
                }
                (None, Some(digest)) => digest,
                (None, None) => return Err(Usage("--text or --text-sha256 is needed".into()).into()),
            };
            let terms = Grant {
                text_sha256,
                text_version: grant.text_version,
                signer: grant.signer,
                expires_at: grant.expires_at,
                replaces: grant.replaces,
            };
            Some(room.grant(&grant.id, &terms, &decision(None)?).await.or_fail()?)
        }
        Action::Reject(change) => Some(room.reject(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Suspend(change) => Some(room.suspend(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Resume(change) => Some(room.resume(&change.id, &decision(change.reason)?).await.or_fail()?),
        Action::Revoke(change) => Some(room.revoke(&change.id, None, &decision(change.reason)?).await.or_fail()?),
        Action::Amend(amend) => {
            let amendment = Amendment {
                permissions: (!amend.permissions.is_empty()).then_some(amend.permissions),
                purposes: (!amend.purposes.is_empty()).then_some(amend.purposes),
                data: amend.data_from.zip(amend.data_to),
                max_fetches: amend.max_fetches,
                daily_budget: amend.daily_budget,
                expires_at: amend.expires_at,
                text_sha256: amend.text_sha256,
            };
            Some(room.amend(&amend.id, &amendment, &decision(amend.reason)?).await.or_fail()?)
        }
    };
    if let Some(consent) = changed {
        writeln!(ctx.out(), "{} is {} (version {})", consent.id, consent.state, consent.version)?;
    }
    db.close().await;
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
    writeln!(out, "  product      {}", consent.product)?;
    writeln!(out, "  data         {} to {}", consent.data_from, consent.data_to)?;
    writeln!(out, "  validity     until {}", consent.expires_at)?;
    let limit = |limit: Option<i64>| limit.map_or_else(|| "not limited".to_owned(), |limit| limit.to_string());
    writeln!(out, "  fetches      in all {}, in a day {}", limit(consent.max_fetches), limit(consent.daily_budget))?;
    writeln!(out, "  history")?;
    for event in events {
        let reason = event.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
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

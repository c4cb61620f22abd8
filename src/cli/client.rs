//! `medcredit client`: banks and departments as clients.

use std::{io::Write, path::PathBuf, sync::Arc};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Context, OrFail, Usage, operator::Operator};
use crate::{
    access::{self, AuthMethod, ClientKind, Delivers, LimitOverrides, NewClient, SignedRequests, SigningChange},
    authority::files,
    domain::permission::Scope,
    identity::CertificateFacts,
    importing::Template,
    store::authorities,
};

/// Banks and departments as clients.
#[derive(Debug, Args)]
pub(super) struct ClientCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register a client under its authority and its certificate's subject
    Register(Box<Register>),
    /// List clients
    List,
    /// Give a client other keys, or another way with signed requests
    Signing(Signing),
    /// Stop a client: its next request is refused, on open connections too
    Suspend(Change),
    /// Let a stopped client go on
    Resume(Change),
}

#[derive(Debug, Args)]
struct Register {
    /// Its name, unique
    #[arg(long)]
    name: String,
    /// bank, department or auditor
    #[arg(long, default_value = "bank")]
    kind: ClientKind,
    /// The authority that issues its certificates, as in `certs list`
    #[arg(long)]
    authority: String,
    /// A certificate of it: its subject is registered
    #[arg(long, value_name = "FILE", required_unless_present = "subject", conflicts_with = "subject")]
    certificate: Option<PathBuf>,
    /// The subject its certificates carry (RFC 4514)
    #[arg(long)]
    subject: Option<String>,
    /// How it may authenticate; may be given twice [tls_client_auth, private_key_jwt]
    #[arg(long = "auth-method", default_value = "tls_client_auth")]
    auth_methods: Vec<AuthMethod>,
    /// Its JSON Web Key Set, for private_key_jwt and signed requests
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Whether its requests are signed (RFC 9421) [ignored, allowed, required]
    #[arg(long, default_value = "ignored")]
    signed_requests: SignedRequests,
    /// A scope; may be given many times. Without it, all of its kind
    #[arg(long = "scope")]
    scopes: Vec<Scope>,
    /// A template a department delivers; may be given many times
    #[arg(long = "template")]
    templates: Vec<Template>,
    /// A source of facts a department speaks for, as files name it; may be given many times
    #[arg(long = "source")]
    sources: Vec<String>,
    /// A quota of its own, as in burst=200; may be given many times
    #[arg(long = "limit", value_name = "NAME=QUOTA")]
    limits: Vec<String>,
    /// Consent requests of it that may wait at once; without it, as configured
    #[arg(long)]
    max_pending: Option<i64>,
}

#[derive(Debug, Args)]
struct Signing {
    /// The client, by id or name
    client: String,
    /// Whether its requests are signed (RFC 9421) [ignored, allowed, required]
    #[arg(long, required_unless_present = "jwks")]
    signed_requests: Option<SignedRequests>,
    /// Its new JSON Web Key Set, in place of the old; for a rotation, with the old keys and the new
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Change {
    /// The client, by id or name
    client: String,
    /// Why
    #[arg(long)]
    reason: Option<String>,
}

/// Runs the command.
pub(super) async fn run(args: ClientCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let env = ctx.env(&db);
    match args.action {
        Action::Register(new) => {
            let authorities = authorities::list(&db).await?;
            let authority =
                authorities.iter().find(|row| row.removed_at.is_none() && row.name == new.authority).ok_or_else(
                    || Usage(format!("no authority is named {:?}; `medcredit certs list` shows them", new.authority)),
                )?;
            let subject = match (&new.certificate, new.subject) {
                (Some(file), _) => {
                    let certificate = files::read_item("CERTIFICATE", file)?;
                    CertificateFacts::read(&certificate).with_context(|| file.display().to_string())?.subject
                }
                (None, Some(subject)) => subject,
                (None, None) => return Err(Usage("--certificate or --subject is needed".into()).into()),
            };
            let jwks = new.jwks.as_deref().map(key_set).transpose()?;
            let limits = quotas(&new.limits)?;
            let new = NewClient {
                name: new.name,
                kind: new.kind,
                authority: authority.id.parse()?,
                subject,
                auth_methods: new.auth_methods,
                jwks,
                signed_requests: new.signed_requests,
                scopes: if new.scopes.is_empty() { new.kind.scopes() } else { new.scopes },
                limits,
                delivers: Delivers {
                    templates: new.templates.iter().map(ToString::to_string).collect(),
                    sources: Arc::new(new.sources.into_iter().collect()),
                },
                max_pending: new.max_pending.unwrap_or(config.consent.max_pending),
            };
            let id = access::register(&env, &args.operator.actor(ctx)?, &new).await.or_fail()?;
            writeln!(ctx.out(), "registered {id}: {} ({})", new.name, new.subject)?;
        }
        Action::List => {
            for client in access::list(&db).await.or_fail()? {
                writeln!(
                    ctx.out(),
                    "{}  {:9}  {:10}  {}  ({})",
                    client.id,
                    client.state,
                    client.kind,
                    client.name,
                    client.subject
                )?;
            }
        }
        Action::Signing(change) => {
            let id = find(&db, &change.client).await?;
            let actor = args.operator.actor(ctx)?;
            let jwks = change.jwks.as_deref().map(key_set).transpose()?;
            let new = SigningChange { signed_requests: change.signed_requests, jwks };
            let reason = change.reason.as_deref();
            let signed = access::change_signing(&env, &actor, reason, &id, new).await.or_fail()?;
            writeln!(ctx.out(), "{id}: signed requests are {signed}")?;
        }
        Action::Suspend(change) => {
            let id = find(&db, &change.client).await?;
            let actor = args.operator.actor(ctx)?;
            access::suspend(&env, &actor, change.reason.as_deref(), &id).await.or_fail()?;
            writeln!(ctx.out(), "suspended {id}")?;
        }
        Action::Resume(change) => {
            let id = find(&db, &change.client).await?;
            let actor = args.operator.actor(ctx)?;
            access::resume(&env, &actor, change.reason.as_deref(), &id).await.or_fail()?;
            writeln!(ctx.out(), "resumed {id}")?;
        }
    }
    db.close().await;
    Ok(())
}

fn key_set(file: &std::path::Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// Quotas of a client's own, as in burst=200.
fn quotas(limits: &[String]) -> Result<LimitOverrides, Usage> {
    let known = ["burst", "sustained", "deliveries"];
    let mut quotas = LimitOverrides::default();
    for limit in limits {
        let (name, quota) =
            limit.split_once('=').ok_or_else(|| Usage(format!("--limit {limit:?}: NAME=QUOTA is wanted")))?;
        let quota: std::num::NonZeroU32 =
            quota.parse().map_err(|_| Usage(format!("--limit {limit:?}: the quota is a number")))?;
        if !known.contains(&name) {
            return Err(Usage(format!("--limit {limit:?}: the limits are {}", known.join(", "))));
        }
        quotas.0.insert(name.to_owned(), quota.get());
    }
    Ok(quotas)
}

async fn find(db: &crate::store::Db, named: &str) -> anyhow::Result<crate::domain::ids::ClientId> {
    let clients = access::list(db).await.or_fail()?;
    let found = clients.iter().find(|client| client.name == named || client.id.to_string() == named);
    Ok(found.ok_or_else(|| Usage(format!("no client is {named:?}; `medcredit client list` shows them")))?.id)
}

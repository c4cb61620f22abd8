//! `medcredit client`: banks, departments, auditors and platforms as clients.

use std::{
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context as _;
use clap::{Args, Subcommand};
use rustls::pki_types::CertificateDer;

use super::{
    Context, OrFail, Usage,
    four_eyes::{Act, BreakGlass, acts_alone},
    operator::Operator,
    push::{Tables, unknown_as_usage},
};
use crate::{
    access::{self, AuthMethod, ClientKind, Delivers, LimitOverrides, NewClient, SignedRequests, SigningChange},
    approvals::Proposed,
    authority::{files, partners},
    domain::{ids::ClientId, permission::Scope},
    importing::Template,
    store::{Db, Env, authorities},
};

/// Manage clients: banks, departments, auditors and platforms.
#[derive(Debug, Args)]
pub(super) struct ClientCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Register a client by its authority and the subject of its certificate
    Register(Box<Register>),
    /// List clients
    List,
    /// Change a client's signing keys, or whether its requests are signed
    Signing(Signing),
    /// Suspend a client: its next request is refused, on open connections too
    Suspend(Change),
    /// Resume a suspended client
    Resume(Resume),
}

#[derive(Debug, Args)]
struct Register {
    /// The client's name, unique among clients
    #[arg(long)]
    name: String,
    /// The kind of client: bank, department, auditor or platform
    #[arg(long, default_value = "bank")]
    kind: ClientKind,
    /// The authority that issues its certificates, as named in `certs list`
    #[arg(long)]
    authority: String,
    /// A certificate of the client, with its intermediates: it is verified under the authority, and its subject is registered
    #[arg(long, value_name = "FILE", required_unless_present = "subject", conflicts_with = "subject")]
    certificate: Option<PathBuf>,
    /// The subject of the client's certificates, as an RFC 4514 string, without any proof
    #[arg(long)]
    subject: Option<String>,
    /// How it may authenticate: tls_client_auth or private_key_jwt; repeatable
    #[arg(long = "auth-method", default_value = "tls_client_auth")]
    auth_methods: Vec<AuthMethod>,
    /// The file with its JSON Web Key Set, for private_key_jwt and signed requests
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Whether its requests are signed (RFC 9421): ignored, allowed or required
    /// [default: ignored; required for a platform]
    #[arg(long)]
    signed_requests: Option<SignedRequests>,
    /// A scope to register; repeatable [default: all scopes of its kind]
    #[arg(long = "scope")]
    scopes: Vec<Scope>,
    /// A template that a department may deliver; repeatable
    #[arg(long = "template")]
    templates: Vec<Template>,
    /// A source that a department may deliver facts of, as files name it; repeatable
    #[arg(long = "source")]
    sources: Vec<String>,
    /// The platform that reports receipts for its packages, by the id of its file
    #[arg(long, value_name = "ID", required_if_eq("kind", "platform"))]
    platform: Option<String>,
    /// A limit of its own, as in burst=200; repeatable
    #[arg(long = "limit", value_name = "NAME=QUOTA")]
    limits: Vec<String>,
    /// The maximum number of its pending consent requests [default: as configured]
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..=access::MOST_PENDING))]
    max_pending: Option<i64>,
    /// The reason, where another operator has to approve it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    glass: BreakGlass,
}

#[derive(Debug, Args)]
struct Signing {
    /// The client, by id or name
    client: String,
    /// Whether its requests are signed (RFC 9421): ignored, allowed or required
    #[arg(long, required_unless_present = "jwks")]
    signed_requests: Option<SignedRequests>,
    /// The file with its new JSON Web Key Set, which replaces the old; for a rotation, with old and new keys
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// The reason, for the ledger
    #[arg(long)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct Resume {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    glass: BreakGlass,
}

#[derive(Debug, Args)]
struct Change {
    /// The client, by id or name
    client: String,
    /// The reason, for the ledger
    #[arg(long)]
    reason: Option<String>,
}

pub(super) async fn run(args: ClientCommand, ctx: &Context) -> anyhow::Result<()> {
    let config = ctx.config()?;
    let db = ctx.store(&config).await?;
    let env = ctx.env(&db);
    match args.action {
        Action::Register(new) => {
            let (reason, glass) = (new.reason.clone(), new.glass);
            let new = new_client(*new, config.consent.max_pending, &env, ctx).await?;
            access::check_new(&new).or_fail()?;
            let actor = args.operator.actor(ctx)?;
            let proposed =
                Proposed::RegisterClient { name: new.name.trim().to_owned(), client: serde_json::to_value(&new)? };
            let act = Act { actor: &actor, proposed, reason: reason.as_deref(), glass };
            if acts_alone(act, &config, &env, ctx).await? {
                let id = access::register(&env, &actor, &new).await.or_fail()?;
                writeln!(ctx.out(), "registered {id}: {} ({})", new.name, new.subject)?;
            }
        }
        Action::List => list(&db, ctx).await?,
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
        Action::Resume(Resume { change, glass }) => {
            let id = find(&db, &change.client).await?;
            let actor = args.operator.actor(ctx)?;
            let proposed = Proposed::ResumeClient { client: id.to_string(), name: change.client };
            let act = Act { actor: &actor, proposed, reason: change.reason.as_deref(), glass };
            if acts_alone(act, &config, &env, ctx).await? {
                access::resume(&env, &actor, change.reason.as_deref(), &id).await.or_fail()?;
                writeln!(ctx.out(), "resumed {id}")?;
            }
        }
    }
    // Closed explicitly, so that SQLite moves its WAL into the file.
    db.close().await;
    Ok(())
}

/// The client to register, from the arguments.
async fn new_client(args: Register, max_pending: i64, env: &Env, ctx: &Context) -> anyhow::Result<NewClient> {
    if let Some(platform) = &args.platform {
        // Registered for a misspelt id, a platform would get 404 for every call.
        Tables::load(ctx)?.platforms(ctx)?.get(platform).map_err(unknown_as_usage)?;
    }
    let authorities = authorities::list(&env.db).await?;
    let authority = authorities.iter().find(|row| {
        // Clients of a former authority of ours are registered under the present one.
        row.removed_at.is_none() && row.kind != "former" && row.name == args.authority
    });
    let authority = authority.ok_or_else(|| {
        Usage(format!("no authority is named {:?}; `medcredit certs list` lists them", args.authority))
    })?;
    let subject = match (&args.certificate, args.subject) {
        (Some(file), _) => {
            let chain = files::read_items(files::CERTIFICATE, file)?;
            let chain: Vec<_> = chain.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
            // Registered without this check, a certificate of another authority or for another use would only fail when the
            // client calls; or the wrong bank's would be taken for the client's.
            let proved = partners::prove_client(&env.db, &authority.id.parse()?, &chain, env.now()).await;
            proved.with_context(|| format!("{} is not proved under {}", file.display(), authority.name))?.subject
        }
        (None, Some(subject)) => {
            writeln!(
                ctx.err(),
                "the subject is registered as given, and nothing proves it: with --certificate it is read from a \
                 certificate that is verified under {}",
                authority.name
            )?;
            subject
        }
        (None, None) => return Err(Usage("--certificate or --subject is needed".into()).into()),
    };
    Ok(NewClient {
        name: args.name,
        kind: args.kind,
        authority: authority.id.parse()?,
        subject,
        auth_methods: args.auth_methods,
        jwks: args.jwks.as_deref().map(key_set).transpose()?,
        signed_requests: args.signed_requests.unwrap_or(match args.kind {
            ClientKind::Platform => SignedRequests::Required,
            _ => SignedRequests::Ignored,
        }),
        scopes: if args.scopes.is_empty() { args.kind.scopes() } else { args.scopes },
        limits: quotas(&args.limits)?,
        delivers: Delivers {
            templates: args.templates.iter().map(ToString::to_string).collect(),
            sources: Arc::new(args.sources.into_iter().collect()),
            platform: args.platform,
        },
        max_pending: args.max_pending.unwrap_or(max_pending),
    })
}

async fn list(db: &Db, ctx: &Context) -> anyhow::Result<()> {
    for client in access::list(db).await.or_fail()? {
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
    Ok(())
}

/// Reads a JSON Web Key Set.
fn key_set(file: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(file).with_context(|| file.display().to_string())
}

/// Parses limits such as burst=200.
fn quotas(limits: &[String]) -> Result<LimitOverrides, Usage> {
    let known = ["burst", "sustained", "deliveries"];
    let mut quotas = LimitOverrides::default();
    for limit in limits {
        let (name, quota) =
            limit.split_once('=').ok_or_else(|| Usage(format!("--limit {limit:?}: write NAME=QUOTA")))?;
        let quota: std::num::NonZeroU32 =
            quota.parse().map_err(|_| Usage(format!("--limit {limit:?}: the quota must be a number")))?;
        if !known.contains(&name) {
            return Err(Usage(format!("--limit {limit:?}: the limits are {}", known.join(", "))));
        }
        quotas.0.insert(name.to_owned(), quota.get());
    }
    Ok(quotas)
}

/// The client with this id or name.
async fn find(db: &Db, named: &str) -> anyhow::Result<ClientId> {
    let clients = access::list(db).await.or_fail()?;
    let found = clients.iter().find(|client| client.name == named || client.id.to_string() == named);
    Ok(found.ok_or_else(|| Usage(format!("no client is {named:?}; `medcredit client list` lists them")))?.id)
}

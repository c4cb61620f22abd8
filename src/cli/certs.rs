//! `medcredit certs`: our own authority, partners' authorities, and their certificates.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Context, Usage, context::custody, operator::Operator};
use crate::{
    authority::{AuthorityError, Custody, ProfileName, ProfileValues, certificates, files, local_ca, partners, server},
    identity::RevocationList,
};

/// Manage certificates: our own authority, partners' authorities, issuing and revoking.
#[derive(Debug, Args)]
pub(super) struct CertsCommand {
    #[command(flatten)]
    operator: Operator,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Create our own authority: its key, its certificate and its first revocation list
    Init(Init),
    /// Issue a certificate by our own authority
    Issue(Issue),
    /// Trust a partner's authority, or change the file of its revocation lists
    Trust(Trust),
    /// Stop trusting a partner's authority: its banks are refused from the next request on
    Distrust {
        /// The authority's name
        name: String,
        /// The reason, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// Revoke a certificate of our own authority
    Revoke {
        /// The certificate, by id, serial number or thumbprint
        certificate: String,
        /// The reason: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn
        #[arg(long, default_value = "unspecified")]
        reason: String,
    },
    /// Refuse a certificate, leaf or intermediate, even if its authority considers it valid
    Refuse {
        /// The certificate's SHA-256 thumbprint, hex or base64url
        thumbprint: String,
        /// The reason, for the ledger
        #[arg(long)]
        reason: String,
    },
    /// List authorities, our own certificates and refused ones
    List,
}

#[derive(Debug, Args)]
struct Init {
    /// The authority's name for operators
    #[arg(long, default_value = "own")]
    name: String,
    /// A value for a placeholder of the profile's subject, as in name="Gateway CA"; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// The file to write the authority's certificate to, for those who are to trust the gateway
    #[arg(long, value_name = "FILE")]
    certificate_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Issue {
    /// The certificate profile: server or bank-client
    #[arg(long)]
    profile: ProfileName,
    /// A value for a placeholder of the profile's subject; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// A host name or address of the server; repeatable
    #[arg(long = "host")]
    hosts: Vec<String>,
    /// A certificate request (PKCS#10) with the key to certify; its subject is ignored [default: create a key]
    #[arg(long, value_name = "FILE")]
    csr: Option<PathBuf>,
    /// The file to write the certificate to
    #[arg(long, value_name = "FILE")]
    certificate_out: PathBuf,
    /// The file to write the new key to, readable by its owner only: sealed for a server, plain PKCS#8 for a bank
    #[arg(long, value_name = "FILE", required_unless_present = "csr", conflicts_with = "csr")]
    key_out: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Trust {
    /// The authority's name for operators
    name: String,
    /// The authority's certificate
    #[arg(long, value_name = "FILE")]
    certificate: PathBuf,
    /// The file in which its revocation lists arrive; it is watched for changes
    #[arg(long, value_name = "FILE")]
    crl: PathBuf,
}

impl Action {
    /// Whether it changes something, and the ledger records the operator.
    const fn changes(&self) -> bool {
        !matches!(self, Self::List)
    }
}

pub(super) async fn run(args: CertsCommand, ctx: &Context) -> anyhow::Result<()> {
    let mut custody = custody(ctx).await?;
    if args.action.changes() {
        custody = custody.acting_for(args.operator.actor(ctx)?);
    }
    let mut out = ctx.out();
    match args.action {
        Action::Init(args) => init(&custody, args, &mut out).await?,
        Action::Issue(args) => issue(&custody, args, &mut out).await?,
        Action::Trust(args) => {
            let certificate = files::read_item(files::CERTIFICATE, &args.certificate)?;
            let id = partners::trust(&custody, &args.name, &certificate, &args.crl).await?;
            writeln!(out, "trusted {id}: {}", args.name)?;
        }
        Action::Distrust { name, reason } => {
            let clients = partners::distrust(&custody, &name, &reason).await?;
            writeln!(out, "no longer trusted: {name}; {clients} clients are refused")?;
        }
        Action::Revoke { certificate, reason } => {
            let revoked = certificates::revoke(&custody, &certificate, &reason).await?;
            writeln!(out, "revoked {}: {}", revoked.id, revoked.subject)?;
        }
        Action::Refuse { thumbprint, reason } => {
            let thumbprint = certificates::refuse(&custody, &thumbprint, &reason).await?;
            writeln!(out, "refused {thumbprint}")?;
        }
        Action::List => list(&custody, &mut out).await?,
    }
    custody.env.db.close().await;
    Ok(())
}

fn profile_values(values: &[String], hosts: Vec<String>) -> Result<ProfileValues, Usage> {
    let mut placeholders = BTreeMap::new();
    for value in values {
        let (name, value) = value.split_once('=').ok_or_else(|| Usage(format!("--set {value:?}: write NAME=VALUE")))?;
        placeholders.insert(name.to_owned(), value.to_owned());
    }
    Ok(ProfileValues { subject: placeholders, hosts })
}

async fn init(custody: &Custody, args: Init, out: &mut impl Write) -> anyhow::Result<()> {
    let made = local_ca::init(custody, &args.name, &profile_values(&args.values, Vec::new())?).await?;
    if let Some(path) = &args.certificate_out {
        write_certificate(path, &made.certificate)?;
    }
    writeln!(out, "created {}: {}, until {}", made.id, made.facts.subject, made.facts.not_after)?;
    Ok(())
}

async fn issue(custody: &Custody, args: Issue, out: &mut impl Write) -> anyhow::Result<()> {
    // A bank's key exists nowhere else: overwriting one would lose it. A server's is replaced while the gateway runs.
    if let Some(path) = args.key_out.as_deref().filter(|path| args.profile == ProfileName::BankClient && path.exists())
    {
        return Err(Usage(format!("{} exists: a bank's key is not overwritten", path.display())).into());
    }
    let signing_request =
        args.csr.as_deref().map(|path| files::read_item(files::CERTIFICATE_REQUEST, path)).transpose()?;
    let request = certificates::Request {
        profile: args.profile,
        values: &profile_values(&args.values, args.hosts)?,
        signing_request: signing_request.as_deref().map(Vec::as_slice),
    };
    let issued = certificates::issue(custody, &request).await?;
    // The key before the certificate: a crash in between leaves no certificate that lacks its key.
    if let (Some(path), Some(key)) = (&args.key_out, &issued.private_key) {
        let text = match args.profile {
            ProfileName::Server => server::seal(&custody.crypter, &issued.facts, key)?,
            _ => files::to_pem(files::PRIVATE_KEY, key),
        };
        files::write_private(path, text.as_bytes())?;
    }
    write_certificate(&args.certificate_out, &issued.certificate)?;
    let facts = &issued.facts;
    writeln!(out, "issued {}: {}, serial {}, until {}", issued.id, facts.subject, facts.serial, facts.not_after)?;
    Ok(())
}

fn write_certificate(path: &Path, der: &[u8]) -> Result<(), AuthorityError> {
    files::write_public(path, files::to_pem(files::CERTIFICATE, der).as_bytes())
}

async fn list(custody: &Custody, out: &mut impl Write) -> anyhow::Result<()> {
    let now = custody.env.clock.now();
    for authority in partners::list(custody).await? {
        let lists = match (&authority.crl, &authority.crl_file) {
            (Some(der), _) => RevocationList::read(der).map(|list| vec![list]).map_err(anyhow::Error::msg),
            (None, Some(file)) => partners::read_lists(Path::new(file), &authority.certificate, now)
                .map_err(anyhow::Error::msg)
                .with_context(|| file.clone()),
            (None, None) => Ok(Vec::new()),
        };
        let state = match (authority.removed_at, lists) {
            (Some(at), _) => format!("not trusted since {at}"),
            (None, Err(error)) => format!("its file cannot be used: {error:#}"),
            // The list that expires first decides: from then on the authority's banks are refused (T3).
            (None, Ok(lists)) => match lists.iter().map(|list| list.next_update).min() {
                None => "has no revocation list".into(),
                Some(next) if next <= now => format!("revocation list stale since {next}"),
                Some(next) => format!("revocation list until {next}"),
            },
        };
        let facts = &authority.facts;
        writeln!(out, "{}  {:7}  {}  ({})", authority.id, authority.kind, authority.name, facts.subject)?;
        writeln!(out, "    until {}; {state}", facts.not_after)?;
    }
    for certificate in certificates::list(custody).await? {
        let state = match &certificate.revoked {
            Some((at, reason)) => format!("revoked {at} ({reason})"),
            None if certificate.not_after <= now => format!("expired {}", certificate.not_after),
            None => format!("until {}", certificate.not_after),
        };
        writeln!(out, "{}  {:11}  {}  {state}", certificate.id, certificate.profile, certificate.subject)?;
        writeln!(out, "    serial {}; thumbprint {}", certificate.serial, certificate.thumbprint)?;
    }
    for refused in partners::list_refused(custody).await? {
        writeln!(out, "refused  {}  since {}: {}", refused.thumbprint, refused.since, refused.reason)?;
    }
    Ok(())
}

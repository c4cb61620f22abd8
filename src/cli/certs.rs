//! `medcredit certs`: our own authority, partners' authorities, and their certificates.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use clap::{Args, Subcommand};

use super::{Context, OrFail, Usage, context::custody, operator::Operator};
use crate::{
    access,
    authority::{
        AuthorityError, Custody, ProfileName, ProfileValues,
        certificates::{self, Issued, NewKey},
        files,
        local_ca::{self, Replaced},
        partners, server,
    },
    identity::{KeyPair, RevocationList, Signer as _, Suite},
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
    /// Replace our own authority by a new one; the former one stays trusted until `certs distrust`
    Roll(Roll),
    /// Issue a certificate by our own authority
    Issue(Issue),
    /// Trust a partner's authority, or change the file of its revocation lists
    Trust(Trust),
    /// Stop trusting a partner's authority, or a former one of ours: its certificates are refused from the next request on
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
        // Thumbprints are base64url, and one in 64 begins with a hyphen.
        #[arg(allow_hyphen_values = true)]
        certificate: String,
        /// The reason: unspecified, keyCompromise, affiliationChanged, superseded, cessationOfOperation or privilegeWithdrawn
        #[arg(long, default_value = "unspecified")]
        reason: String,
    },
    /// Refuse a certificate, leaf or intermediate, even if its authority considers it valid
    Refuse {
        /// The certificate's SHA-256 thumbprint, hex or base64url
        #[arg(allow_hyphen_values = true)]
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
struct Roll {
    /// A value for a placeholder of the profile's subject; repeatable
    #[arg(long = "set", value_name = "NAME=VALUE")]
    values: Vec<String>,
    /// The file to write the new authority's certificate to, for those who are to trust the gateway
    #[arg(long, value_name = "FILE")]
    certificate_out: PathBuf,
    /// The former authority's key may be in other hands: refuse all its certificates immediately
    #[arg(long, requires = "reason")]
    compromised: bool,
    /// The reason, for the ledger
    #[arg(long, requires = "compromised")]
    reason: Option<String>,
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
        Action::Roll(args) => roll(&custody, args, &mut out).await?,
        Action::Issue(args) => issue(&custody, args, ctx).await?,
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
    refuse_existing(args.certificate_out.as_deref())?;
    let made = local_ca::init(custody, &args.name, &profile_values(&args.values, Vec::new())?).await?;
    if let Some(path) = &args.certificate_out {
        write_certificate(path, &made.certificate)?;
    }
    writeln!(out, "created {}: {}, until {}", made.id, made.facts.subject, made.facts.not_after)?;
    Ok(())
}

async fn roll(custody: &Custody, args: Roll, out: &mut impl Write) -> anyhow::Result<()> {
    refuse_existing(Some(&args.certificate_out))?;
    let values = profile_values(&args.values, Vec::new())?;
    let replaced = match &args.reason {
        Some(reason) if args.compromised => Replaced::Compromised(reason),
        _ => Replaced::Trusted,
    };
    let (made, former) = local_ca::roll(custody, &values, replaced).await?;
    write_certificate(&args.certificate_out, &made.certificate)?;
    writeln!(out, "created {}, until {}", made.facts.subject, made.facts.not_after)?;
    if replaced == Replaced::Trusted {
        writeln!(out, "certificates of the former authority are accepted until `medcredit certs distrust {former}`")?;
    } else {
        writeln!(out, "every certificate of the former authority is refused: issue new ones, the server's first")?;
    }
    Ok(())
}

async fn issue(custody: &Custody, args: Issue, ctx: &Context) -> anyhow::Result<()> {
    // Looked at before anything is issued; the writing itself replaces nothing either.
    refuse_existing(Some(&args.certificate_out))?;
    let (issued, word) = match &args.key_out {
        Some(path) if path.exists() => (interrupted(custody, &args, path).await?, "finished"),
        _ => (issue_now(custody, &args).await?, "issued"),
    };
    write_certificate(&args.certificate_out, &issued.certificate)?;
    let facts = &issued.facts;
    writeln!(ctx.out(), "{word} {}: {}, serial {}, until {}", issued.id, facts.subject, facts.serial, facts.not_after)?;
    if args.profile == ProfileName::BankClient {
        warn_of_namesakes(custody, &issued, ctx).await?;
    }
    Ok(())
}

fn refuse_existing(certificate: Option<&Path>) -> Result<(), Usage> {
    match certificate.filter(|path| path.exists()) {
        Some(path) => Err(Usage(format!(
            "{} exists, and no certificate is overwritten: choose another name, and move the files over the old ones once \
             both are there",
            path.display()
        ))),
        None => Ok(()),
    }
}

/// Issues a certificate, after its new key is in its file.
async fn issue_now(custody: &Custody, args: &Issue) -> anyhow::Result<Issued> {
    let signing_request =
        args.csr.as_deref().map(|path| files::read_item(files::CERTIFICATE_REQUEST, path)).transpose()?;
    let request = certificates::Request {
        profile: args.profile,
        values: &profile_values(&args.values, args.hosts.clone())?,
        signing_request: signing_request.as_deref().map(Vec::as_slice),
    };
    let Some(path) = &args.key_out else { return Ok(certificates::issue(custody, &request).await?) };
    let key = NewKey::generate()?;
    let text = match args.profile {
        ProfileName::Server => server::seal_for(&custody.crypter, &key.public_der, &key.private)?,
        _ => files::to_pem(files::PRIVATE_KEY, &key.private),
    };
    // The key is on the disk before there is a certificate for it: a crash from here on leaves a key without its
    // certificate, and the same command finishes the work.
    files::create_private(path, text.as_bytes())?;
    let issued = certificates::issue_for(custody, &request, &key).await;
    if matches!(&issued, Err(error) if !matches!(error, AuthorityError::Store(_))) {
        // Nothing was issued for it. After an error of the store that is not known, and the key stays.
        let _ = std::fs::remove_file(path);
    }
    Ok(issued?)
}

/// The certificate that an interrupted command had issued for the key in a file. Another key is left alone.
async fn interrupted(custody: &Custody, args: &Issue, path: &Path) -> anyhow::Result<Issued> {
    let found = if args.profile == ProfileName::Server {
        let sealed = files::read_item(files::SEALED_KEY, path).unwrap_or_default();
        let is_for = |public: &[u8]| server::is_key_of(&custody.crypter, &sealed, public);
        certificates::find_issued(custody, args.profile, is_for).await?
    } else {
        let private = files::read_item(files::PRIVATE_KEY, path).unwrap_or_default();
        let pair = KeyPair::from_pkcs8(Suite::Es256, &private).ok();
        let is_for = |public: &[u8]| pair.as_ref().is_some_and(|pair| pair.public_key_der() == public);
        certificates::find_issued(custody, args.profile, is_for).await?
    };
    let unknown = || {
        Usage(format!(
            "{} exists, and no certificate was issued for it: a key is not overwritten. Choose another name, or remove the \
             file if nobody has its certificate",
            path.display()
        ))
    };
    Ok(found.ok_or_else(unknown)?)
}

/// Names the clients that the holder of a new certificate can act as.
async fn warn_of_namesakes(custody: &Custody, issued: &Issued, ctx: &Context) -> anyhow::Result<()> {
    let (mut err, subject) = (ctx.err(), &issued.facts.subject);
    let own =
        partners::list(custody).await?.into_iter().find(|known| known.kind == "own" && known.removed_at.is_none());
    let clients = access::list(&custody.env.db).await.or_fail()?;
    let mut registered = false;
    for client in clients.iter().filter(|client| client.subject == *subject) {
        if own.as_ref().is_some_and(|own| own.id == client.authority) {
            registered = true;
            writeln!(
                err,
                "warning: {subject} is the subject of {}: the holder of this certificate acts as this client. If it is for \
                 somebody else, run `medcredit certs revoke {}` before you hand it out",
                client.name, issued.id
            )?;
        } else {
            writeln!(
                err,
                "warning: {}, of another authority, has the subject {subject} too: register the new client under another one",
                client.name
            )?;
        }
    }
    let now = custody.env.clock.now();
    let others = certificates::list(custody).await?;
    let earlier =
        others.iter().filter(|other| other.subject == *subject && other.thumbprint != issued.facts.thumbprint);
    // Of a registered client this is a renewal, which the line above is about.
    for other in earlier.filter(|other| !registered && other.revoked.is_none() && other.not_after > now) {
        writeln!(
            err,
            "warning: {} has the same subject until {}: the holders of both will be one client",
            other.id, other.not_after
        )?;
    }
    Ok(())
}

fn write_certificate(path: &Path, der: &[u8]) -> Result<(), AuthorityError> {
    files::create_public(path, files::to_pem(files::CERTIFICATE, der).as_bytes())
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

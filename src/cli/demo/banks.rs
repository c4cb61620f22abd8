//! Certificates: the authority, the server's, and two banks with their own.

use std::path::PathBuf;

use anyhow::Context as _;

use super::directory::DemoDirectory;
use crate::{
    access::{self, AuthMethod, ClientKind, Delivers, LimitOverrides, NewClient, SignedRequests},
    authority::{Custody, ProfileName, ProfileValues, certificates, files, local_ca, partners, server},
    cli::{OrFail, bank::Profile},
    config::Config,
    domain::{
        Clock,
        ids::{AuthorityId, ClientId},
    },
    identity::CertificateFacts,
};

/// A certificate with less of its lifetime left is replaced.
const RENEWAL: std::time::Duration = std::time::Duration::from_hours(24 * 7);

/// A bank of the demonstration.
#[derive(Debug, Clone)]
pub(super) struct DemoBank {
    pub(super) name: String,
    /// Its `client_id`.
    pub(super) id: ClientId,
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    /// Its profile, for `medcredit bank --profile`.
    pub(super) profile: PathBuf,
}

fn profile_values(name: &str, organization: &str) -> ProfileValues {
    let mut profile_values = ProfileValues::default();
    profile_values.subject.insert("name".into(), name.into());
    profile_values.subject.insert("organization".into(), organization.into());
    profile_values
}

/// Whether a certificate file exists and is valid long enough.
fn is_good(path: &std::path::Path, clock: &dyn Clock) -> bool {
    let facts =
        files::read_items("CERTIFICATE", path).ok().and_then(|items| CertificateFacts::read(items.first()?).ok());
    facts.is_some_and(|facts| facts.not_after > clock.now().plus(RENEWAL))
}

/// Makes the development authority, unless there is one.
pub(super) async fn ensure_authority(directory: &DemoDirectory, custody: &Custody) -> anyhow::Result<AuthorityId> {
    let known = partners::list(custody).await?;
    let own = known.into_iter().find(|authority| authority.kind == "own" && authority.removed_at.is_none());
    let (id, certificate) = if let Some(own) = own {
        (own.id, own.certificate)
    } else {
        let made = local_ca::init(
            custody,
            "development",
            &profile_values("Medcredit development authority (synthetic)", "Medcredit demonstration"),
        )
        .await?;
        (made.id, made.certificate)
    };
    files::write_public(&directory.file("certs/ca.pem"), files::to_pem("CERTIFICATE", &certificate).as_bytes())?;
    Ok(id)
}

/// Makes the partner listener's certificate and sealed key, unless they are valid.
pub(super) async fn ensure_server_certificate(
    directory: &DemoDirectory,
    config: &Config,
    custody: &Custody,
) -> anyhow::Result<()> {
    if is_good(&config.partner.certificate_file, &*custody.env.clock) && config.partner.key_file.exists() {
        return Ok(());
    }
    let mut profile_values = profile_values("localhost", "Medcredit demonstration");
    profile_values.hosts = vec!["localhost".into(), "127.0.0.1".into()];
    let request =
        certificates::Request { profile: ProfileName::Server, values: &profile_values, signing_request: None };
    let issued = certificates::issue(custody, &request).await?;
    let key = issued.private_key.context("a new server key")?;
    let sealed = server::seal(&custody.crypter, &issued.facts, &key)?;
    // The key first: after a crash in between, a key without its certificate does no harm.
    files::write_private(&directory.file("certs/server.key"), sealed.as_bytes())?;
    files::write_public(
        &directory.file("certs/server.pem"),
        files::to_pem("CERTIFICATE", &issued.certificate).as_bytes(),
    )?;
    Ok(())
}

/// Registers two banks with valid certificates, unless they are registered.
pub(super) async fn ensure_banks(
    directory: &DemoDirectory,
    config: &Config,
    custody: &Custody,
    authority: AuthorityId,
) -> anyhow::Result<[DemoBank; 2]> {
    let first = NewBank { file: "bank-a", name: "合成银行甲 (synthetic)" };
    let second = NewBank { file: "bank-b", name: "合成银行乙 (synthetic)" };
    Ok([
        ensure_bank(directory, config, custody, authority, first).await?,
        ensure_bank(directory, config, custody, authority, second).await?,
    ])
}

/// A bank to register.
struct NewBank {
    /// The name of its files, and in its certificate.
    file: &'static str,
    name: &'static str,
}

async fn ensure_bank(
    directory: &DemoDirectory,
    config: &Config,
    custody: &Custody,
    authority: AuthorityId,
    bank: NewBank,
) -> anyhow::Result<DemoBank> {
    let NewBank { file, name } = bank;
    let certificate = directory.file(&format!("banks/{file}.pem"));
    let key = directory.file(&format!("banks/{file}.key"));
    if !is_good(&certificate, &*custody.env.clock) || !key.exists() {
        let profile_values = profile_values(file, name);
        let request =
            certificates::Request { profile: ProfileName::BankClient, values: &profile_values, signing_request: None };
        let issued = certificates::issue(custody, &request).await?;
        let private = issued.private_key.context("a new bank key")?;
        // The certificate last: `is_good` looks at it, so after a crash in between both are issued again.
        files::write_private(&key, files::to_pem("PRIVATE KEY", &private).as_bytes())?;
        files::write_public(&certificate, files::to_pem("CERTIFICATE", &issued.certificate).as_bytes())?;
    }
    let facts = CertificateFacts::read(&files::read_item("CERTIFICATE", &certificate)?)?;
    let clients = access::list(&custody.env.db).await.or_fail()?;
    let known = clients.iter().find(|client| client.authority == authority && client.subject == facts.subject);
    let id = if let Some(client) = known {
        client.id
    } else {
        let new = NewClient {
            name: name.into(),
            kind: ClientKind::Bank,
            authority,
            subject: facts.subject,
            auth_methods: vec![AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests: SignedRequests::Ignored,
            scopes: ClientKind::Bank.scopes(),
            limits: LimitOverrides::default(),
            delivers: Delivers::default(),
            max_pending: 100,
        };
        access::register(&custody.env, &super::demo_operator()?, &new).await.or_fail()?
    };
    // Rewritten every time, because the port may have changed.
    let profile = directory.file(&format!("banks/{file}.toml"));
    let text = Profile::text(
        &config.gateway.public_origin,
        "../certs/ca.pem",
        &format!("{file}.pem"),
        &format!("{file}.key"),
        &format!("{file}-answers"),
    );
    files::write_public(&profile, text.as_bytes())?;
    Ok(DemoBank { name: name.into(), id, certificate, key, profile })
}

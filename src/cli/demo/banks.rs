//! Certificates: the authority, the server's, and two banks with their own.

use std::path::PathBuf;

use anyhow::Context as _;

use super::place::Place;
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

/// What has less than this left is made anew.
const RENEWAL: std::time::Duration = std::time::Duration::from_hours(24 * 7);

/// A bank of the demonstration.
#[derive(Debug, Clone)]
pub(super) struct DemoBank {
    /// Its name.
    pub(super) name: String,
    /// Who it is.
    pub(super) id: ClientId,
    /// Its certificate chain.
    pub(super) certificate: PathBuf,
    /// Its private key.
    pub(super) key: PathBuf,
    /// What `medcredit bank --profile` takes.
    pub(super) profile: PathBuf,
}

fn profile_values(name: &str, organization: &str) -> ProfileValues {
    let mut profile_values = ProfileValues::default();
    profile_values.subject.insert("name".into(), name.into());
    profile_values.subject.insert("organization".into(), organization.into());
    profile_values
}

/// Whether a certificate file is there and good for a while.
fn is_good(path: &std::path::Path, clock: &dyn Clock) -> bool {
    let facts =
        files::read_items("CERTIFICATE", path).ok().and_then(|items| CertificateFacts::read(items.first()?).ok());
    facts.is_some_and(|facts| facts.not_after > clock.now().plus(RENEWAL))
}

/// The development authority.
pub(super) async fn ensure_authority(place: &Place, custody: &Custody) -> anyhow::Result<AuthorityId> {
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
    files::write_public(&place.file("certs/ca.pem"), files::to_pem("CERTIFICATE", &certificate).as_bytes())?;
    Ok(id)
}

/// The partner listener's certificate, its key sealed.
pub(super) async fn ensure_server_certificate(place: &Place, config: &Config, custody: &Custody) -> anyhow::Result<()> {
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
    // The key first: a certificate without its key is not taken up, a key without its certificate harms nobody.
    files::write_private(&place.file("certs/server.key"), sealed.as_bytes())?;
    files::write_public(&place.file("certs/server.pem"), files::to_pem("CERTIFICATE", &issued.certificate).as_bytes())?;
    Ok(())
}

/// Two banks, registered, with certificates that are good.
pub(super) async fn ensure_banks(
    place: &Place,
    config: &Config,
    custody: &Custody,
    authority: AuthorityId,
) -> anyhow::Result<[DemoBank; 2]> {
    let one = ensure_bank(place, config, custody, authority, ("bank-a", "合成银行甲 (synthetic)")).await?;
    let other = ensure_bank(place, config, custody, authority, ("bank-b", "合成银行乙 (synthetic)")).await?;
    Ok([one, other])
}

async fn ensure_bank(
    place: &Place,
    config: &Config,
    custody: &Custody,
    authority: AuthorityId,
    (file, name): (&str, &str),
) -> anyhow::Result<DemoBank> {
    let certificate = place.file(&format!("banks/{file}.pem"));
    let key = place.file(&format!("banks/{file}.key"));
    if !is_good(&certificate, &*custody.env.clock) || !key.exists() {
        let profile_values = profile_values(file, name);
        let request =
            certificates::Request { profile: ProfileName::BankClient, values: &profile_values, signing_request: None };
        let issued = certificates::issue(custody, &request).await?;
        let private = issued.private_key.context("a new bank key")?;
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
    // Written anew each time: the port may be another one.
    let profile = place.file(&format!("banks/{file}.toml"));
    let text = Profile::text(
        &config.gateway.public_origin,
        "../certs/ca.pem",
        (&format!("{file}.pem"), &format!("{file}.key")),
        &format!("{file}-answers"),
    );
    files::write_public(&profile, text.as_bytes())?;
    Ok(DemoBank { name: name.into(), id, certificate, key, profile })
}

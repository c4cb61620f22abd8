//! The real gateway on loopback, over real TLS, with a small city. Time passes only when a test advances it.

mod authority;
mod city;
mod client;

use std::{sync::Arc, time::Duration};

use medcredit::{
    access::{self, AuthMethod, ClientKind, Delivers, LimitOverrides, NewClient, SignedRequests},
    app::App,
    authority::{Custody, ProfileName, files, local_ca},
    config::Config,
    consent::{Consent, Grant, NewConsent, SignedText},
    domain::{
        Month,
        ids::AuthorityId,
        permission::{Permission, Purpose},
    },
    http::server::Running,
    identity::{
        CertificateFacts,
        tls::{ClientCertificate, client_config},
    },
    ledger::Faults,
    store::Arg,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tokio::net::TcpListener;

use super::TestStore;
use authority::{issue, profile_values};

pub use authority::furnish;
pub use city::{CLINIC, ENTITY, HOSPITAL, MEDIUM, OTHER_ENTITY, PHARMACY, YOUNG};
pub use client::{Bank, Public, Reply};

/// A base64 key of 32 bytes, for tests only.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// A gateway under test.
#[derive(Debug)]
pub struct TestApp {
    /// Store, clock and entropy.
    pub store: TestStore,
    pub app: Arc<App>,
    /// The authority that issues certificates.
    pub authority: AuthorityId,
    /// The origin of the partner listener.
    pub origin: String,
    /// The authority's certificate, DER.
    pub ca: Vec<u8>,
    roots: RootCertStore,
    settings: String,
    directory: tempfile::TempDir,
    custody: Custody,
    running: Running,
}

impl TestApp {
    /// Starts a gateway with the small city and no bank.
    pub async fn start(store: TestStore) -> Self {
        Self::start_with(store, "").await
    }

    /// Starts it with additional configuration.
    pub async fn start_with(store: TestStore, settings: &str) -> Self {
        Self::start_breakable(store, settings, Faults::default()).await
    }

    /// Starts it so that the test can make the steps of a disclosure fail.
    pub async fn start_breakable(store: TestStore, settings: &str, faults: Faults) -> Self {
        let directory = crate::support::private_directory();
        // Bound before the configuration is made, because the public origin names the port.
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        std::fs::create_dir(directory.path().join("secrets")).unwrap();
        files::write_private(&directory.path().join("secrets/key-encryption-keys"), KEY.as_bytes()).unwrap();
        let text = format!("[gateway]\npublic_origin = \"{origin}\"\n{settings}\n");
        let config = Config::parse(&text, &directory.path().join("gateway.toml")).unwrap();
        let crypter = Arc::new(medcredit::authority::crypter(&config.secrets).unwrap());
        let custody = Custody::new(
            medcredit::store::Env::new(store.db.clone(), store.clock.clone(), store.entropy.clone()),
            crypter.clone(),
            &config.authority,
        );
        let ca = furnish(&custody, &config).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.certificate.clone())).unwrap();
        city::import(&store, &directory, crypter).await;
        let app = App::open_breakable(config, store.env(), faults).await.unwrap();
        let running = Running::listen(app.clone(), socket).unwrap();
        let settings = settings.to_owned();
        Self { store, app, authority: ca.id, origin, ca: ca.certificate, roots, settings, directory, custody, running }
    }

    /// A file beside the gateway's configuration.
    pub fn path(&self, name: &str) -> std::path::PathBuf {
        self.directory.path().join(name)
    }

    /// The additional configuration.
    pub fn settings(&self) -> &str {
        &self.settings
    }

    /// Opens the portal, if the configuration has one.
    pub async fn open_portal(&mut self) -> Public {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        self.running.open_portal(socket).unwrap();
        Public { http: self.connect_publicly(), origin }
    }

    /// Opens the console, if the configuration has one; returns its address on loopback.
    pub async fn open_console(&mut self) -> String {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        self.running.open_console(socket).unwrap();
        origin
    }

    /// A TLS configuration without a client certificate.
    pub fn public_tls(&self, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
        let clock = self.store.clock.clone();
        let mut config = client_config(self.roots.clone(), None, clock).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// An HTTP client without a certificate.
    pub fn connect_publicly(&self) -> reqwest::Client {
        let config = Arc::unwrap_or_clone(self.public_tls(&["h2", "http/1.1"]));
        // A proxy from the environment would not reach the loopback address.
        let builder = reqwest::Client::builder().tls_backend_preconfigured(config).no_proxy();
        builder.timeout(Duration::from_secs(30)).build().unwrap()
    }

    /// Administers keys and certificates.
    pub const fn custody(&self) -> &Custody {
        &self.custody
    }

    /// Advances the time, and applies changes as the background tasks would.
    pub async fn advance(&self, by: Duration) {
        self.store.clock.advance(by);
        // The background tasks do this at half of the list's validity.
        local_ca::renew_list(&self.custody).await.unwrap();
        self.app.catch_up().await.unwrap();
    }

    /// Issues a certificate without registering a client.
    pub async fn certificate(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        issue(&self.custody, ProfileName::BankClient, &profile_values(name)).await
    }

    /// A TLS configuration with a client's certificate.
    pub fn tls(&self, certificate: &[u8], key: &[u8], alpn: &[&str]) -> rustls::ClientConfig {
        let identity = ClientCertificate {
            chain: vec![CertificateDer::from(certificate.to_vec())],
            key: PrivateKeyDer::try_from(key.to_vec()).unwrap(),
        };
        let mut config = client_config(self.roots.clone(), Some(identity), self.store.clock.clone()).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// An HTTP client with a certificate.
    pub fn connect(&self, certificate: &[u8], key: &[u8]) -> reqwest::Client {
        reqwest::Client::builder()
            .tls_backend_preconfigured(self.tls(certificate, key, &["h2", "http/1.1"]))
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .build()
            .unwrap()
    }

    /// Registers a bank with every scope.
    pub async fn bank(&self, name: &str) -> Bank {
        self.bank_with(name, |_| {}).await
    }

    /// Registers a bank after changing its registration.
    pub async fn bank_with(&self, name: &str, change: impl FnOnce(&mut NewClient)) -> Bank {
        let (certificate, key) = self.certificate(name).await;
        let subject = CertificateFacts::read(&certificate).unwrap().subject;
        let mut new = NewClient {
            name: name.into(),
            kind: ClientKind::Bank,
            authority: self.authority,
            subject,
            auth_methods: vec![AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests: SignedRequests::Ignored,
            scopes: ClientKind::Bank.scopes(),
            limits: LimitOverrides::default(),
            delivers: Delivers::default(),
            max_pending: 5,
        };
        change(&mut new);
        let id = access::register(&self.store.env(), crate::support::tester(), &new).await.unwrap();
        // Without background tasks the gateway learns of the bank only here.
        self.app.catch_up().await.unwrap();
        Bank { id, http: self.connect(&certificate, &key), certificate, key, origin: self.origin.clone() }
    }

    /// The default request for a consent.
    pub fn wish(&self) -> NewConsent {
        NewConsent {
            uscc: ENTITY.into(),
            codes: vec![HOSPITAL.into(), CLINIC.into()],
            permissions: vec![Permission::Grade, Permission::Settlements],
            purposes: vec![Purpose::PreLoanReview],
            product: "医保信用贷".into(),
            reference: None,
            data_from: Some("2025-01".parse::<Month>().unwrap()),
            data_to: Some("2026-03".parse().unwrap()),
            valid_for_days: Some(90),
            max_fetches: None,
            daily_budget: None,
        }
    }

    /// A pending consent.
    pub async fn pending(&self, bank: &Bank, change: impl FnOnce(&mut NewConsent)) -> Consent {
        let mut wish = self.wish();
        change(&mut wish);
        // Not the registered limit of pending requests, which these tests are not about.
        self.app.consents.request(bank.id, 1000, &wish).await.unwrap()
    }

    /// An active consent.
    pub async fn consent(&self, bank: &Bank, change: impl FnOnce(&mut NewConsent)) -> Consent {
        let pending = self.pending(bank, change).await;
        self.app
            .consents
            .grant(&pending.id.to_string(), &signed(), &crate::support::decided_by("tester"))
            .await
            .unwrap()
    }

    /// Changes rows directly, into states that no use-case produces yet.
    pub async fn sql(&self, statement: &'static str, args: Vec<Arg>) {
        let mut tx = self.store.db.begin("test").await.unwrap();
        tx.execute(statement, args).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The evidence of a grant.
pub fn signed() -> Grant {
    Grant { text: signed_text("ab"), expires_at: None, replaces: None }
}

/// A signed text, whose digest repeats one byte.
pub fn signed_text(byte: &str) -> SignedText {
    SignedText { sha256: byte.repeat(32), version: "1".into(), signer: "legal_representative".into() }
}

//! The real gateway on loopback, over real TLS, with a small city. Time passes only when a test advances it.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use medcredit::{
    access::{self, AuthMethod, ClientKind, Delivers, LimitOverrides, NewClient, SignedRequests},
    app::App,
    authority::{self, Custody, ProfileName, ProfileValues, certificates, files, keys, local_ca, server},
    config::Config,
    consent::{Consent, Grant, NewConsent},
    domain::{
        Month,
        ids::{AuthorityId, ClientId},
        permission::{Permission, Purpose},
    },
    grading::{Library, Rounds},
    http::server::Running,
    identity::CertificateFacts,
    importing::{Importer, Options, References, Template},
    ledger::Faults,
    store::Arg,
};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use serde_json::Value;
use tokio::net::TcpListener;

use super::{TestStore, logs::never_logged};

/// A base64 key of 32 bytes, for tests only.
pub const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

/// An entity with two institutions and a pharmacy.
pub const ENTITY: &str = "91330302MA2AB3C47J";
/// Its hospital, graded good.
pub const HOSPITAL: &str = "H33030200001";
/// Its clinic, graded excellent, with few visits in one month.
pub const CLINIC: &str = "H33030200002";
/// Its pharmacy, not evaluated yet.
pub const PHARMACY: &str = "P33030200017";
/// Another entity.
pub const OTHER_ENTITY: &str = "52330304MJ8765K12B";
/// Its institution, graded medium: not in good standing.
pub const MEDIUM: &str = "H33030400003";
/// Its newest institution: its agreement is younger than a year.
pub const YOUNG: &str = "H33030400004";

const SUBJECTS: &str = "kind,code,uscc,name,region,level,parent_code,id_type,id_number,legal_representative,agreement_signed_on,agreement_status,licence_status
medical_institution,H33030200001,91330302MA2AB3C47J,合成鹿城医院,330302,二级,,01,330302198001010019,合成代表甲,2015-05-01,active,active
medical_institution,H33030200002,91330302MA2AB3C47J,合成鹿城门诊,330302,一级,,01,330302198001010019,合成代表甲,2016-05-01,active,active
pharmacy,P33030200017,91330302MA2AB3C47J,合成鹿城药店,330302,,,01,330302198001010019,合成代表甲,2018-05-01,active,active
medical_institution,H33030400003,52330304MJ8765K12B,合成瓯海医院,330304,一级,,,,,2017-05-01,active,active
medical_institution,H33030400004,52330304MJ8765K12B,合成瓯海诊所,330304,一级,,,,,2025-10-01,active,active
";

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

/// A bank with its certificate.
#[derive(Debug, Clone)]
pub struct Bank {
    pub id: ClientId,
    /// The certificate, DER.
    pub certificate: Vec<u8>,
    /// The private key, PKCS#8.
    pub key: Vec<u8>,
    /// A client with its certificate.
    pub http: reqwest::Client,
    origin: String,
}

/// A client without a certificate.
#[derive(Debug, Clone)]
pub struct Public {
    pub http: reqwest::Client,
    /// The origin of the portal.
    pub origin: String,
}

impl Public {
    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// Sends a GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.http.get(self.url(path))).await
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        Reply::of(request.send().await.unwrap()).await.unwrap()
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: BTreeMap<String, String>,
    pub bytes: Vec<u8>,
    /// The body as JSON, or null.
    pub json: Value,
}

impl Reply {
    /// The code of the problem or of the OAuth error.
    pub fn code(&self) -> &str {
        self.json["code"].as_str().or_else(|| self.json["error"].as_str()).unwrap_or_default()
    }

    /// Status and code, for a short assertion.
    pub fn refusal(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    async fn of(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        let bytes = response.bytes().await?.to_vec();
        let json = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Self { status, headers, bytes, json })
    }
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
        let directory = tempfile::tempdir().unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        std::fs::create_dir(directory.path().join("secrets")).unwrap();
        std::fs::write(directory.path().join("secrets/key-encryption-keys"), KEY).unwrap();
        let text = format!("[gateway]\npublic_origin = \"{origin}\"\n{settings}\n");
        let config = Config::parse(&text, &directory.path().join("gateway.toml")).unwrap();
        let crypter = Arc::new(authority::crypter(&config.secrets).unwrap());
        let custody = Custody::new(
            medcredit::store::Env::new(store.db.clone(), store.clock.clone(), store.entropy.clone()),
            crypter.clone(),
            &config.authority,
        );
        let ca = furnish(&custody, &config).await;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.certificate.clone())).unwrap();
        city(&store, &directory, crypter).await;
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

    /// A TLS configuration without a client certificate.
    pub fn public_tls(&self, alpn: &[&str]) -> Arc<rustls::ClientConfig> {
        let clock = self.store.clock.clone();
        let mut config = medcredit::identity::tls::client_config(self.roots.clone(), None, clock).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// An HTTP client without a certificate.
    pub fn connect_publicly(&self) -> reqwest::Client {
        let config = Arc::unwrap_or_clone(self.public_tls(&["h2", "http/1.1"]));
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

    /// An HTTP client with a certificate.
    pub fn connect(&self, certificate: &[u8], key: &[u8]) -> reqwest::Client {
        let identity =
            (vec![CertificateDer::from(certificate.to_vec())], PrivateKeyDer::try_from(key.to_vec()).unwrap());
        let mut config =
            medcredit::identity::tls::client_config(self.roots.clone(), Some(identity), self.store.clock.clone())
                .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        reqwest::Client::builder()
            .tls_backend_preconfigured(config)
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
    Grant {
        text_sha256: "ab".repeat(32),
        text_version: "1".into(),
        signer: "legal_representative".into(),
        expires_at: None,
        replaces: None,
    }
}

/// Prepares what a gateway needs to serve: a local certification authority, keys and a server certificate.
pub async fn furnish(custody: &Custody, config: &Config) -> local_ca::CreatedAuthority {
    let ca = local_ca::init(custody, "test authority", &profile_values("test authority")).await.unwrap();
    keys::create_missing(custody).await.unwrap();
    let mut server = profile_values("gateway");
    server.hosts = vec!["localhost".into(), "127.0.0.1".into()];
    let (issued, key) = issue(custody, ProfileName::Server, &server).await;
    std::fs::create_dir_all(config.partner.certificate_file.parent().unwrap()).unwrap();
    std::fs::write(&config.partner.certificate_file, files::to_pem("CERTIFICATE", &issued).as_bytes()).unwrap();
    let facts = CertificateFacts::read(&issued).unwrap();
    std::fs::write(&config.partner.key_file, server::seal(&custody.crypter, &facts, &key).unwrap().as_bytes()).unwrap();
    ca
}

fn profile_values(name: &str) -> ProfileValues {
    let mut profile_values = ProfileValues::default();
    for place in ["name", "organization"] {
        profile_values.subject.insert(place.into(), name.into());
    }
    profile_values
}

async fn issue(custody: &Custody, profile: ProfileName, profile_values: &ProfileValues) -> (Vec<u8>, Vec<u8>) {
    let request = certificates::Request { profile, values: profile_values, signing_request: None };
    let issued = certificates::issue(custody, &request).await.unwrap();
    (issued.certificate, issued.private_key.unwrap().to_vec())
}

/// Settlements of 2025-01 to 2026-02. Their amounts add up; one month of the clinic has few visits, the last is provisional.
fn settlements() -> String {
    let mut csv = "subject_code,month,insurance,visits,persons,billed_fen,claimed_fen,settled_fen,paid_fen,retained_fen,disallowed_fen,deducted_fen,prepaid_fen,offset_fen,payable_fen,status,as_of\n".to_owned();
    for code in [HOSPITAL, CLINIC, MEDIUM] {
        for number in 0..14 {
            let month: Month = Month::new(2025, 1).unwrap().plus(number);
            let visits = if code == CLINIC && number == 3 { 7 } else { 100 + i64::from(number) };
            let status = if number >= 13 { "provisional" } else { "final" };
            for insurance in ["employee", "resident"] {
                let paid = 1_000_000 - 20_000 - 3_000 - 1_000;
                csv.push_str(&format!(
                    "{code},{month},{insurance},{visits},{visits},2000000,1200000,1000000,{paid},20000,3000,1000,0,0,{paid},{status},{}\n",
                    month.plus(1).last_day()
                ));
            }
        }
    }
    csv
}

async fn city(store: &TestStore, directory: &tempfile::TempDir, crypter: Arc<medcredit::store::Crypter>) {
    for row in SUBJECTS.lines().skip(1) {
        let cells: Vec<_> = row.split(',').collect();
        // Code, USCC, name, identity number, legal representative: none of them is for a log (I8).
        for personal in [1, 2, 3, 8, 9] {
            never_logged(cells[personal]);
        }
    }
    let library = Library::shipped().unwrap();
    let references = References::built_in(library.catalogues().cloned()).unwrap();
    let importer = Importer::new(store.env(), crate::support::operator("tester"), crypter, references);
    for (template, name, text) in [
        (Template::Subjects, "subjects.csv", SUBJECTS.to_owned()),
        (Template::Settlements, "settlements.csv", settlements()),
    ] {
        let path = directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        let report = importer.import(template, &path, &Options::default(), &mut |_| {}).await.unwrap();
        assert_eq!(report.rejected, 0, "{report:?}");
    }
    let rounds = Rounds::new(store.env());
    let model = library.get("wenzhou-institution").unwrap();
    let period = "2025-H2".parse().unwrap();
    let run = rounds.run(crate::support::tester(), model, period, &|_, _| {}).await.unwrap();
    rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap();
    // Without records everybody is bad; the grades the tests speak of are written over it.
    for (code, grade) in [(HOSPITAL, "good"), (CLINIC, "excellent"), (MEDIUM, "medium")] {
        let mut tx = store.db.begin("test").await.unwrap();
        let changed = tx
            .execute(
                "UPDATE assessments SET grade = $2 WHERE subject_code = $1 AND status = 'graded'",
                vec![Arg::from(code), Arg::from(grade)],
            )
            .await
            .unwrap();
        assert_eq!(changed, 1, "{code}");
        tx.commit().await.unwrap();
    }
}

impl Bank {
    /// The same bank at another gateway.
    pub fn at(&self, origin: &str) -> Self {
        Self { origin: origin.to_owned(), ..self.clone() }
    }

    /// Sends a request.
    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        self.try_send(request).await.unwrap()
    }

    /// Sends a request to a gateway that may not be there any more. What arrived in part did not arrive.
    pub async fn try_send(&self, request: reqwest::RequestBuilder) -> Result<Reply, reqwest::Error> {
        Reply::of(request.send().await?).await
    }

    /// The URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.origin)
    }

    /// A form to an OAuth endpoint.
    pub async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let encode = |text: &str| {
            text.bytes()
                .map(|byte| {
                    if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                        char::from(byte).to_string()
                    } else {
                        format!("%{byte:02X}")
                    }
                })
                .collect::<String>()
        };
        let body: Vec<String> =
            fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
        let request = self
            .http
            .post(self.url(path))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.join("&"));
        self.send(request).await
    }

    /// Gets a token with every scope.
    pub async fn token(&self) -> String {
        let reply = self.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
        assert_eq!(reply.status, 200, "{:?}", reply.json);
        never_logged(reply.json["access_token"].as_str().unwrap().to_owned())
    }

    /// Sends a GET with a token.
    pub async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(self.http.get(self.url(path)).bearer_auth(token)).await
    }

    /// Sends a POST of JSON with a token.
    pub async fn post(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send(self.http.post(self.url(path)).bearer_auth(token).json(body)).await
    }

    /// Sends a DELETE with a token.
    pub async fn delete(&self, token: &str, path: &str) -> Reply {
        self.send(self.http.delete(self.url(path)).bearer_auth(token)).await
    }

    /// The path of a consent's data.
    pub fn data(consent: &Consent, what: &str) -> String {
        format!("/v1/consents/{}/{what}", consent.id)
    }
}

//! A configured site with banks that have consents, set up through the library.

use std::{
    fs::OpenOptions,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, Result};
use medcredit::{
    access::{self, AuthMethod, ClientKind, LimitOverrides, NewClient},
    app::consent_policy,
    authority::{self, Custody, ProfileName, ProfileValues, certificates, files, keys, local_ca, server},
    config::Config,
    consent::{Consents, Decision, Grant, NewConsent, SignedText},
    domain::{
        Actor, Kinds, SystemClock, SystemEntropy,
        ids::{AuthorityId, ClientId},
        permission::{Permission, Purpose, Scope},
    },
    identity::{
        CertificateFacts,
        tls::{ClientCertificate, client_config},
    },
    store::{Db, migrations},
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer},
};

use super::{
    GATEWAY_CORE,
    banks::{Connection, read},
    city,
    cluster::Cluster,
    process::{Measured, address_of},
};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
/// How many banks, each with its certificate.
const BANKS: usize = 8;
/// How many consents each holds.
const CONSENTS: usize = 125;
/// Long enough to read every consent, open every connection to the database and plan every statement, so that the steady
/// state is measured.
const WARM_UP: Duration = Duration::from_secs(3);

/// Which engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum On {
    Sqlite,
    Postgres,
}

/// The reading that is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Grade,
    Settlements,
}

impl What {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::Grade => "grade",
            Self::Settlements => "settlements",
        }
    }
}

/// A bank.
pub(super) struct Bank {
    tls: Arc<ClientConfig>,
    consents: Vec<String>,
    token: String,
}

/// The site.
pub(super) struct Site {
    directory: tempfile::TempDir,
    banks: Vec<Bank>,
    /// The PostgreSQL server, if it uses one.
    _cluster: Option<Cluster>,
}

fn profile_values(name: &str) -> ProfileValues {
    let mut profile_values = ProfileValues::default();
    for place in ["name", "organization"] {
        profile_values.subject.insert(place.into(), name.into());
    }
    profile_values
}

async fn issue(custody: &Custody, profile: ProfileName, profile_values: &ProfileValues) -> Result<(Vec<u8>, Vec<u8>)> {
    let request = certificates::Request { profile, values: profile_values, signing_request: None };
    let issued = certificates::issue(custody, &request).await?;
    Ok((issued.certificate, issued.private_key.context("a key")?.to_vec()))
}

/// Writes a file that only its owner can read: the gateway refuses others.
fn private(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    Ok(file.write_all(bytes)?)
}

impl Site {
    /// Sets up a site.
    pub(super) async fn make(on: On) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        std::fs::create_dir(directory.path().join("secrets"))?;
        private(&directory.path().join("secrets/key-encryption-keys"), KEY.as_bytes())?;
        let mut own = None;
        let store = match on {
            On::Sqlite => "engine = 'sqlite'".to_owned(),
            On::Postgres => {
                // As on a production server; the tests turn it off.
                let start = || Cluster::start_with("autovacuum = on");
                let cluster = std::thread::spawn(start).join().map_err(|_| anyhow::anyhow!("the cluster"))?;
                let url = cluster.url(&cluster.migrated_database().await);
                own = Some(cluster);
                private(&directory.path().join("database-url"), url.as_bytes())?;
                "engine = 'postgres'\nurl_file = 'database-url'\nallow_owner = true".to_owned()
            }
        };
        // Rate limits for a load test; everything else has its default.
        let text = format!(
            "[gateway]\npublic_origin = 'https://localhost:8443'\n[store]\n{store}\n[partner]\nlisten = '127.0.0.1:0'\n\
             max_connections_per_certificate = 128\nmax_handshakes_per_address = 512\n[telemetry]\nlisten = '127.0.0.1:0'\n\
             [tokens]\nlifetime_seconds = 600\n[limits]\nburst = {{ quota = 10000000, window_seconds = 10 }}\n\
             sustained = {{ quota = 10000000, window_seconds = 600 }}\n"
        );
        std::fs::write(directory.path().join("gateway.toml"), text)?;
        let mut site = Self { directory, banks: Vec::new(), _cluster: own };
        site.furnish().await?;
        Ok(site)
    }

    pub(super) fn config_file(&self) -> PathBuf {
        self.directory.path().join("gateway.toml")
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    async fn furnish(&mut self) -> Result<()> {
        let config = Config::load(&self.config_file())?;
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let db = open(&config).await?;
        migrations::migrate(&db, &*clock).await?;
        let crypter = Arc::new(authority::crypter(&config.secrets)?);
        let custody = Custody::new(
            medcredit::store::Env::new(db.clone(), clock.clone(), entropy.clone()),
            crypter.clone(),
            &config.authority,
        );
        let ca = local_ca::init(&custody, "bench authority", &profile_values("bench authority")).await?;
        keys::create_missing(&custody).await?;
        let mut of_server = profile_values("gateway");
        of_server.hosts = vec!["localhost".into(), "127.0.0.1".into()];
        let (issued, key) = issue(&custody, ProfileName::Server, &of_server).await?;
        std::fs::create_dir_all(self.path().join("certs"))?;
        std::fs::write(&config.partner.certificate_file, files::to_pem("CERTIFICATE", &issued).as_bytes())?;
        let sealed = server::seal(&custody.crypter, &CertificateFacts::read(&issued)?, &key)?;
        private(&config.partner.key_file, sealed.as_bytes())?;
        city::build(&db, self.path(), crypter).await?;
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(ca.certificate))?;
        let consents = Consents::open(
            medcredit::store::Env::new(db.clone(), clock, entropy),
            Arc::new(Kinds::built_in()?),
            consent_policy(&config),
        );
        for nth in 0..BANKS {
            let bank = self.bank(&custody, ca.id, &roots, &consents, nth).await?;
            self.banks.push(bank);
        }
        db.close().await;
        Ok(())
    }

    async fn bank(
        &self,
        custody: &Custody,
        authority: AuthorityId,
        roots: &RootCertStore,
        room: &Consents,
        nth: usize,
    ) -> Result<Bank> {
        let name = format!("bank {nth}");
        let (certificate, key) = issue(custody, ProfileName::BankClient, &profile_values(&name)).await?;
        let new = NewClient {
            name,
            kind: ClientKind::Bank,
            authority,
            subject: CertificateFacts::read(&certificate)?.subject,
            auth_methods: vec![AuthMethod::TlsClientAuth],
            jwks: None,
            signed_requests: access::SignedRequests::Ignored,
            scopes: vec![Scope::ConsentsRead, Scope::GradeRead, Scope::SettlementsRead],
            limits: LimitOverrides::default(),
            max_pending: 1000,
            delivers: access::Delivers::default(),
        };
        let id = access::register(&custody.env, &operator(), &new).await.map_err(failed)?;
        let mut consents = Vec::with_capacity(CONSENTS);
        for of in 0..CONSENTS {
            consents.push(consent(room, id, nth * CONSENTS + of).await?);
        }
        let key = PrivateKeyDer::try_from(key).map_err(|error| anyhow::anyhow!("the bank's key: {error}"))?;
        let identity = ClientCertificate { chain: vec![CertificateDer::from(certificate)], key };
        let tls = client_config(roots.clone(), Some(identity), Arc::new(SystemClock))?;
        Ok(Bank { tls: Arc::new(tls), consents, token: String::new() })
    }

    /// Starts `medcredit serve` on its core and waits until it is ready.
    pub(super) async fn gateway(&mut self) -> Result<Measured> {
        let config = self.config_file();
        let args = ["serve", "--config", config.to_str().context("a path")?];
        let log = self.path().join("gateway.log");
        let program = Path::new(env!("CARGO_BIN_EXE_medcredit"));
        let gateway = Measured::start(GATEWAY_CORE, program, &args, &log, async |log| {
            let Some(address) = address_of(log, "telemetry") else { return false };
            is_ready(&address).await.unwrap_or(false)
        });
        let gateway = gateway.await?;
        for bank in &mut self.banks {
            let mut connection = Connection::open(&bank.tls, &gateway.address).await?;
            let body = "grant_type=client_credentials";
            let request = format!(
                "POST /oauth2/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            let answer = connection.ask(request.as_bytes()).await?;
            let json: serde_json::Value = serde_json::from_slice(&answer.body)?;
            json["access_token"].as_str().context("a token")?.clone_into(&mut bank.token);
        }
        Ok(gateway)
    }

    /// The average number of answers in a commit since the gateway's start.
    pub(super) async fn answers_a_commit(&self) -> Result<f64> {
        let address = address_of(&std::fs::read_to_string(self.path().join("gateway.log"))?, "telemetry");
        let metrics = get(&address.context("its telemetry")?, "/metrics").await?;
        let figure = |name: &str| {
            let line = metrics.lines().find_map(|line| line.strip_prefix(name)).context("a figure of the metrics")?;
            line.trim().parse::<f64>().context("a number")
        };
        let (sum, count) = ("medcredit_ledger_batch_entries_sum", "medcredit_ledger_batch_entries_count");
        Ok(figure(sum)? / figure(count)?)
    }

    /// Starts a floor on the same core.
    pub(super) async fn floor(&self, bytes: usize, signed: bool) -> Result<Measured> {
        let config = self.config_file();
        let bytes = bytes.to_string();
        let signs = if signed { "signed" } else { "bare" };
        let args = ["floor", config.to_str().context("a path")?, &bytes, signs];
        let log = self.path().join("floor.log");
        Measured::start(GATEWAY_CORE, &std::env::current_exe()?, &args, &log, async |_| true).await
    }

    /// The requests of each bank: its consents in turn.
    pub(super) fn requests(&self, what: What) -> Vec<Arc<Vec<Vec<u8>>>> {
        let request = |bank: &Bank, consent: &String| {
            format!(
                "GET /v1/consents/{consent}/{} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n\r\n",
                what.path(),
                bank.token
            )
            .into_bytes()
        };
        let all = self.banks.iter().map(|bank| bank.consents.iter().map(|consent| request(bank, consent)).collect());
        all.map(Arc::new).collect()
    }

    /// Keep-alive connections, of each bank in turn.
    pub(super) async fn connect(&self, to: &Measured, count: usize) -> Result<Vec<Connection>> {
        let mut connections = Vec::with_capacity(count);
        for nth in 0..count {
            connections.push(Connection::open(&self.banks[nth % self.banks.len()].tls, &to.address).await?);
        }
        Ok(connections)
    }

    /// One answer: its status and its length on the wire.
    pub(super) async fn one(&self, to: &Measured, what: What) -> Result<usize> {
        let mut connection = self.connect(to, 1).await?.remove(0);
        let answer = connection.ask(&self.requests(what)[0][0]).await?;
        anyhow::ensure!(answer.status == 200, "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        Ok(answer.bytes)
    }

    /// Warms up, then measures for a while.
    pub(super) async fn measure(
        &self,
        to: &Measured,
        what: What,
        connections: usize,
        during: Duration,
    ) -> Result<(super::banks::Seen, Duration)> {
        let requests = self.requests(what);
        let open = self.connect(to, connections).await?;
        let (_, open) = read(open, &requests, tokio::time::sleep(WARM_UP)).await?;
        let before = to.cpu()?;
        let (seen, _) = read(open, &requests, tokio::time::sleep(during)).await?;
        Ok((seen, to.cpu()?.saturating_sub(before)))
    }
}

/// Opens the store of a configuration.
pub(super) async fn open(config: &Config) -> Result<Db> {
    Ok(match config.store.engine {
        medcredit::config::StoreEngine::Sqlite => Db::open_sqlite(&config.store.directory).await?,
        medcredit::config::StoreEngine::Postgres => {
            Db::open_postgres(config.store.url()?.expose(), config.store.max_connections).await?
        }
    })
}

/// The complete text of a failure.
pub(super) fn failed(failure: impl std::fmt::Debug) -> anyhow::Error {
    anyhow::anyhow!("{failure:?}")
}

async fn consent(room: &Consents, client: ClientId, nth: usize) -> Result<String> {
    let wish = NewConsent {
        uscc: city::ENTITY.into(),
        codes: vec![city::code(nth)],
        permissions: vec![Permission::Grade, Permission::Settlements],
        purposes: vec![Purpose::PreLoanReview],
        product: "医保信用贷".into(),
        reference: None,
        data_from: Some(city::last_month().plus(1 - city::MONTHS)),
        data_to: Some(city::last_month()),
        valid_for_days: Some(90),
        max_fetches: None,
        daily_budget: None,
    };
    let pending = room.request(client, 1000, &wish).await.map_err(failed)?;
    let text = SignedText { sha256: "ab".repeat(32), version: "1".into(), signer: "legal_representative".into() };
    let grant = Grant { text, expires_at: None, replaces: None };
    let id = pending.id.to_string();
    room.grant(&id, &grant, &Decision::by(operator())).await.map_err(failed)?;
    Ok(id)
}

async fn is_ready(address: &str) -> Result<bool> {
    Ok(get(address, "/readyz").await?.starts_with("HTTP/1.1 200"))
}

/// The answer of the telemetry listener.
async fn get(address: &str, path: &str) -> Result<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// The operator who sets up everything.
const fn operator() -> Actor {
    Actor::system()
}

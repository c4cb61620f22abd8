//! Where the time goes: each step of the cycle separately, in this process, as CPU time of all its threads.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use medcredit::{
    access::{Caller, TokenRequest},
    app::App,
    authority::{self, Custody, ProfileName, ProfileValues, certificates},
    config::Config,
    consent::PermitRequest,
    disclosure::{DataRequest, Grade},
    domain::{
        SystemClock, SystemEntropy,
        ids::DisclosureId,
        permission::{Permission, Purpose},
    },
    identity::{
        ClientIdentity,
        signature::{Covered, RequestFacts, content_digest, sign},
        tls::{ClientCertificate, client_config},
    },
    ledger::{Answer, Budget, DisclosureFacts, Draft, ReadVersions},
};
use rustls::{
    ClientConnection, RootCertStore, ServerConnection,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};

use super::{process::cpu_of, site::failed, table::say};

/// How often each step is done.
const TIMES: u32 = 4_096;
/// How many are in flight.
const TOGETHER: usize = 64;

const REQUEST: RequestFacts<'static> = RequestFacts {
    method: "GET",
    target_uri: "https://localhost:8443/v1/consents/con_06fzgv9a41wdkxs8q2e7mtb3rc/grade",
    digest: None,
    signature: None,
};

struct Bench {
    app: Arc<App>,
    identity: ClientIdentity,
    token: String,
}

pub(super) async fn measure(config: &str) -> Result<()> {
    let config = Config::load(Path::new(config))?;
    let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
    let db = super::site::open(&config).await?;
    let crypter = Arc::new(authority::crypter(&config.secrets)?);
    let custody = Custody::new(
        medcredit::store::Env::new(db.clone(), clock.clone(), entropy.clone()),
        crypter,
        &config.authority,
    );
    let app = App::open(config, medcredit::store::Env::new(db, clock, entropy)).await?;
    let identity = identity(&custody, &app).await?;
    app.catch_up().await.map_err(failed)?;
    let request = TokenRequest { grant_type: Some("client_credentials".into()), ..TokenRequest::default() };
    let issued = app.access.issue(&identity, &request).await.map_err(failed)?;
    let bench = Bench { app, identity, token: issued.access_token };
    bench.run().await
}

/// The identity of bank 0, from a handshake in memory over a certificate with its subject.
async fn identity(custody: &Custody, app: &App) -> Result<ClientIdentity> {
    let mut profile_values = ProfileValues::default();
    for place in ["name", "organization"] {
        profile_values.subject.insert(place.into(), "bank 0".into());
    }
    let request =
        certificates::Request { profile: ProfileName::BankClient, values: &profile_values, signing_request: None };
    let issued = certificates::issue(custody, &request).await?;
    let authorities = authority::partners::list(custody).await?;
    let mut roots = RootCertStore::empty();
    for known in authorities {
        roots.add(CertificateDer::from(known.certificate))?;
    }
    let key = issued.private_key.context("a key")?.to_vec();
    let key = PrivateKeyDer::try_from(key).map_err(|error| anyhow::anyhow!("{error}"))?;
    let identity = ClientCertificate { chain: vec![CertificateDer::from(issued.certificate)], key };
    let config = client_config(roots, Some(identity), Arc::new(SystemClock))?;
    app.catch_up().await.map_err(failed)?;
    let material = app.reloader.live().material();
    let mut client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let mut server = ServerConnection::new(material.server.clone())?;
    while client.is_handshaking() || server.is_handshaking() {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire)?;
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            server.read_tls(&mut bytes)?;
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire)?;
        }
        let mut bytes = wire.as_slice();
        while !bytes.is_empty() {
            client.read_tls(&mut bytes)?;
            client.process_new_packets()?;
        }
    }
    Ok(ClientIdentity::of(&server, &material.trust, app.env.clock.now())?)
}

impl Bench {
    async fn run(&self) -> Result<()> {
        let app = &self.app;
        let caller = app.access.authenticate(&self.identity, &self.token).await.map_err(failed)?;
        let consents = app.consents.list(caller.id(), None, 100).await.map_err(failed)?;
        let ids: Vec<String> = consents.iter().map(|consent| consent.id.to_string()).collect();
        self.step("1. caller: token and client looked up", async |_| {
            app.access.authenticate(&self.identity, &self.token).await.map(drop).map_err(failed)
        })
        .await?;
        let client = caller.id().to_string();
        self.step("2. limits counted", async |_| {
            drop(app.limits.admit(&client, &caller.client().limits.0));
            Ok(())
        })
        .await?;
        self.step("3. permit: the consent, checked", async |nth| {
            let request = PermitRequest {
                unverified_consent: &ids[nth % ids.len()],
                permissions: &[Permission::Grade],
                purpose: None,
                months: None,
                limited_to: None,
            };
            app.consents.permit(caller.id(), request).await.map(drop).map_err(failed)
        })
        .await?;
        let keys = app.keys.load_full();
        self.step("5. of the rendering: digest and signature", async |_| {
            let digest = content_digest(&[b'x'; 1024]);
            let covered = Covered {
                status: 200,
                content_digest: &digest,
                interaction_id: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90",
                disclosure: &self.token[..160],
                request: REQUEST,
            };
            drop(sign(&covered, &*keys.answer, app.env.clock.now())?);
            Ok(())
        })
        .await?;
        self.step("5. of the rendering: the ledger's entry", async |_| self.draft(&caller, &consents[0]).map(drop))
            .await?;
        self.together("6-7. queue, append and commit, of 64 that wait", async |nth| {
            let draft = self.draft(&caller, &consents[nth % consents.len()])?;
            app.recorder.record(draft).await.map(drop).map_err(failed)
        })
        .await?;
        self.together("3-7. all of it, of 64 that wait", async |nth| {
            let asked = DataRequest {
                unverified_consent: &ids[nth % ids.len()],
                purpose: None,
                request: REQUEST,
                interaction_id: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90",
            };
            app.disclosures.disclose(&caller, &asked, Grade).await.map(drop).map_err(failed)
        })
        .await?;
        let before = cpu_of(std::process::id())?;
        let mut sealed = 0;
        while let Some(checkpoint) = app.sealer.seal_once().await? {
            sealed = checkpoint.size;
        }
        print_step(
            "8. sealing, apart, of one entry",
            cpu_of(std::process::id())?.saturating_sub(before),
            u32::try_from(sealed)?,
        )
    }

    fn draft(&self, caller: &Caller, consent: &medcredit::consent::Consent) -> Result<Draft> {
        let (clock, entropy) = (&*self.app.env.clock, &*self.app.env.entropy);
        let (id, at) = (DisclosureId::new(clock, entropy), clock.now());
        let facts = DisclosureFacts {
            id,
            at,
            client_id: caller.id(),
            consent_id: consent.id,
            consent_version: consent.version,
            uscc: Some(consent.uscc.clone()),
            codes: consent.codes.clone(),
            purpose: Purpose::PreLoanReview,
            what: vec![Permission::Grade],
            period: None,
            publication: 0,
            content_digest: Some("sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:".into()),
            interaction: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90".into(),
        };
        let (entry, opening) = facts.into_entry(entropy)?;
        let versions = ReadVersions {
            client_id: caller.id(),
            client_epoch: caller.client().epoch,
            consent_id: consent.id,
            consent_version: consent.version,
            subjects: consent.codes.iter().map(|code| (code.clone(), 1)).collect(),
            publication: PUBLICATION,
            now: at,
            expires_at: at.plus(Duration::from_hours(24)),
        };
        let budget = Budget { max_fetches: None, per_day: None, day: at.day() };
        let answer = Answer { headers: http::HeaderMap::new(), body: vec![b'x'; 1024].into() };
        Ok(Draft { versions, budget, entry, opening, answer })
    }

    /// One after the other.
    async fn step(&self, name: &str, work: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
        self.app.catch_up().await.map_err(failed)?;
        work(0).await?;
        let before = cpu_of(std::process::id())?;
        for nth in 0..TIMES {
            work(usize::try_from(nth)?).await?;
        }
        print_step(name, cpu_of(std::process::id())?.saturating_sub(before), TIMES)
    }

    /// Many concurrently.
    async fn together(&self, name: &str, work: impl AsyncFn(usize) -> Result<()>) -> Result<()> {
        self.app.catch_up().await.map_err(failed)?;
        let batches = usize::try_from(TIMES)? / TOGETHER;
        let batch = async |from: usize| {
            let all = futures_util::future::join_all((from..from + TOGETHER).map(async |nth| work(nth).await)).await;
            all.into_iter().collect::<Result<()>>()
        };
        for nth in 0..batches / 4 {
            batch(nth * TOGETHER).await?;
        }
        self.app.catch_up().await.map_err(failed)?;
        let before = cpu_of(std::process::id())?;
        for nth in 0..batches {
            batch(nth * TOGETHER).await?;
        }
        print_step(name, cpu_of(std::process::id())?.saturating_sub(before), TIMES)
    }
}

/// The publication number after the imports of subjects and settlements and the round: settlements and round increment it.
const PUBLICATION: i64 = 3;

fn print_step(name: &str, cpu: Duration, times: u32) -> Result<()> {
    say(&format!("    {name:50}{:8.1} us", cpu.as_secs_f64() * 1e6 / f64::from(times.max(1))))
}

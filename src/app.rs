//! The wiring: configuration, store, clock, randomness and rooms, made once. Tests build the same.

mod background;

use std::sync::{Arc, atomic::AtomicI64};

use arc_swap::ArcSwap;
use tokio::sync::Semaphore;

use crate::{
    access::{Access, TokenPolicy},
    authority::{
        self, AuthorityError, Custody, KeyRecord, Keyring, PublicServer, Purpose, Reloader, server::ServerFiles,
    },
    config::{Config, Quota},
    consent::{ConsentPolicy, Consents},
    disclosure::{DisclosurePolicy, Disclosures},
    domain::{Actor, TableError},
    grading::{GoodStanding, Library, LibraryError},
    identity::{
        PublicKey, SharedSigner,
        keyset::{KeySet, LiveKeys, PublishedKey},
        token::{Expected, VerificationKeys},
    },
    importing::{Importer, References, Uploads},
    ledger::{Faults, LeafCache, LogKeys, Recorder, RecorderOptions, Sealer, SealerOptions},
    limits::{AddressLimit, Limits, Policy},
    outbox::{self, Outbox},
    scoring::Model,
    store::{DbError, Env},
};

/// How many entries are sealed in one transaction at most: those of a moment, or of a backlog in a few milliseconds.
const SEAL_ROUND: i64 = 1024;

/// The gateway could not be put together.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Keys or certificates.
    #[error("keys and certificates")]
    Authority(#[source] AuthorityError),
    /// The store.
    #[error("the database")]
    Store(#[source] DbError),
    /// Kinds or regions.
    #[error("{0}")]
    Data(#[source] TableError),
    /// Models.
    #[error("the models")]
    Models(#[source] LibraryError),
}

/// The gateway's rooms.
#[derive(Debug)]
pub struct App {
    /// The configuration in effect.
    pub config: Config,
    /// Store, time and randomness.
    pub env: Env,
    /// The keys in force.
    pub keys: LiveKeys,
    /// Who may call.
    pub access: Access,
    /// Consents.
    pub consents: Consents,
    /// What banks are told.
    pub disclosures: Disclosures,
    /// Named limits.
    pub limits: Limits,
    /// The models and catalogues in force.
    pub library: Library,
    /// Live TLS material.
    pub reloader: Arc<Reloader>,
    /// Makes answers durable.
    pub recorder: Recorder,
    /// Seals the ledger.
    pub sealer: Arc<Sealer>,
    /// What is told to others.
    pub outbox: Outbox,
    /// What departments deliver.
    pub imports: Uploads,
    /// Where a test breaks a disclosure.
    pub faults: Faults,
    /// The public listener's parts, where there is one.
    pub portal: Option<Portal>,
    /// Every key there ever was, as it was last read.
    pub key_log: ArcSwap<Vec<KeyRecord>>,
    custody: Custody,
    /// The change number at which the keys were read.
    keys_at: AtomicI64,
}

/// What the public listener has of its own.
#[derive(Debug)]
pub struct Portal {
    /// What it shows in a handshake.
    pub server: Arc<PublicServer>,
    /// How much an address may ask.
    pub addresses: AddressLimit,
    /// Turns at the database, so that the public never keeps a bank waiting.
    pub turns: Semaphore,
}

impl Portal {
    async fn open(config: &Config, custody: &Custody) -> Result<Option<Self>, AuthorityError> {
        let section = &config.portal;
        if !section.enabled {
            return Ok(None);
        }
        let (certificate, key) = section.server_files(&config.partner);
        let files = ServerFiles { certificate: certificate.clone(), key: key.clone() };
        let server = Arc::new(PublicServer::start(custody.clone(), files).await?);
        let limit = policy("address", section.per_address);
        let addresses = AddressLimit::new(custody.env.clock.clone(), &*custody.env.entropy, limit);
        let turns = Semaphore::new(usize::try_from(section.max_reads).unwrap_or(1));
        Ok(Some(Self { server, addresses, turns }))
    }
}

/// The consent room's bounds, as configured.
pub fn consent_policy(config: &Config) -> ConsentPolicy {
    let section = &config.consent;
    ConsentPolicy {
        request_days: section.request_days,
        default_validity_days: section.default_validity_days,
        max_validity_days: section.max_validity_days,
        default_data_months: section.default_data_months,
        max_data_months: section.max_data_months,
    }
}

/// The kinds and regions as configured, with the catalogues in force; refused where kinds name catalogues or models that
/// are not there.
pub fn reference_tables(config: &Config, library: &Library) -> Result<References, TableError> {
    let kinds = config.reference.kinds()?;
    let kind_of = |id: &str| library.models().find(|model| model.id() == id).map(Model::kind);
    kinds.check_names(|kind| library.catalogue(kind).is_some(), kind_of)?;
    Ok(References::new(kinds, config.reference.regions()?, library.catalogues().cloned()))
}

fn policy(name: &str, quota: Quota) -> Policy {
    Policy { name: name.to_owned(), quota: quota.quota, window_seconds: quota.window_seconds }
}

/// The keys in force, from the keyring.
fn key_set(keyring: &Keyring) -> Result<KeySet, AuthorityError> {
    let signing = [Purpose::TokenSigning, Purpose::AnswerSigning, Purpose::LedgerSigning];
    let published = |purpose| keyring.published(purpose).map(|published| published.public_key.clone());
    Ok(KeySet {
        token: keyring.signer(Purpose::TokenSigning)?,
        answer: keyring.signer(Purpose::AnswerSigning)?,
        ledger: keyring.signer(Purpose::LedgerSigning)?,
        published: signing
            .into_iter()
            .flat_map(|purpose| published(purpose).map(move |key| PublishedKey { purpose: purpose.to_string(), key }))
            .collect(),
        log: keyring.log().to_vec(),
        verification: VerificationKeys::new(published(Purpose::TokenSigning).collect::<Vec<_>>().iter()),
    })
}

/// The ledger's keys, from the keys in force.
#[derive(Debug)]
struct CheckpointKeys(LiveKeys);

impl LogKeys for CheckpointKeys {
    fn signer(&self) -> Option<SharedSigner> {
        Some(self.0.load().ledger.clone())
    }

    fn known(&self) -> Vec<PublicKey> {
        self.0.load().log.clone()
    }
}

impl App {
    /// Puts the rooms together over a store whose schema is this build's.
    pub async fn open(config: Config, env: Env) -> Result<Arc<Self>, AppError> {
        Self::open_breakable(config, env, Faults::default()).await
    }

    /// The same, where a test may break what a disclosure goes through.
    pub async fn open_breakable(config: Config, env: Env, faults: Faults) -> Result<Arc<Self>, AppError> {
        let crypter = Arc::new(authority::crypter(&config.secrets).map_err(AppError::Authority)?);
        let custody = Custody::new(env.clone(), crypter, &config.authority);
        let files =
            ServerFiles { certificate: config.partner.certificate_file.clone(), key: config.partner.key_file.clone() };
        let reloader = Reloader::start(custody.clone(), files).await.map_err(AppError::Authority)?;
        let keyring = Keyring::load(&custody).await.map_err(AppError::Authority)?;
        let portal = Portal::open(&config, &custody).await.map_err(AppError::Authority)?;
        let key_log = ArcSwap::from_pointee(keyring.records().to_vec());
        let keys: LiveKeys = Arc::new(ArcSwap::from_pointee(key_set(&keyring).map_err(AppError::Authority)?));
        let issuer = config.gateway.issuer().to_owned();
        let tokens = TokenPolicy {
            expected: Expected { issuer, audience: config.gateway.public_origin.clone() },
            token_endpoint: format!("{}/oauth2/token", config.gateway.public_origin),
            lifetime_seconds: config.tokens.lifetime_seconds,
        };
        let access = Access::open(env.clone(), keys.clone(), tokens).await.map_err(AppError::Store)?;
        let library = Library::load(&config.grading.catalogues_directory, &config.grading.models_directory)
            .and_then(|library| library.with_mappings(&config.grading.mappings_directory))
            .map_err(AppError::Models)?;
        let references = reference_tables(&config, &library).map_err(AppError::Data)?;
        let kinds = Arc::new(references.kinds.clone());
        let consents = Consents::open(env.clone(), kinds, consent_policy(&config));
        let fresh = LeafCache::default();
        let recorder = Recorder::start(env.db.clone(), env.clock.clone(), recorder_options(&config, &fresh, &faults));
        let log_keys = Arc::new(CheckpointKeys(keys.clone()));
        let sealer = Sealer::new(env.db.apart(), env.clock.clone(), log_keys, sealer_options(&config, &fresh, &faults));
        let disclosures = Disclosures::open(
            env.clone(),
            (access.clone(), consents.clone()),
            keys.clone(),
            (recorder.clone(), faults.clone()),
            disclosure_policy(&config),
        );
        let limits = Limits::new(
            env.clock.clone(),
            vec![policy("burst", config.limits.burst), policy("sustained", config.limits.sustained)],
            policy("authentication-failures", config.limits.authentication_failures),
        )
        .with_heavy(policy("deliveries", config.limits.deliveries));
        let outbox = Outbox::new(env.clone(), outbox_policy(&config));
        let importer = Importer::new(env.clone(), Actor::system(), custody.crypter.clone(), references);
        let importer = importer.looking_back(config.imports.half_years_back);
        let imports = Uploads::new(importer, u64::from(config.imports.max_rows));
        Ok(Arc::new(Self {
            env,
            keys,
            access,
            consents,
            disclosures,
            limits,
            library,
            reloader: Arc::new(reloader),
            recorder,
            sealer: Arc::new(sealer),
            outbox,
            imports,
            faults,
            portal,
            key_log,
            custody,
            // Of no change: the first look reads the keys again.
            keys_at: AtomicI64::new(0),
            config,
        }))
    }
}

fn disclosure_policy(config: &Config) -> DisclosurePolicy {
    DisclosurePolicy {
        min_visits: config.disclosure.min_visits,
        good_standing: GoodStanding(config.disclosure.good_standing.clone()),
        log: config.ledger.origin(&config.gateway.public_origin),
        sealed_within: config.ledger.sealed_within(),
        delivery_consents: config.disclosure.delivery_consents,
    }
}

fn outbox_policy(config: &Config) -> outbox::Policy {
    let section = &config.outbox;
    outbox::Policy {
        schedule: section.schedule(),
        jitter_percent: section.jitter_percent,
        lease: section.lease(),
        longest_retry_after: section.longest_retry_after(),
        events_kept: section.events_kept(),
    }
}

fn recorder_options(config: &Config, fresh: &LeafCache, faults: &Faults) -> RecorderOptions {
    let section = &config.ledger;
    RecorderOptions {
        linger: section.linger(),
        max_batch: section.max_batch,
        queue: section.queue,
        queue_bytes: section.queue_bytes(),
        fresh: fresh.clone(),
        faults: faults.clone(),
        ..RecorderOptions::default()
    }
}

fn sealer_options(config: &Config, fresh: &LeafCache, faults: &Faults) -> SealerOptions {
    SealerOptions {
        origin: config.ledger.origin(&config.gateway.public_origin),
        outside: Some(config.ledger.checkpoint_file.clone()),
        interval: config.ledger.seal_interval(),
        round: SEAL_ROUND,
        fresh: fresh.clone(),
        faults: faults.clone(),
    }
}

//! Opens the rooms, one room a function, in the order in which they need each other.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use super::{
    App, AppError, Console, LogReader, Portal,
    corrections::CorrectionWatch,
    deliveries,
    keys::{CheckpointKeys, key_set},
    policies::{
        Shared, answer_journal, byte_budget, clock_bounds, consent_policy, disclosure_policy, limit_policy,
        outbox_policy, principals_policy, recorder_options, sealer_options, server_files,
    },
};
use crate::{
    access::{Access, TokenPolicy},
    approvals::Approvals,
    authority::{AuthorityError, Custody, KeyFile, Keyring, Reloader},
    config::Config,
    consent::Consents,
    disclosure::{Disclosures, Services},
    domain::{Actor, TableError},
    dossier::{Dossiers, Tables},
    grading::Library,
    identity::{keyset::LiveKeys, token::Expected},
    importing::{Importer, References, Uploads},
    ledger::{
        CheckpointFile, Faults, GatewayName, HistoryMonitor, Recorder, Sealer, Sighting, establish_epoch,
        journal_beside,
    },
    limits::Limits,
    outbox::Outbox,
    principals::Principals,
    push::carrier::https::CurrentSigner,
    scoring::Model,
    store::{Env, durability::DurabilityWatch},
    timekeeping::ClockMonitor,
};

/// How long a request, or a background task, waits for a statement of PostgreSQL's. Longer than another gateway that hangs may
/// hold its locks, which is three seconds, and so short that a bank is answered within five when the database is gone.
const ANSWER_LIMIT: Duration = Duration::from_millis(4250);

impl App {
    /// Opens the rooms over a store whose schema is that of this build.
    pub async fn open(config: Config, env: Env) -> Result<Arc<Self>, AppError> {
        // Boxed: it is larger than what callers should have on their stacks.
        Box::pin(Self::open_breakable(config, env, Faults::default())).await
    }

    /// Opens the rooms so that a test can make the steps of a disclosure fail.
    pub async fn open_breakable(mut config: Config, env: Env, faults: Faults) -> Result<Arc<Self>, AppError> {
        // Each end of access is in the journal outside the database before it is acknowledged (I9).
        let env = Env { db: env.db.with_end_journal(journal_beside(&config.ledger.checkpoint_file)), ..env };
        config.ledger.epoch = establish_epoch(&env, config.ledger.epoch).await.map_err(AppError::Ledger)?;
        let checkpoint_file = CheckpointFile::new(config.ledger.checkpoint_file.clone());
        // Files that are uploaded are imported by statements that may take minutes.
        let importing = env.clone();
        let env = Env { db: env.db.answering_within(ANSWER_LIMIT), ..env };
        // Before all that depends on time: a clock that disagrees signs no revocation list, and is not served with.
        let clock_monitor = compared_clock(&config, &env).await?;
        // Before the keys: the key of each checkpoint was stored before it signed.
        let sighting = Sighting::first(&env.db, &checkpoint_file, &answer_journal(&config)).await;
        let sighting = sighting.map_err(AppError::Ledger)?;
        let name = GatewayName::take(checkpoint_file.path()).await;
        let AuthorityParts { custody, key_file, reloader, keyring, portal, console } =
            authority(&config, &env).await.map_err(AppError::Authority)?;
        let keys: LiveKeys = Arc::new(ArcSwap::from_pointee(key_set(&keyring).map_err(AppError::Authority)?));
        let access = access(&config, &env, &keys).await?;
        let library = library(&config)?;
        let references = reference_tables(&config, &library).map_err(AppError::Data)?;
        let consents = Consents::open(env.clone(), Arc::new(references.kinds.clone()), consent_policy(&config));
        let LedgerParts { recorder, sealer, history } = ledger(&config, &env, &keys, &faults, name);
        history.judge(&sighting).await.map_err(AppError::Ledger)?;
        let disclosures = Disclosures::open(
            env.clone(),
            Services {
                access: access.clone(),
                consents: consents.clone(),
                keys: keys.clone(),
                recorder: recorder.clone(),
                faults: faults.clone(),
            },
            disclosure_policy(&config),
        );
        let live = keys.clone();
        let signer: CurrentSigner = Arc::new(move || live.load().answer.clone());
        let deliveries = Arc::new(deliveries(&config, &env, &library, &references, signer)?);
        let app = Self {
            clock_monitor,
            deliveries,
            packages_after: Mutex::default(),
            corrections: CorrectionWatch::default(),
            access,
            consents,
            disclosures,
            library,
            recorder,
            sealer: Arc::new(sealer),
            history,
            limits: limits(&config, &env),
            buffered_bytes: byte_budget(&config),
            outbox: Outbox::new(env.clone(), outbox_policy(&config)),
            log: LogReader::new(env.db.clone()),
            reloader: Arc::new(reloader),
            durability: DurabilityWatch::default(),
            faults,
            portal,
            principals: principals(&config, &env, &custody),
            approvals: Approvals::open(env.clone(), config.approvals.expiry()),
            console,
            dossiers: dossiers(&env, &custody, &references),
            kinds: references.kinds.clone(),
            regions: references.regions.clone(),
            // Last of those that use the tables: it takes them.
            imports: imports(&config, &importing, &custody, references),
            recent_calls: Arc::default(),
            opened_at: env.now(),
            key_log: ArcSwap::from_pointee(keyring.records().to_vec()),
            custody,
            key_file,
            keys,
            // No change has this number: the first poll reads the keys again.
            keys_at: AtomicI64::new(0),
            lost_answers_reported: AtomicBool::new(false),
            env,
            config,
        };
        app.report_lost_answers().await.map_err(AppError::Ledger)?;
        Ok(Arc::new(app))
    }
}

/// The monitor of the environment's clock, after its first comparison.
async fn compared_clock(config: &Config, env: &Env) -> Result<ClockMonitor, AppError> {
    let monitor = ClockMonitor::new(env.clone(), clock_bounds(config));
    monitor.compare().await.map_err(AppError::Store)?;
    Ok(monitor)
}

struct AuthorityParts {
    custody: Custody,
    key_file: KeyFile,
    reloader: Reloader,
    keyring: Keyring,
    portal: Option<Portal>,
    console: Option<Console>,
}

async fn authority(config: &Config, env: &Env) -> Result<AuthorityParts, AuthorityError> {
    let partner = &config.partner;
    let servers = [partner.tls_files(), config.portal.tls_files(partner), config.console.tls_files(partner)];
    let servers = servers.map(server_files);
    let (key_file, crypter) = KeyFile::open(&config.secrets, servers.into()).await?;
    let custody = Custody::new(env.clone(), Arc::new(crypter), &config.authority);
    // Before the private keys are read: from here on `keys reseal` waits until this gateway has the new key, too.
    key_file.report(&custody).await?;
    let reloader = Reloader::start(custody.clone(), server_files(config.partner.tls_files())).await?;
    let keyring = Keyring::load(&custody).await?;
    let portal = Portal::open(config, &custody).await?;
    let console = Console::open(config, &custody).await?;
    Ok(AuthorityParts { custody, key_file, reloader, keyring, portal, console })
}

async fn access(config: &Config, env: &Env, keys: &LiveKeys) -> Result<Access, AppError> {
    let origin = &config.gateway.public_origin;
    let tokens = TokenPolicy {
        expected: Expected { issuer: config.gateway.issuer().to_owned(), audience: origin.clone() },
        token_endpoint: format!("{origin}/oauth2/token"),
        lifetime_seconds: config.tokens.lifetime_seconds,
    };
    Access::open(env.clone(), keys.clone(), tokens).await.map_err(AppError::Store)
}

pub(super) fn library(config: &Config) -> Result<Library, AppError> {
    Library::load(&config.grading.catalogues_directory, &config.grading.models_directory)
        .and_then(|library| library.with_mappings(&config.grading.mappings_directory))
        .map_err(AppError::Models)
}

/// The configured kinds of subject and regions, with the catalogues. Refused when kinds name catalogues or models that do not
/// exist.
pub fn reference_tables(config: &Config, library: &Library) -> Result<References, TableError> {
    let kinds = config.reference.kinds()?;
    let kind_of = |id: &str| library.models().find(|model| model.id() == id).map(Model::kind);
    kinds.check_names(|kind| library.catalogue(kind).is_some(), kind_of)?;
    Ok(References::new(kinds, config.reference.regions()?, library.catalogues().cloned()))
}

struct LedgerParts {
    recorder: Recorder,
    sealer: Sealer,
    history: HistoryMonitor,
}

fn ledger(config: &Config, env: &Env, keys: &LiveKeys, faults: &Faults, name: GatewayName) -> LedgerParts {
    let (faults, clock_trust) = (faults.clone(), env.clock_trust.clone());
    let shared = Shared { clock_trust, faults, ..Shared::default() };
    let recorder = Recorder::start(env.db.clone(), env.clock.clone(), recorder_options(config, &shared));
    let keys = Arc::new(CheckpointKeys(keys.clone()));
    let origin = config.ledger.origin(&config.gateway.public_origin);
    let file = CheckpointFile::new(config.ledger.checkpoint_file.clone());
    let history = HistoryMonitor::new(env.db.clone(), keys.clone(), origin, file, shared.history.clone())
        .with_answers(answer_journal(config))
        .attesting(name, env.clock.clone());
    // On PostgreSQL over a connection of its own: sealing never waits for one that responses use.
    let sealer =
        Sealer::new(env.db.on_dedicated_connection(), env.clock.clone(), keys, sealer_options(config, &shared));
    LedgerParts { recorder, sealer, history }
}

fn principals(config: &Config, env: &Env, custody: &Custody) -> Principals {
    Principals::open(env.clone(), custody.crypter.clone(), principals_policy(config))
}

fn dossiers(env: &Env, custody: &Custody, references: &References) -> Dossiers {
    let References { kinds, regions, catalogues } = references.clone();
    Dossiers::new(env.clone(), custody.crypter.clone(), Tables { kinds, regions, catalogues })
}

fn limits(config: &Config, env: &Env) -> Limits {
    let section = &config.limits;
    Limits::new(
        env.clock.clone(),
        vec![limit_policy("burst", section.burst), limit_policy("sustained", section.sustained)],
        limit_policy("authentication-failures", section.authentication_failures),
    )
    .with_heavy(limit_policy("deliveries", section.deliveries))
}

fn imports(config: &Config, env: &Env, custody: &Custody, references: References) -> Uploads {
    let importer = Importer::new(env.clone(), Actor::system(), custody.crypter.clone(), references);
    let importer = importer.looking_back(config.imports.half_years_back);
    Uploads::new(importer, u64::from(config.imports.max_rows))
}

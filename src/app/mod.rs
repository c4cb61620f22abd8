//! Wires configuration, store, clock, entropy and rooms into one [`App`]. Tests build the same.

mod acts;
mod background;
mod console;
mod corrections;
mod health;
mod keys;
mod log_reader;
mod observe;
mod open;
mod policies;
mod portal;
mod push;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64},
    },
    time::Duration,
};

use arc_swap::ArcSwap;

use crate::{
    access::Access,
    approvals::Approvals,
    authority::{AuthorityError, Custody, KeyFile, KeyRecord, Reloader},
    config::Config,
    consent::Consents,
    disclosure::Disclosures,
    domain::{Kinds, TableError, Timestamp, region::RegionTable},
    dossier::Dossiers,
    grading::{Library, LibraryError},
    identity::keyset::LiveKeys,
    importing::Uploads,
    ledger::{Faults, HistoryMonitor, LedgerError, Recorder, Sealer},
    limits::{ByteBudget, Limits},
    outbox::Outbox,
    principals::Principals,
    push::{carrier::CarrierRefused, delivery::Deliveries, platform::PlatformsError},
    store::{DbError, Env, durability::DurabilityWatch},
    telemetry::RecentCalls,
    timekeeping::ClockMonitor,
};

pub use acts::{ActDone, Acts};
pub use console::Console;
pub use log_reader::LogReader;
pub use open::reference_tables;
pub use policies::{clock_bounds, consent_policy, principals_policy, requirements};
pub use portal::Portal;
pub use push::deliveries;

/// Why the gateway could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// Keys or certificates failed to load.
    #[error("keys and certificates")]
    Authority(#[source] AuthorityError),
    /// The ledger failed.
    #[error("the ledger")]
    Ledger(#[source] LedgerError),
    #[error("the database")]
    Store(#[source] DbError),
    /// The kinds of subject or the regions are wrong.
    #[error("{0}")]
    Data(#[source] TableError),
    /// The models or catalogues are wrong.
    #[error("the models")]
    Models(#[source] LibraryError),
    /// The platforms are wrong.
    #[error("the platforms of [push]")]
    Platforms(#[source] PlatformsError),
    /// A platform cannot be reached as its file says.
    #[error("the platforms of [push]")]
    Carrier(#[source] CarrierRefused),
}

/// The rooms of the gateway.
#[derive(Debug)]
pub struct App {
    /// The effective configuration.
    pub config: Config,
    /// Store, clock and entropy.
    pub env: Env,
    /// Compares the clock with others.
    pub clock_monitor: ClockMonitor,
    /// The active keys.
    pub keys: LiveKeys,
    /// Clients and their tokens.
    pub access: Access,
    /// Consents of subjects.
    pub consents: Consents,
    /// Disclosures to banks.
    pub disclosures: Disclosures,
    /// The limits of requests by client.
    pub limits: Limits,
    /// The bytes of bodies in memory.
    pub buffered_bytes: ByteBudget,
    /// The models and catalogues.
    pub library: Library,
    /// Reloads the TLS material of the partner listener.
    pub reloader: Arc<Reloader>,
    /// Records disclosures in the ledger.
    pub recorder: Recorder,
    pub sealer: Arc<Sealer>,
    /// Compares the ledger with the checkpoints outside the database.
    pub history: HistoryMonitor,
    /// Reads what the ledger publishes.
    pub log: LogReader,
    /// Events and outbound deliveries.
    pub outbox: Outbox,
    /// Packages for platforms.
    pub deliveries: Arc<Deliveries>,
    /// Files that departments upload.
    pub imports: Uploads,
    /// Whether the database keeps what it commits, as last examined.
    pub durability: DurabilityWatch,
    /// Failures that a test injects into disclosures.
    pub faults: Faults,
    /// The parts of the public listener, if the configuration has one.
    pub portal: Option<Portal>,
    /// The accounts and sessions of operators.
    pub principals: Principals,
    /// Acts that need a second operator.
    pub approvals: Approvals,
    /// Files of subjects, for the bureau's own staff.
    pub dossiers: Dossiers,
    /// The kinds of subject, with their names.
    pub kinds: Kinds,
    /// The regions, with their names.
    pub regions: RegionTable,
    /// The calls of banks of the last day, as this process has answered them.
    pub recent_calls: Arc<RecentCalls>,
    /// When this process opened the rooms.
    pub opened_at: Timestamp,
    /// The parts of the administrators' listener, if the configuration has one.
    pub console: Option<Console>,
    /// Every key there ever was, as last read.
    pub key_log: ArcSwap<Vec<KeyRecord>>,
    custody: Custody,
    key_file: KeyFile,
    /// The change number at which the keys were read.
    keys_at: AtomicI64,
    /// The monotonic time before which no packages are made, after something could not be.
    packages_after: Mutex<Option<Duration>>,
    /// The corrections that are due, as last computed.
    corrections: corrections::CorrectionWatch,
    /// Whether the answers of earlier epochs were looked for.
    lost_answers_reported: AtomicBool,
}

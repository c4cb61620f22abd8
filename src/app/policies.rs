//! Converts sections of the configuration into the policies and options of the rooms.

use crate::{
    authority::server::ServerFiles,
    config::{Config, Quota, TlsFiles},
    consent::ConsentPolicy,
    disclosure::{DisclosurePolicy, SmallCells},
    domain::ClockTrust,
    grading::GoodStanding,
    ledger::{AnswerJournal, Faults, History, LeafCache, RecorderOptions, SealerOptions},
    limits::{self, ByteBudget},
    outbox,
    principals::PrincipalsPolicy,
    store::durability::Requirements,
    timekeeping::Bounds,
};

/// The most entries sealed in one transaction: usually those of one interval, or a part of a backlog in a few milliseconds.
const SEAL_ROUND: i64 = 1024;

/// The configured limits of consents.
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

/// The configured limits of operators' sessions.
pub fn principals_policy(config: &Config) -> PrincipalsPolicy {
    let section = &config.console;
    PrincipalsPolicy {
        origin: section.public_origin.clone(),
        session_idle: section.session_idle(),
        session_absolute: section.session_absolute(),
        invitation: section.invitation(),
    }
}

/// What the configuration requires of the database's durability.
pub const fn requirements(config: &Config) -> Requirements {
    Requirements { synchronous_standby: config.store.require_synchronous_standby }
}

pub(super) fn server_files(files: TlsFiles<'_>) -> ServerFiles {
    ServerFiles { certificate: files.certificate.to_owned(), key: files.key.to_owned() }
}

pub(super) fn limit_policy(name: &str, quota: Quota) -> limits::Policy {
    limits::Policy { name: name.to_owned(), quota: quota.quota, window_seconds: quota.window_seconds }
}

/// The budget of bytes. The largest body always fits into an unused share, and a share into an unused budget.
pub(super) fn byte_budget(config: &Config) -> ByteBudget {
    let bytes = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
    let partner = &config.partner;
    let largest = partner.max_body_bytes.max(config.imports.max_bytes);
    let share = bytes(partner.max_buffered_bytes_per_client.max(largest));
    ByteBudget::new(bytes(partner.max_buffered_bytes).max(share), share)
}

pub(super) fn outbox_policy(config: &Config) -> outbox::Policy {
    let section = &config.outbox;
    outbox::Policy {
        schedule: section.schedule(),
        jitter_percent: section.jitter_percent,
        lease: section.lease(),
        longest_retry_after: section.longest_retry_after(),
        event_retention: section.events_kept(),
    }
}

/// The configured differences between clocks.
pub fn clock_bounds(config: &Config) -> Bounds {
    Bounds { max_offset: config.clock.max_offset(), max_downtime: config.clock.max_downtime() }
}

/// The journal of the answers that this host gives in the present epoch.
pub(super) fn answer_journal(config: &Config) -> AnswerJournal {
    AnswerJournal::beside(&config.ledger.checkpoint_file, config.ledger.epoch)
}

/// What recorder and sealer of one process share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// New leaves, so that the sealer need not read them again.
    pub(super) leaves: LeafCache,
    pub(super) history: History,
    pub(super) clock_trust: ClockTrust,
    pub(super) faults: Faults,
}

pub(super) fn recorder_options(config: &Config, shared: &Shared) -> RecorderOptions {
    let section = &config.ledger;
    RecorderOptions {
        linger: section.linger(),
        max_batch: section.max_batch,
        queue: section.queue,
        queue_bytes: section.queue_bytes(),
        leaf_cache: shared.leaves.clone(),
        history: shared.history.clone(),
        answers: Some(answer_journal(config)),
        clock_trust: shared.clock_trust.clone(),
        faults: shared.faults.clone(),
        ..RecorderOptions::default()
    }
}

pub(super) fn sealer_options(config: &Config, shared: &Shared) -> SealerOptions {
    SealerOptions {
        origin: config.ledger.origin(&config.gateway.public_origin),
        checkpoint_file: Some(config.ledger.checkpoint_file.clone()),
        interval: config.ledger.seal_interval(),
        round: SEAL_ROUND,
        leaf_cache: shared.leaves.clone(),
        history: shared.history.clone(),
        clock_trust: shared.clock_trust.clone(),
        faults: shared.faults.clone(),
    }
}

pub(super) fn disclosure_policy(config: &Config) -> DisclosurePolicy {
    DisclosurePolicy {
        small_cells: SmallCells {
            min_visits: config.disclosure.min_visits,
            min_persons: config.disclosure.min_persons,
        },
        good_standing: GoodStanding(config.disclosure.good_standing.clone()),
        log: config.ledger.origin(&config.gateway.public_origin),
        sealed_within: config.ledger.sealed_within(),
        delivery_consents: config.disclosure.delivery_consents,
    }
}

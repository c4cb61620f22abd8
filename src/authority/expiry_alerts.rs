//! What operators are told of lists and certificates: metrics for every one, a line in the log when someone must act.

use std::collections::HashMap;

use super::AuthorityError;
use crate::{
    domain::{Timestamp, error_chain, ids::AuthorityId},
    identity::{
        CertificateFacts,
        revocation::{ListValidity, left_permille},
    },
};

/// Somebody must act when less than this is left of a list's life.
const ALERT_PERMILLE: i64 = 250;
/// The same of the server certificate's, which lives a year or so: five weeks.
const SERVER_ALERT_PERMILLE: i64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Nothing,
    RunsOut,
    Stale,
}

/// What was told already, so that the same is not told at every poll.
#[derive(Debug, Default)]
pub(super) struct Watch {
    told: HashMap<AuthorityId, Told>,
    told_of_server: Option<(Vec<u8>, Told)>,
}

impl Watch {
    /// Publishes how much of the server certificate's life is left, and says so once when it is little, and once when it
    /// is over.
    pub(super) fn server(&mut self, listener: &'static str, certificate: &[u8], now: Timestamp) {
        let told = self.told_of_server.take().filter(|(seen, _)| seen == certificate).map(|(_, told)| told);
        // Read once a poll; it was read before it was taken up.
        let Ok(facts) = CertificateFacts::read(certificate) else { return };
        let left = left_permille(facts.not_before, facts.not_after, now);
        metrics::gauge!("medcredit_server_certificate_life_left_ratio", "listener" => listener).set(ratio(left));
        let tell = match left {
            0 => Told::Stale,
            little if little <= SERVER_ALERT_PERMILLE => Told::RunsOut,
            _ => Told::Nothing,
        };
        if told != Some(tell) {
            match tell {
                Told::Nothing => {}
                Told::RunsOut => {
                    tracing::warn!(
                        listener,
                        left_permille = left,
                        "the server certificate runs out: clients refuse it when it does"
                    );
                }
                Told::Stale => tracing::error!(listener, "the server certificate has expired: clients refuse it"),
            }
        }
        self.told_of_server = Some((certificate.to_vec(), tell));
    }

    /// Publishes how much of each list's life is left, and says so once when it is little, and once when it is over.
    pub(super) fn lists(&mut self, lives: &[ListValidity], now: Timestamp) {
        for life in lives {
            let left = life.left_permille(now);
            metrics::gauge!("medcredit_crl_life_left_ratio", "authority" => life.name.clone()).set(ratio(left));
            let stale = if left == 0 { 1.0 } else { 0.0 };
            metrics::gauge!("medcredit_crl_stale", "authority" => life.name.clone()).set(stale);
            let tell = match left {
                0 => Told::Stale,
                little if little <= ALERT_PERMILLE => Told::RunsOut,
                _ => Told::Nothing,
            };
            if self.told.insert(life.authority, tell) == Some(tell) {
                continue;
            }
            match tell {
                Told::Nothing => {}
                Told::RunsOut => tracing::warn!(
                    authority.id = %life.authority,
                    left_permille = left,
                    "a revocation list runs out: its authority's banks are refused when it does"
                ),
                Told::Stale => tracing::error!(
                    authority.id = %life.authority,
                    "an authority has no current revocation list: its banks are refused"
                ),
            }
        }
    }
}

fn ratio(permille: i64) -> f64 {
    f64::from(i32::try_from(permille).unwrap_or(0)) / 1000.0
}

/// A list was taken up.
pub(super) fn list_accepted(name: &str) {
    metrics::gauge!("medcredit_crl_rejected", "authority" => name.to_owned()).set(0.0);
}

/// A list was refused and the one before it, if any, stays in use.
pub(super) fn list_rejected(authority: AuthorityId, name: &str, why: &str) {
    metrics::gauge!("medcredit_crl_rejected", "authority" => name.to_owned()).set(1.0);
    tracing::error!(authority.id = %authority, error = why, "a revocation list cannot be used; the one before it stays");
}

/// A server certificate was taken up.
pub(super) fn server_accepted(listener: &'static str) {
    metrics::gauge!("medcredit_server_certificate_rejected", "listener" => listener).set(0.0);
    tracing::info!(listener, "a new server certificate is in use");
}

/// A server certificate was refused and the one before it stays in use.
pub(super) fn server_rejected(listener: &'static str, error: &AuthorityError) {
    metrics::gauge!("medcredit_server_certificate_rejected", "listener" => listener).set(1.0);
    tracing::error!(listener, error = %error_chain(error), "the new server certificate cannot be used; the one before it stays");
}

//! Metrics for the remaining validity of lists and certificates, and a log line when an operator must act.

use std::collections::HashMap;

use super::AuthorityError;
use crate::{
    domain::{Timestamp, error_chain, ids::AuthorityId},
    identity::{
        CertificateFacts,
        revocation::{ListValidity, left_permille},
    },
};

/// The remaining validity of a revocation list at which an operator must act.
const ALERT_PERMILLE: i64 = 250;
/// The same for a server certificate, which is valid for about a year: five weeks.
const SERVER_ALERT_PERMILLE: i64 = 100;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AlertLevel {
    None,
    Expiring,
    Expired,
}

impl AlertLevel {
    const fn of(left_permille: i64, alert_permille: i64) -> Self {
        match left_permille {
            0 => Self::Expired,
            little if little <= alert_permille => Self::Expiring,
            _ => Self::None,
        }
    }
}

/// The alerts that were logged, so that a poll does not log them again.
#[derive(Debug, Default)]
pub(super) struct ExpiryAlerts {
    /// By name: an authority of ours and the one that it replaced are one identity with two lists.
    of_lists: HashMap<String, AlertLevel>,
    /// The server certificate, DER, with its last alert.
    of_server: Option<(Vec<u8>, AlertLevel)>,
}

impl ExpiryAlerts {
    /// Updates the metric of the server certificate. Logs once when little validity is left, and once when it has
    /// expired.
    pub(super) fn check_server(&mut self, listener: &'static str, certificate: &[u8], now: Timestamp) {
        // A new certificate starts again without an alert, even if the old one was near its end.
        let last = self.of_server.take().filter(|(seen, _)| seen == certificate).map(|(_, level)| level);
        // It was parsed before it came into use, so this does not fail.
        let Ok(facts) = CertificateFacts::read(certificate) else { return };
        let left = left_permille(facts.not_before, facts.not_after, now);
        metrics::gauge!("medcredit_server_certificate_life_left_ratio", "listener" => listener).set(ratio(left));
        metrics::gauge!("medcredit_server_certificate_expires_timestamp_seconds", "listener" => listener)
            .set(unix_seconds(facts.not_after));
        let level = AlertLevel::of(left, SERVER_ALERT_PERMILLE);
        if last != Some(level) {
            match level {
                AlertLevel::None => {}
                AlertLevel::Expiring => {
                    tracing::warn!(
                        listener,
                        left_permille = left,
                        "the server certificate expires soon: clients will refuse it"
                    );
                }
                AlertLevel::Expired => {
                    tracing::error!(listener, "the server certificate has expired: clients refuse it");
                }
            }
        }
        self.of_server = Some((certificate.to_vec(), level));
    }

    /// Updates the metrics of revocation lists. Logs once when little validity is left, and once when a list is stale.
    pub(super) fn check_lists(&mut self, lists: &[ListValidity], now: Timestamp) {
        for list in lists {
            let left = list.left_permille(now);
            metrics::gauge!("medcredit_crl_life_left_ratio", "authority" => list.name.clone()).set(ratio(left));
            if let Some((_, until)) = list.period {
                metrics::gauge!("medcredit_crl_expires_timestamp_seconds", "authority" => list.name.clone())
                    .set(unix_seconds(until));
            }
            let stale = if left == 0 { 1.0 } else { 0.0 };
            metrics::gauge!("medcredit_crl_stale", "authority" => list.name.clone()).set(stale);
            let level = AlertLevel::of(left, ALERT_PERMILLE);
            // Polls come four times a second: only a change of level is worth a line.
            if self.of_lists.insert(list.name.clone(), level) == Some(level) {
                continue;
            }
            match level {
                AlertLevel::None => {}
                AlertLevel::Expiring => tracing::warn!(
                    authority.id = %list.authority,
                    left_permille = left,
                    "a revocation list becomes stale soon: the banks of its authority will be refused"
                ),
                AlertLevel::Expired => tracing::error!(
                    authority.id = %list.authority,
                    "an authority has no current revocation list: its banks are refused"
                ),
            }
        }
    }
}

fn ratio(permille: i64) -> f64 {
    // Through 32 bits, which a float holds exactly.
    f64::from(i32::try_from(permille).unwrap_or(0)) / 1000.0
}

/// A time as metrics have it.
fn unix_seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds beyond 2^53 are not reached")]
    let seconds = at.seconds() as f64;
    seconds
}

/// Reports that an authority is trusted, and until when its certificate is valid.
pub(super) fn authority_trusted(name: &str, certificate: &[u8]) {
    // It was parsed before it was trusted, so this does not fail.
    if let Ok(facts) = CertificateFacts::read(certificate) {
        metrics::gauge!("medcredit_authority_certificate_expires_timestamp_seconds", "authority" => name.to_owned())
            .set(unix_seconds(facts.not_after));
    }
}

/// Reports that a list is in use.
pub(super) fn list_accepted(name: &str) {
    metrics::gauge!("medcredit_crl_rejected", "authority" => name.to_owned()).set(0.0);
}

/// Reports that a list was refused and the previous one, if any, stays in use.
pub(super) fn list_rejected(authority: AuthorityId, name: &str, why: &str) {
    metrics::gauge!("medcredit_crl_rejected", "authority" => name.to_owned()).set(1.0);
    tracing::error!(authority.id = %authority, error = why, "a revocation list cannot be used; the previous one stays");
}

/// Reports that a server certificate is in use.
pub(super) fn server_accepted(listener: &'static str) {
    metrics::gauge!("medcredit_server_certificate_rejected", "listener" => listener).set(0.0);
    tracing::info!(listener, "a new server certificate is in use");
}

/// Reports that a server certificate was refused and the previous one stays in use.
pub(super) fn server_rejected(listener: &'static str, error: &AuthorityError) {
    metrics::gauge!("medcredit_server_certificate_rejected", "listener" => listener).set(1.0);
    tracing::error!(listener, error = %error_chain(error), "the new server certificate cannot be used; the previous one stays");
}

//! The names by which others reach this gateway: origin, port, certificate, and the ledger's name, which fit each other.

use std::net::SocketAddr;

use http::Uri;
use rustls::pki_types::CertificateDer;

use super::{Examination, Findings};
use crate::{identity::is_valid_for_host, ledger};

const CHECK: &str = "public origin";

/// The host of an origin, as `check_origin` of the configuration has accepted it.
fn host_of(origin: &str) -> Option<(String, u16)> {
    let uri: Uri = origin.parse().ok()?;
    Some((uri.host()?.to_owned(), uri.port_u16().unwrap_or(443)))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    let config = &exam.config;
    listener("gateway.public_origin", &config.gateway.public_origin, config.partner.listen, findings);
    if config.portal.enabled {
        listener("portal.public_origin", &config.portal.public_origin, config.portal.listen, findings);
    }
    if config.console.enabled {
        listener("console.public_origin", &config.console.public_origin, config.console.listen, findings);
    }
    log_name(exam, findings).await;
}

fn listener(key: &str, origin: &str, listen: SocketAddr, findings: &mut Findings) {
    let Some((host, port)) = host_of(origin) else { return };
    if is_loopback(&host) && !listen.ip().is_loopback() {
        let text = format!("{key} is {origin}, which only this machine can reach, and the listener is on {listen}");
        findings.problem(CHECK, text, "set it to the origin that others connect to: signatures cover it");
    } else if port != listen.port() && listen.port() != 0 {
        let text = format!("{key} has port {port}, and the listener {}", listen.port());
        findings.warning(CHECK, text, "a forwarder between them must pass TLS through unchanged");
    } else {
        findings.good(CHECK, format!("{key} is {origin}"));
    }
}

/// Checks that the certificate of a listener names the host that clients connect to.
pub(super) fn certificate(
    check: &'static str,
    origin: &str,
    certificate: &CertificateDer<'_>,
    findings: &mut Findings,
) {
    let Some((host, _)) = host_of(origin) else { return };
    if !is_valid_for_host(certificate, &host) {
        let text = format!("it does not name {host}, the host of {origin}: clients refuse it");
        findings.problem(check, text, format!("`medcredit certs issue --profile server --host {host}`"));
    }
}

/// The log's name never changes: a changed public origin must not change it.
async fn log_name(exam: &Examination, findings: &mut Findings) {
    let check = "ledger name";
    let Some(db) = &exam.db else { return };
    let note = match ledger::checkpoint(db).await {
        Ok(note) => note,
        Err(error) => return findings.wrong(check, error.to_string()),
    };
    let configured = exam.config.ledger.origin(&exam.config.gateway.public_origin);
    let Some(stored) = note.as_deref().and_then(|note| note.lines().next()) else {
        return findings.good(check, format!("{configured}, nothing is sealed yet"));
    };
    let (stored_host, configured_host) = (host_of_log(stored), host_of_log(&configured));
    if stored_host == configured_host {
        // With the epoch that the log is in, which the configuration only names for a new one.
        return findings.good(check, stored);
    }
    let text = format!("the ledger in the database is {stored}, and the configuration names it {configured}");
    findings.problem(check, text, format!("set [ledger] host = \"{stored_host}\""));
}

/// The name of a log without its epoch.
fn host_of_log(origin: &str) -> &str {
    origin.rsplit_once("/ledger/").map_or(origin, |(host, _)| host)
}

//! The listeners: addresses that are free, or held by this gateway, and file descriptors for their connections.

use std::{collections::BTreeMap, io, net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use super::{Examination, Findings};
use crate::telemetry;

/// How long the answer of a running gateway may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) async fn check(exam: &Examination, findings: &mut Findings) {
    let mut listeners = vec![("partner.listen", exam.config.partner.listen)];
    if exam.config.portal.enabled {
        listeners.push(("portal.listen", exam.config.portal.listen));
    }
    if exam.config.console.enabled {
        listeners.push(("console.listen", exam.config.console.listen));
    }
    listeners.push(("telemetry.listen", exam.config.telemetry.listen));
    let is_sound = distinct(&listeners, findings);
    match probe(exam.config.telemetry.listen).await {
        Some(readiness) if readiness.contains(r#""ready":true"#) => {
            findings.good("ports", "a gateway is running on telemetry.listen, and it is ready");
        }
        Some(readiness) => findings.wrong("ports", format!("the gateway that is running is not ready: {readiness}")),
        None if is_sound => free(&listeners, findings).await,
        None => {}
    }
    descriptors(exam, findings);
}

/// Whether no two listeners have one address.
fn distinct(listeners: &[(&str, SocketAddr)], findings: &mut Findings) -> bool {
    let mut by_port: BTreeMap<u16, Vec<(&str, SocketAddr)>> = BTreeMap::new();
    for (key, address) in listeners.iter().filter(|(_, address)| address.port() != 0) {
        by_port.entry(address.port()).or_default().push((*key, *address));
    }
    let mut is_sound = true;
    for (port, users) in by_port {
        for (at, (key, address)) in users.iter().enumerate() {
            // An unspecified address includes every other one.
            let same = |other: &SocketAddr| {
                other.ip() == address.ip() || other.ip().is_unspecified() || address.ip().is_unspecified()
            };
            for (other, _) in users.iter().skip(at + 1).filter(|(_, other)| same(other)) {
                is_sound = false;
                findings.problem(
                    "ports",
                    format!("{key} and {other} both use port {port}"),
                    "choose another port for one",
                );
            }
        }
    }
    is_sound
}

/// The body of `/readyz` at an address, if a gateway answers there.
async fn probe(address: SocketAddr) -> Option<String> {
    let exchange = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
        let mut response = String::new();
        // More than any answer of ours: another program may send without end.
        stream.take(65_536).read_to_string(&mut response).await?;
        Ok::<_, io::Error>(response)
    };
    // An error, or no answer in time: no gateway.
    let response = tokio::time::timeout(PROBE_TIMEOUT, exchange).await.ok()?.ok()?;
    let (_, body) = response.split_once("\r\n\r\n")?;
    body.starts_with(r#"{"ready":"#).then(|| body.to_owned())
}

async fn free(listeners: &[(&'static str, SocketAddr)], findings: &mut Findings) {
    let mut held = Vec::new();
    for (key, address) in listeners {
        // Kept to the end of the loop, and free again when the command ends.
        match TcpListener::bind(address).await {
            Ok(socket) => held.push(socket),
            Err(error) => refused(key, *address, &error, findings),
        }
    }
    if held.len() == listeners.len() {
        findings.good("ports", "every listener's address is free");
    }
}

fn refused(key: &str, address: SocketAddr, error: &io::Error, findings: &mut Findings) {
    let (text, fix) = match error.kind() {
        io::ErrorKind::AddrInUse => (
            format!("{key}: another program listens on {address}"),
            format!("find it with `ss -ltnp 'sport = :{}'`, or choose another port", address.port()),
        ),
        io::ErrorKind::PermissionDenied => (
            format!("{key}: this user may not listen on {address}"),
            "ports below 1024 need the capability CAP_NET_BIND_SERVICE: see deploy/medcredit.service".to_owned(),
        ),
        io::ErrorKind::AddrNotAvailable => (
            format!("{key}: this machine has no address {}", address.ip()),
            "use an address that `ip address` lists, or 0.0.0.0 for all".to_owned(),
        ),
        _ => return findings.wrong("ports", format!("{key}: cannot listen on {address}: {error}")),
    };
    findings.problem("ports", text, fix);
}

fn descriptors(exam: &Examination, findings: &mut Findings) {
    let (check, needed) = ("file descriptors", exam.config.open_files());
    // `serve` raises the soft limit itself.
    let limit = telemetry::open_files().hard_limit;
    if limit < needed {
        findings.problem(
            check,
            format!("a process may open {limit}, and the configured connections need {needed}"),
            format!("raise `ulimit -Hn` (systemd: LimitNOFILE={needed}), or lower partner.max_connections"),
        );
    } else {
        findings.good(check, format!("{needed} are needed for the configured connections, {limit} are allowed"));
    }
}

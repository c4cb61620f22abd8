//! The TLS connection to the gateway, and a probe that names the step at which one fails.

use std::{sync::Arc, time::Duration};

use anyhow::Context as _;
use rustls::pki_types::ServerName;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{diagnosis::Diagnosis, profile::Profile};
use crate::{
    authority::client_tls::ClientFiles, cli::findings::Findings, domain::clock::SharedClock, identity::CertificateFacts,
};

/// How long each step of a probe may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// A TLS 1.3 server refuses a client certificate only after the handshake: how long the probe waits for such an alert.
const ALERT_WAIT: Duration = Duration::from_millis(400);

/// The TLS configuration, from the profile's files.
pub(super) fn tls_config(profile: &Profile, clock: SharedClock) -> anyhow::Result<rustls::ClientConfig> {
    let Profile { ca, certificate, key, .. } = profile;
    let files = ClientFiles { ca: ca.clone(), certificate: certificate.clone(), key: key.clone() };
    files.read(clock).context("the files of the profile")
}

/// Why the gateway cannot be reached, for a request that failed without a reason: the HTTP client may lose the alert by
/// which the gateway refuses a certificate. None when the probe succeeds.
pub(super) async fn diagnose(profile: &Profile, clock: SharedClock) -> Option<Diagnosis> {
    probe(profile, clock, &mut Findings::default()).await.err()
}

/// Connects step by step: name, port, TLS, admission. Reports each step that succeeds, and the one that fails.
pub(super) async fn probe(profile: &Profile, clock: SharedClock, findings: &mut Findings) -> Result<(), Diagnosis> {
    // An unknown name and a failing resolver look the same here.
    let (host, port) = (profile.host(), profile.port());
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let addresses: Vec<_> = found.map_err(|_| Diagnosis::of_name(profile))?.collect();
    if addresses.is_empty() {
        return Err(Diagnosis::of_name(profile));
    }
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.good("name", format!("{host} is {}", shown.join(", ")));
    let socket = match timeout(STEP_TIMEOUT, TcpStream::connect(addresses.as_slice())).await {
        Ok(socket) => socket.map_err(|error| Diagnosis::of_io(&error, profile))?,
        Err(_) => return Err(no_answer(profile)),
    };
    let mut stream = handshake(profile, clock, socket).await?;
    let (_, tls) = stream.get_ref();
    let leaf = tls.peer_certificates().and_then(|chain| CertificateFacts::read(chain.first()?).ok());
    let group = tls.negotiated_key_exchange_group().map_or_else(String::new, |group| format!("{:?}", group.name()));
    let version = tls.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    if let Some(leaf) = leaf {
        findings.good("gateway", format!("{} until {}, issued by the ca", leaf.subject, leaf.not_after));
    }
    let kind = if group == "X25519MLKEM768" { ", safe against future quantum computers" } else { "" };
    findings.good("tls", format!("{version} with {group}{kind}"));
    // One byte is enough to distinguish an alert from silence.
    let mut byte = [0];
    match timeout(ALERT_WAIT, stream.read(&mut byte)).await {
        // Silence means that the gateway waits for a request.
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err(Diagnosis::of_io(&std::io::ErrorKind::UnexpectedEof.into(), profile)),
        Ok(Err(error)) => Err(of_stream(&error, profile)),
    }
}

async fn handshake(
    profile: &Profile,
    clock: SharedClock,
    socket: TcpStream,
) -> Result<TlsStream<TcpStream>, Diagnosis> {
    let unready = |text: String| Diagnosis { stage: "gateway", text, fix: "fix the profile".into() };
    let mut config = tls_config(profile, clock).map_err(|error| unready(format!("{error:#}")))?;
    // In HTTP/2 the server speaks first, and the probe would take its first frame for an alert.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(profile.host()).map_err(|error| unready(error.to_string()))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
    match timeout(STEP_TIMEOUT, connecting).await {
        Ok(stream) => stream.map_err(|error| of_stream(&error, profile)),
        Err(_) => Err(no_answer(profile)),
    }
}

fn of_stream(error: &std::io::Error, profile: &Profile) -> Diagnosis {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => Diagnosis::of_tls(tls, profile),
        None => Diagnosis::of_io(error, profile),
    }
}

fn no_answer(profile: &Profile) -> Diagnosis {
    Diagnosis {
        stage: "connection",
        text: format!("{}:{} does not answer", profile.host(), profile.port()),
        fix: "a firewall drops the packets: have your network team open the port to the gateway".into(),
    }
}

//! The way to the gateway: name, port, its certificate, and whether it lets us in.

use std::{sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{io::AsyncReadExt as _, net::TcpStream, time::timeout};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::Examination;
use crate::{
    cli::bank::{Profile, client::tls_config, diagnosis::Trouble, findings::Findings},
    domain::clock::SharedClock,
    identity::CertificateFacts,
};

const PATIENCE: Duration = Duration::from_secs(10);
/// TLS 1.3 tells of a refused client certificate only after the handshake: so long is waited for a word.
const AFTERTHOUGHT: Duration = Duration::from_millis(400);

/// Goes the way, a step a line; whether it leads in.
pub(super) async fn check(exam: &mut Examination<'_>) -> bool {
    match go(exam.profile, exam.ctx.clock.clone(), &mut exam.findings).await {
        Ok(()) => true,
        Err(trouble) => {
            exam.findings.problem(trouble.stage, trouble.text, trouble.mend);
            false
        }
    }
}

/// What stops the way, where a request ended without saying. The HTTP client may lose the alert by which the gateway
/// refuses a certificate.
pub(in crate::cli::bank) async fn find_trouble(profile: &Profile, clock: SharedClock) -> Option<Trouble> {
    go(profile, clock, &mut Findings::default()).await.err()
}

async fn go(profile: &Profile, clock: SharedClock, findings: &mut Findings) -> Result<(), Trouble> {
    let (host, port) = (profile.host(), profile.port());
    let found = tokio::net::lookup_host((host.as_str(), port)).await;
    let addresses: Vec<_> = found.map_err(|_| Trouble::of_name(profile))?.collect();
    if addresses.is_empty() {
        return Err(Trouble::of_name(profile));
    }
    let shown: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
    findings.good("name", format!("{host} is {}", shown.join(", ")));
    let socket = match timeout(PATIENCE, TcpStream::connect(addresses.as_slice())).await {
        Ok(socket) => socket.map_err(|error| Trouble::of_io(&error, profile))?,
        Err(_) => return Err(silent(profile)),
    };
    let mut stream = handshake(profile, clock, socket).await?;
    let (_, tls) = stream.get_ref();
    let leaf = tls.peer_certificates().and_then(|chain| CertificateFacts::read(chain.first()?).ok());
    let group = tls.negotiated_key_exchange_group().map_or_else(String::new, |group| format!("{:?}", group.name()));
    let version = tls.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
    if let Some(leaf) = leaf {
        findings.good("gateway", format!("{} until {}, issued by the ca", leaf.subject, leaf.not_after));
    }
    let kind = if group == "X25519MLKEM768" { ", safe against later quantum computers" } else { "" };
    findings.good("tls", format!("{version} with {group}{kind}"));
    let mut byte = [0];
    match timeout(AFTERTHOUGHT, stream.read(&mut byte)).await {
        // Nothing is the good answer: the gateway waits for a request.
        Err(_) | Ok(Ok(1..)) => Ok(()),
        Ok(Ok(0)) => Err(Trouble::of_io(&std::io::ErrorKind::UnexpectedEof.into(), profile)),
        Ok(Err(error)) => Err(of_stream(&error, profile)),
    }
}

async fn handshake(profile: &Profile, clock: SharedClock, socket: TcpStream) -> Result<TlsStream<TcpStream>, Trouble> {
    let unready = |text: String| Trouble { stage: "gateway", text, mend: "mend the profile".into() };
    let mut config = tls_config(profile, clock).map_err(|error| unready(format!("{error:#}")))?;
    // Nothing will be said over this connection: the plainest protocol, in which the gateway does not speak first.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let name = ServerName::try_from(profile.host()).map_err(|error| unready(error.to_string()))?;
    let connecting = TlsConnector::from(Arc::new(config)).connect(name, socket);
    match timeout(PATIENCE, connecting).await {
        Ok(stream) => stream.map_err(|error| of_stream(&error, profile)),
        Err(_) => Err(silent(profile)),
    }
}

fn of_stream(error: &std::io::Error, profile: &Profile) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(tls) => Trouble::of_tls(tls, profile),
        None => Trouble::of_io(error, profile),
    }
}

fn silent(profile: &Profile) -> Trouble {
    Trouble {
        stage: "connection",
        text: format!("{}:{} does not answer", profile.host(), profile.port()),
        mend: "a firewall drops what goes there: ask your network's people to open the port to the gateway".into(),
    }
}

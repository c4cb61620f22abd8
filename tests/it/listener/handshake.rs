//! Who may connect over real TLS (T1, T2, T3; negative tests 1 to 9 and 11).

use std::{sync::Arc, time::Duration};

use medcredit::{
    domain::ManualClock,
    identity::{Anchor, tls},
};
use rcgen::ExtendedKeyUsagePurpose;
use rustls::{
    AlertDescription, Error, HandshakeKind, ServerConfig,
    client::{ClientSessionMemoryCache, Resumption},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::TlsAcceptor;

use super::test_listener::{TestListener, connect_over, settings, status};
use crate::support::{
    block_on,
    pki::{CertificateSpec, DAY, NOW, TestCa, TestCertificate},
};

fn alert(result: std::io::Result<String>) -> AlertDescription {
    let error = result.expect_err("the handshake is refused");
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
        Some(Error::AlertReceived(alert)) => *alert,
        other => panic!("{error} {other:?}"),
    }
}

async fn refusal(anchors: Vec<Anchor>, certificate: Option<&TestCertificate>) -> AlertDescription {
    let listener = TestListener::open(settings(), anchors).await;
    let alert = alert(listener.get(certificate, "/").await);
    assert_eq!(listener.handlers.handled.load(std::sync::atomic::Ordering::SeqCst), 0);
    alert
}

#[test]
fn a_bank_connects_by_both_protocols_with_the_hybrid_key_exchange() {
    // A bank with a good certificate.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let answer = listener.get(Some(&bank), "/whoami").await.unwrap();
        let seen = format!("{}|CN=bank-a,C=CN|TLSv1.3|TLS13_AES_256_GCM_SHA384|X25519MLKEM768|http/1.1", ca.id);
        assert!(answer.ends_with(&seen), "{answer}");
        let (_, text) = listener.h2(&bank).await.get("/whoami").await.unwrap();
        assert!(text.ends_with("|X25519MLKEM768|h2"), "{text}");
    });
}

#[test]
fn bad_certificates_are_refused_in_the_handshake() {
    // Negative tests 1 to 9.
    block_on(async {
        let metrics = medcredit::telemetry::install_metrics();
        let (ca, other) = (TestCa::root("Bank CA"), TestCa::root("Other CA"));
        let issuing = ca.intermediate("Issuing CA", 9);
        let good = |revoked: &[u64]| vec![ca.anchor(vec![ca.list(revoked)])];
        let chain = |root: &[u64], leaf: &[u64]| vec![ca.anchor(vec![ca.list(root), issuing.list(leaf)])];
        let stale = ca.list_of(NOW.minus(DAY * 8), NOW.minus(DAY), &[]);
        let expired = ca.issue(&CertificateSpec {
            not_after: NOW.minus(DAY),
            not_before: NOW.minus(DAY * 2),
            ..CertificateSpec::bank("a", 7)
        });
        let early = ca.issue(&CertificateSpec { not_before: NOW.plus(DAY), ..CertificateSpec::bank("a", 7) });
        let server = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let wrong = ca.issue(&CertificateSpec { purposes: server, ..CertificateSpec::bank("a", 7) });
        let (bank, below) = (ca.bank("a", 7), issuing.bank("a", 7));
        let cases = [
            ("no certificate", good(&[]), None, AlertDescription::CertificateRequired),
            ("another CA", good(&[]), Some(other.bank("a", 7)), AlertDescription::UnknownCA),
            ("expired", good(&[]), Some(expired), AlertDescription::CertificateExpired),
            ("not yet valid", good(&[]), Some(early), AlertDescription::CertificateExpired),
            ("wrong purpose", good(&[]), Some(wrong), AlertDescription::UnsupportedCertificate),
            ("revoked", good(&[7]), Some(bank.clone()), AlertDescription::CertificateRevoked),
            ("revoked below", chain(&[], &[7]), Some(below.clone()), AlertDescription::CertificateRevoked),
            ("revoked intermediate", chain(&[9], &[]), Some(below.clone()), AlertDescription::CertificateRevoked),
            ("stale list", vec![ca.anchor(vec![stale])], Some(bank.clone()), AlertDescription::CertificateExpired),
            ("no list", vec![ca.anchor(Vec::new())], Some(bank), AlertDescription::UnknownCA),
            ("no list of the intermediate", good(&[]), Some(below), AlertDescription::UnknownCA),
        ];
        for (name, anchors, certificate, expected) in cases {
            let alert = refusal(anchors, certificate.as_ref()).await;
            // For some reasons rustls chooses the alert: it must be one about certificates.
            let of_certificate = matches!(
                alert,
                AlertDescription::CertificateRequired
                    | AlertDescription::UnknownCA
                    | AlertDescription::CertificateExpired
                    | AlertDescription::UnsupportedCertificate
                    | AlertDescription::CertificateRevoked
                    | AlertDescription::CertificateUnknown
                    | AlertDescription::BadCertificate
            );
            assert!(of_certificate, "{name}: {alert:?}, expected {expected:?}");
            if !matches!(name, "wrong purpose" | "stale list" | "no list" | "no list of the intermediate") {
                assert_eq!(alert, expected, "{name}");
            }
        }
        // The metrics name each reason.
        let counted = metrics.render();
        for reason in [
            "no_certificate",
            "unknown_authority",
            "expired",
            "not_yet_valid",
            "wrong_purpose",
            "revoked",
            "revocation_stale",
            "revocation_unknown",
        ] {
            let line = format!("medcredit_handshakes_total{{listener=\"partner\",outcome=\"{reason}\"}}");
            assert!(counted.contains(&line), "{line} in {counted}");
        }
    });
}

#[test]
fn the_same_subject_of_another_authority_is_another_identity() {
    // Two banks of one subject, of two authorities of one name.
    block_on(async {
        let (ours, namesake) = (TestCa::root("Bank CA"), TestCa::root("Bank CA"));
        let anchors = vec![ours.anchor(vec![ours.list(&[])]), namesake.anchor(vec![namesake.list(&[])])];
        let listener = TestListener::open(settings(), anchors).await;
        for ca in [&ours, &namesake] {
            let answer = listener.get(Some(&ca.bank("bank-a", 7)), "/whoami").await.unwrap();
            assert!(answer.contains(&format!("{}|CN=bank-a,C=CN|", ca.id)), "{answer}");
        }
    });
}

#[test]
fn sessions_are_never_resumed() {
    // A client that stores session tickets (negative test 11).
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let mut config = listener.client(Some(&bank), &["http/1.1"]);
        config.resumption = Resumption::store(Arc::new(ClientSessionMemoryCache::new(32)));
        // The gateway never issues one.
        for _ in 0..2 {
            let mut connection =
                connected(connect_over(TcpStream::connect(listener.address).await.unwrap(), config.clone()).await);
            let answer = finish(&mut connection).await;
            assert_eq!(status(&answer), 200);
            assert_eq!(connection.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(connection.get_ref().1.tls13_tickets_received(), 0);
        }
        // A ticket of another server with the same name is offered to the gateway, which does not accept it.
        take_ticket(&listener, &config).await;
        let mut connection =
            connected(connect_over(TcpStream::connect(listener.address).await.unwrap(), config.clone()).await);
        assert_eq!(status(&finish(&mut connection).await), 200);
        assert_eq!(connection.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    });
}

fn connected(connection: std::io::Result<super::test_listener::Connection>) -> super::test_listener::Connection {
    connection.unwrap()
}

async fn finish(connection: &mut super::test_listener::Connection) -> String {
    connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
    super::test_listener::read_to_end(connection).await.unwrap()
}

/// Lets a client take a ticket of a server that issues them, and shows that it would use it there.
async fn take_ticket(listener: &TestListener, config: &rustls::ClientConfig) {
    let certificate = listener.server_ca.issue(&CertificateSpec::server(3));
    let mut server = ServerConfig::builder_with_provider(tls::provider())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificate.chain.clone(), certificate.private_key())
        .unwrap();
    server.alpn_protocols = vec![b"http/1.1".to_vec()];
    server.time_provider = Arc::new(ClockTime(listener.clock.clone()));
    let acceptor = TlsAcceptor::from(Arc::new(server));
    let socket = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = socket.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        for _ in 0..2 {
            let (stream, _) = socket.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.write_all(b"ok").await.unwrap();
            stream.shutdown().await.unwrap();
        }
    });
    for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
        let mut connection = connect_over(TcpStream::connect(address).await.unwrap(), config.clone()).await.unwrap();
        let mut text = String::new();
        connection.read_to_string(&mut text).await.unwrap();
        assert_eq!(connection.get_ref().1.handshake_kind(), Some(kind));
    }
    serving.await.unwrap();
}

#[derive(Debug)]
struct ClockTime(Arc<ManualClock>);

impl rustls::time_provider::TimeProvider for ClockTime {
    fn current_time(&self) -> Option<rustls::pki_types::UnixTime> {
        let seconds = u64::try_from(medcredit::domain::Clock::now(&*self.0).seconds()).ok()?;
        Some(rustls::pki_types::UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

/// A ClientHello of TLS 1.2 with the suites BCP 195 recommends.
fn client_hello_of_tls_12() -> Vec<u8> {
    let extensions: &[u8] = &[
        0x00, 0x0a, 0x00, 0x04, 0x00, 0x02, 0x00, 0x1d, // supported_groups: x25519
        0x00, 0x0d, 0x00, 0x06, 0x00, 0x04, 0x04, 0x03, 0x08, 0x04, // signature_algorithms
    ];
    let mut hello = vec![0x03, 0x03];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    hello.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    hello.extend(extensions);
    let mut handshake = vec![1, 0];
    handshake.extend(u16::try_from(hello.len()).unwrap().to_be_bytes());
    handshake.extend(hello);
    let mut record = vec![0x16, 0x03, 0x01];
    record.extend(u16::try_from(handshake.len()).unwrap().to_be_bytes());
    record.extend(handshake);
    record
}

#[test]
fn tls_12_is_refused() {
    // T1.
    block_on(async {
        let listener = TestListener::open(settings(), Vec::new()).await;
        let mut socket = TcpStream::connect(listener.address).await.unwrap();
        socket.write_all(&client_hello_of_tls_12()).await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        // A fatal alert, protocol_version.
        assert_eq!(answer, [0x15, 0x03, 0x03, 0x00, 0x02, 0x02, 70]);
    });
}

#[test]
fn plain_http_gets_no_response() {
    block_on(async {
        let listener = TestListener::open(settings(), Vec::new()).await;
        let mut socket = TcpStream::connect(listener.address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        assert!(!answer.windows(4).any(|window| window == b"HTTP"), "{answer:?}");
    });
}

#[test]
fn alpn_alone_decides_the_protocol() {
    // Clients that offer no protocol or only unknown ones, or speak HTTP/2 without having offered it.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let mut silent = listener.connect(Some(&bank), &[]).await.unwrap();
        assert_eq!(status(&finish(&mut silent).await), 200);
        let unknown = listener.connect(Some(&bank), &["h3", "spdy/3"]).await.expect_err("no protocol is shared");
        assert!(unknown.to_string().contains("NoApplicationProtocol"), "{unknown}");
        let mut http2 = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        http2.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
        let answer = super::test_listener::read_to_end(&mut http2).await.unwrap_or_default();
        assert!(answer.is_empty() || status(&answer) >= 400, "{answer}");
    });
}

//! Full listeners: which connection is evicted, and what the client of a refused one sees.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use medcredit::http::listener::settings::Settings;
use rustls::{AlertDescription, SignatureScheme, client::ResolvesClientCert, sign::CertifiedKey};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use super::test_listener::{TestListener, connect_over, eventually, read_to_end, settings, socket_from, status};
use crate::support::{
    block_on,
    pki::{TestCa, TestCertificate},
};

async fn open(settings: Settings) -> (TestListener, TestCa) {
    let ca = TestCa::root("Bank CA");
    (TestListener::open(settings, vec![ca.anchor(vec![ca.list(&[])])]).await, ca)
}

/// Whether the listener has closed a connection that sends nothing.
fn is_closed(socket: &TcpStream) -> bool {
    !matches!(socket.try_read(&mut [0]), Err(error) if error.kind() == std::io::ErrorKind::WouldBlock)
}

/// Requests the root from another loopback address.
async fn get_from(listener: &TestListener, last: u8, bank: &TestCertificate) -> std::io::Result<String> {
    let socket = socket_from(last, listener.address).await;
    let mut connection = connect_over(socket, listener.client(Some(bank), &["http/1.1"])).await?;
    connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await?;
    read_to_end(&mut connection).await
}

#[test]
fn silent_sockets_never_keep_a_bank_out() {
    // Eight addresses take all 512 slots of handshakes; then banks connect, from addresses that nobody knows.
    block_on(async {
        let limits = Settings { max_handshakes: 512, max_handshakes_per_address: 64, ..settings() };
        let (listener, ca) = open(limits).await;
        let mut silent = Vec::new();
        for nth in 0..512_u16 {
            silent.push(socket_from(2 + u8::try_from(nth % 8).unwrap(), listener.address).await);
        }
        for (nth, name) in [(100, "bank-a"), (101, "bank-b"), (102, "bank-c")] {
            let bank = ca.bank(name, u64::from(nth));
            let answer = get_from(&listener, nth, &bank).await.unwrap();
            assert_eq!(status(&answer), 200, "{name}");
        }
        // The first took the slot of the oldest, and the others the one that it left behind.
        eventually(|| silent.iter().filter(|socket| is_closed(socket)).count() == 1).await;
        assert!(is_closed(&silent[0]));
    });
}

#[test]
fn slots_are_reserved_for_known_addresses() {
    // A bank that has connected before and one in a registered network, while strangers take all they can.
    block_on(async {
        let known = vec!["127.0.0.200/32".parse().unwrap()];
        let limits = Settings { max_handshakes: 4, reserved_handshakes: 2, known_networks: known, ..settings() };
        let (listener, ca) = open(limits).await;
        let bank = ca.bank("bank-a", 7);
        assert_eq!(status(&get_from(&listener, 100, &bank).await.unwrap()), 200);
        let silent = [2, 3, 4].map(|last| socket_from(last, listener.address));
        let [first, second, third] = silent;
        let (first, second, third) = (first.await, second.await, third.await);
        eventually(|| is_closed(&first)).await;
        // Silent ones of known addresses: they take the reserved slots, and nobody else's.
        let (proved, registered) = (socket_from(100, listener.address).await, socket_from(200, listener.address).await);
        let next = socket_from(5, listener.address).await;
        eventually(|| is_closed(&second)).await;
        assert!(![&third, &proved, &registered, &next].into_iter().any(is_closed));
        assert_eq!(status(&get_from(&listener, 100, &bank).await.unwrap()), 200);
        eventually(|| is_closed(&third)).await;
        assert!(![&proved, &registered, &next].into_iter().any(is_closed));
    });
}

#[test]
fn a_connection_of_no_client_is_evicted() {
    // The holder of a trusted certificate that nobody registered, when all connections are taken.
    block_on(async {
        let (listener, ca) = open(Settings { max_connections: 3, ..settings() }).await;
        let nobody = listener.h2(&ca.bank("nobody", 9)).await;
        assert_eq!(nobody.get("/").await.unwrap().0, 200);
        let banks = [listener.h2(&ca.bank("bank-a", 7)).await, listener.h2(&ca.bank("bank-b", 8)).await];
        for bank in &banks {
            assert_eq!(bank.get("/").await.unwrap().0, 200);
        }
        let third = listener.h2(&ca.bank("bank-c", 10)).await;
        assert_eq!(third.get("/").await.unwrap().0, 200);
        assert!(nobody.get("/").await.is_err(), "its slot was given to the third");
        for bank in &banks {
            assert_eq!(bank.get("/").await.unwrap().0, 200);
        }
        // Of three registered clients, none is evicted for a fourth.
        assert!(listener.connect(Some(&ca.bank("bank-d", 11)), &["h2"]).await.is_err());
    });
}

#[test]
fn a_client_without_a_certificate_sees_the_alert_and_no_reset() {
    // In TLS 1.3 a client has finished before it is refused, and may have sent a request already.
    block_on(async {
        let (listener, _) = open(settings()).await;
        for nth in 0..20 {
            let mut connection = listener.connect(None, &["http/1.1"]).await.unwrap();
            // More than one record, in several writes: some of it arrives after the alert was sent.
            for _ in 0..4 {
                if connection.write_all(&[b'x'; 12_000]).await.is_err() {
                    break;
                }
                tokio::task::yield_now().await;
            }
            let mut bytes = Vec::new();
            let error = connection.read_to_end(&mut bytes).await.expect_err("refused");
            let alert = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            let expected = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
            assert_eq!(alert, Some(&expected), "connection {nth}: {error}");
        }
    });
}

/// A client's certificate, which notes the authorities that the server names.
#[derive(Debug)]
struct Noting {
    certified: Arc<CertifiedKey>,
    named: Mutex<Option<usize>>,
}

impl ResolvesClientCert for Noting {
    fn resolve(&self, hints: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        *self.named.lock().unwrap() = Some(hints.len());
        Some(Arc::clone(&self.certified))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

#[test]
fn the_handshake_names_no_authority() {
    // Any caller would learn which authorities the bureau trusts.
    block_on(async {
        let (listener, ca) = open(settings()).await;
        let noting = Arc::new(Noting { certified: ca.bank("bank-a", 7).certified(), named: Mutex::new(None) });
        let mut config = listener.client(None, &["http/1.1"]);
        config.client_auth_cert_resolver = noting.clone();
        let socket = TcpStream::connect(listener.address).await.unwrap();
        let mut connection = connect_over(socket, config).await.unwrap();
        connection.write_all(b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await.unwrap();
        assert_eq!(status(&read_to_end(&mut connection).await.unwrap()), 200);
        assert_eq!(*noting.named.lock().unwrap(), Some(0));
    });
}

#[test]
fn a_refusal_reaches_a_client_that_still_sends_its_body() {
    // A client that reads only after it has sent everything: the response must not be lost in a reset.
    block_on(async {
        let (listener, ca) = open(Settings { max_body_bytes: 8 << 20, ..settings() }).await;
        let bank = ca.bank("bank-a", 7);
        for nth in 0..5 {
            let mut connection = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
            let head = format!("POST /whoami HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 4 << 20);
            connection.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..64 {
                connection
                    .write_all(&[b'x'; 1 << 16])
                    .await
                    .unwrap_or_else(|error| panic!("connection {nth}: {error}"));
            }
            let answer = read_to_end(&mut connection).await.unwrap();
            assert_eq!(status(&answer), 405, "connection {nth}: {answer}");
        }
    });
}

#[test]
fn a_client_that_never_stops_sending_is_cut() {
    block_on(async {
        let (listener, ca) = open(Settings { max_body_bytes: 1 << 30, ..settings() }).await;
        let mut connection = listener.connect(Some(&ca.bank("bank-a", 7)), &["http/1.1"]).await.unwrap();
        let head = format!("POST /whoami HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", 1 << 30);
        connection.write_all(head.as_bytes()).await.unwrap();
        let sent = async {
            let mut sent = 0_usize;
            while connection.write_all(&[b'x'; 1 << 16]).await.is_ok() {
                sent += 1 << 16;
            }
            sent
        };
        let sent = tokio::time::timeout(Duration::from_secs(10), sent).await.expect("it is cut");
        assert!(sent < 64 << 20, "{sent} bytes were taken from it");
    });
}

//! A receiver on a loopback port, with a certification authority of its own: it requires our certificate, keeps every request as it
//! came, and answers by a script.

use std::{
    collections::VecDeque,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::HeaderMap;
use medcredit::{
    authority::{
        client_tls::ClientFiles,
        files::{CERTIFICATE, PRIVATE_KEY, to_pem},
    },
    domain::{ManualClock, Timestamp},
    identity::{KeyPair, Signer as _, Suite, certificate::thumbprint, tls},
    outbox::Receipt,
    push::{
        carrier::{Carrier as _, Delivery, Failed, PackageHead, Row, https::Https},
        platform::HttpsSettings,
    },
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::support::pki::{CertificateSpec, DAY, NOW, TestCa, TestCertificate, trust};

/// What the receiver does with a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// Answers with a status, headers and a body.
    Reply(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// Answers with half of the body that it states, and closes the connection.
    Half,
    /// Closes the connection without an answer.
    Close,
    /// Keeps the connection and answers nothing.
    Hang,
}

impl Act {
    /// An answer of JSON.
    pub fn json(status: u16, body: &str) -> Self {
        Self::Reply(status, vec![("content-type", "application/json".into())], body.as_bytes().to_vec())
    }

    /// An answer with one header and no body.
    pub fn status(status: u16, header: Option<(&'static str, &str)>) -> Self {
        Self::Reply(status, header.map(|(name, value)| (name, value.to_owned())).into_iter().collect(), Vec::new())
    }
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub method: String,
    /// Path and query.
    pub target: String,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
    /// The thumbprint of the client's certificate.
    pub certificate: String,
}

impl Received {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("{name}: {self:?}")).to_str().unwrap()
    }
}

/// Decides about requests.
type Handler = Arc<dyn Fn(&Received) -> Act + Send + Sync>;

/// What the tasks of the receiver share with the test.
#[derive(Default)]
struct Shared {
    script: Mutex<VecDeque<Act>>,
    /// Answers in place of the script; the requests are not kept then.
    handler: Mutex<Option<Handler>>,
    received: Mutex<Vec<Received>>,
    connections: AtomicUsize,
}

/// The receiver, its authority, and a carrier's files for it.
pub struct Sink {
    pub address: SocketAddr,
    /// The issuer of both certificates.
    pub ca: TestCa,
    pub clock: Arc<ManualClock>,
    /// The key that signs our requests.
    pub key: Arc<KeyPair>,
    /// The directory of the carrier's files.
    files: tempfile::TempDir,
    shared: Arc<Shared>,
}

impl Sink {
    /// Opens a receiver whose certificate is for these hosts.
    pub async fn open_for(hosts: &[&str]) -> Self {
        Self::open_at(NOW, hosts).await
    }

    /// Opens a receiver whose certificates are valid from a time on, which its clock shows.
    pub async fn open_at(now: Timestamp, hosts: &[&str]) -> Self {
        let (ca, clock) = (TestCa::root("platform root"), ManualClock::new(now));
        let hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
        let of = |spec: CertificateSpec| CertificateSpec {
            not_before: now.minus(DAY),
            not_after: now.plus(DAY * 90),
            ..spec
        };
        let server = ca.issue(&of(CertificateSpec { hosts, ..CertificateSpec::server(2) }));
        let trusted = Arc::new(trust(1, vec![ca.anchor(vec![ca.list_of(now, now.plus(DAY * 7), &[])])]));
        let mut config = tls::server_config(trusted, server.certified(), clock.clone()).unwrap();
        // Its side of HTTP is written by hand, so that it can break off in the middle.
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, shared) = (listener.local_addr().unwrap(), Arc::new(Shared::default()));
        let key = KeyPair::from_pkcs8(Suite::Es256, &KeyPair::generate(Suite::Es256).unwrap()).unwrap();
        let sink = Self { address, clock, key: Arc::new(key), files: tempfile::tempdir().unwrap(), shared, ca };
        sink.install(&sink.ca.issue(&of(CertificateSpec::bank("bureau", 10))));
        let (shared, acceptor) = (Arc::clone(&sink.shared), TlsAcceptor::from(Arc::new(config)));
        tokio::spawn(async move {
            loop {
                let (socket, _) = listener.accept().await.unwrap();
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, acceptor) = (Arc::clone(&shared), acceptor.clone());
                tokio::spawn(async move { serve(&shared, acceptor, socket).await });
            }
        });
        sink
    }

    /// Opens a receiver for `localhost`.
    pub async fn open() -> Self {
        Self::open_for(&["localhost"]).await
    }

    /// Adds to the script. Without one, the receiver answers 200.
    pub fn script(&self, acts: impl IntoIterator<Item = Act>) {
        self.shared.script.lock().unwrap().extend(acts);
    }

    /// Answers every request by a function.
    pub fn answers_by(&self, handler: impl Fn(&Received) -> Act + Send + Sync + 'static) {
        *self.shared.handler.lock().unwrap() = Some(Arc::new(handler));
    }

    /// The requests so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.received.lock().unwrap().clone()
    }

    /// The number of connections so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The path of a file of the carrier.
    pub fn file(&self, name: &str) -> PathBuf {
        self.files.path().join(name)
    }

    /// Puts a certificate and its key into the carrier's files.
    pub fn install(&self, certificate: &TestCertificate) {
        replace(&self.file("ca.pem"), &to_pem(CERTIFICATE, &self.ca.certificate));
        self.install_certificate(certificate);
        self.install_key(certificate);
    }

    pub fn install_certificate(&self, certificate: &TestCertificate) {
        replace(&self.file("client.pem"), &to_pem(CERTIFICATE, &certificate.chain[0]));
    }

    pub fn install_key(&self, certificate: &TestCertificate) {
        replace(&self.file("client.key"), &to_pem(PRIVATE_KEY, &certificate.key));
    }

    /// The settings of a carrier to this receiver by the name `localhost`.
    pub fn settings(&self) -> HttpsSettings {
        HttpsSettings {
            url: format!("https://localhost:{}/credit", self.address.port()).parse().unwrap(),
            files: ClientFiles {
                ca: self.file("ca.pem"),
                certificate: self.file("client.pem"),
                key: self.file("client.key"),
            },
            allow: ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap()).to_vec(),
            page_rows: 500,
            in_flight: 8,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(20),
            largest_answer: 10_000,
        }
    }

    /// A carrier with these settings.
    pub fn carrier_with(&self, settings: HttpsSettings) -> Https {
        let key = Arc::clone(&self.key);
        Https::new(settings, Arc::new(move || key.clone()), self.clock.clone()).unwrap()
    }

    pub fn carrier(&self) -> Https {
        self.carrier_with(self.settings())
    }
}

/// Delivers the only page of a package.
pub async fn deliver(carrier: &Https, package: &PackageHead, rows: &[Row]) -> Result<Receipt, Failed> {
    carrier.deliver(&Delivery { package, page: 1, key: "obx_1", rows }).await
}

/// A rename, as an administrator or an ACME client replaces a file: the inode changes even within a tick of the clock.
fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// Serves a connection until it ends. Whatever breaks off here is the test's intention, and shows at the carrier.
async fn serve(shared: &Shared, acceptor: TlsAcceptor, socket: TcpStream) {
    let Ok(mut connection) = acceptor.accept(socket).await else { return };
    let certificate = thumbprint(&connection.get_ref().1.peer_certificates().unwrap()[0]);
    while let Some(received) = request(&mut connection, &certificate).await {
        let handler = shared.handler.lock().unwrap().clone();
        let act = if let Some(handler) = handler {
            handler(&received)
        } else {
            shared.received.lock().unwrap().push(received);
            shared.script.lock().unwrap().pop_front().unwrap_or_else(|| Act::json(200, "{}"))
        };
        match act {
            Act::Reply(status, headers, body) => {
                let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
                for (name, value) in headers {
                    head.push_str(&format!("{name}: {value}\r\n"));
                }
                let _ = connection.write_all(&[head.as_bytes(), b"\r\n", &body].concat()).await;
                let _ = connection.flush().await;
            }
            Act::Half => {
                let _ = connection.write_all(b"HTTP/1.1 200 X\r\ncontent-length: 20\r\n\r\n{\"receipt\"").await;
                let _ = connection.shutdown().await;
                return;
            }
            Act::Close => {
                let _ = connection.shutdown().await;
                return;
            }
            // Until the client gives up.
            Act::Hang => {
                let _ = connection.read(&mut [0]).await;
                return;
            }
        }
    }
}

async fn request(connection: &mut TlsStream<TcpStream>, certificate: &str) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end;
        }
        if connection.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.split("\r\n");
    let mut first = lines.next().unwrap().split(' ');
    let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
    let mut headers = HeaderMap::new();
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        headers.append(http::HeaderName::try_from(name).unwrap(), value.trim().parse().unwrap());
    }
    let length = headers.get("content-length").map_or(0, |length| length.to_str().unwrap().parse().unwrap());
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        if connection.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some(Received { method, target, headers, body, certificate: certificate.to_owned() })
}

/// The key id of the signing key.
pub fn key_id(sink: &Sink) -> String {
    sink.key.key_id().to_owned()
}

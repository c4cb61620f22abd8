//! A partner listener on a loopback port, and clients that send exactly the bytes of a test.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::{HeaderMap, Response, StatusCode},
    routing::{get, post},
};
use medcredit::{
    authority::{Live, LiveMaterial},
    domain::{ClockTrust, ManualClock},
    http::listener::{
        kind::{Listener, ListenerKind},
        peer::ConnectionIdentity,
        refusal::Refusal,
        settings::Settings,
    },
    identity::{Anchor, PartnerTrust},
};
use rustls::{ClientConfig, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::support::pki::{self, CertificateSpec, NOW, TestCa, TestCertificate};

/// A connection to a listener.
pub type Connection = TlsStream<TcpStream>;

/// A listener that is open until it is dropped or closed.
pub struct TestListener {
    pub address: SocketAddr,
    /// Its trust and its certificate.
    pub live: Arc<Live>,
    pub clock: Arc<ManualClock>,
    /// The issuer of its certificate.
    pub server_ca: TestCa,
    pub handlers: Arc<Handlers>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// What the handlers count and wait for.
#[derive(Debug, Default)]
pub struct Handlers {
    /// Requests that reached a handler.
    pub handled: AtomicUsize,
    /// Requests that reached `/hidden`.
    pub hidden: AtomicUsize,
    /// Requests to `/wait` that began.
    pub waiting: Notify,
    /// Releases a request to `/wait`.
    pub resume: Notify,
}

/// Limits that no test reaches by accident.
pub fn settings() -> Settings {
    let long = Duration::from_secs(20);
    Settings {
        handshake_timeout: long,
        header_timeout: long,
        body_timeout: long,
        request_timeout: long,
        idle_timeout: long,
        max_connection_age: long,
        drain_timeout: long,
        max_connections: 1000,
        max_handshakes: 1000,
        max_handshakes_per_address: 1000,
        max_handshakes_per_site: 1000,
        reserved_handshakes: 0,
        known_networks: Vec::new(),
        max_connections_per_client: 1000,
        max_concurrent_streams: 64,
        max_header_bytes: 16_384,
        max_body_bytes: 1000,
        larger_bodies: None,
    }
}

fn render(_: &HeaderMap, refusal: Refusal) -> Response<Body> {
    let mut response = Response::new(Body::from(refusal.code()));
    *response.status_mut() = match refusal {
        Refusal::Identity(_) => StatusCode::UNAUTHORIZED,
        Refusal::Host => StatusCode::BAD_REQUEST,
        Refusal::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Refusal::TrustOutOfDate | Refusal::ClockUntrusted | Refusal::RequestTimeout => StatusCode::SERVICE_UNAVAILABLE,
    };
    response
}

fn router(handlers: &Arc<Handlers>) -> Router {
    let (hidden, wait, count) = (Arc::clone(handlers), Arc::clone(handlers), Arc::clone(handlers));
    Router::new()
        .route("/", get(|| async { "ok" }))
        .route("/echo", post(|body: Bytes| async move { body }))
        .route(
            "/read",
            post(|body: Body| async move {
                axum::body::to_bytes(body, usize::MAX).await.map_or(0, |b| b.len()).to_string()
            }),
        )
        .route(
            "/whoami",
            get(|Extension(caller): Extension<Arc<ConnectionIdentity>>| async move {
                let (identity, tls) = (caller.identity(), caller.negotiated());
                format!(
                    "{}|{}|{}|{}|{}|{}",
                    identity.authority(),
                    identity.subject(),
                    tls.protocol,
                    tls.cipher_suite,
                    tls.key_exchange,
                    tls.alpn
                )
            }),
        )
        .route(
            "/headers",
            get(|headers: HeaderMap| async move {
                let mut names: Vec<&str> = headers.keys().map(http::HeaderName::as_str).collect();
                names.sort_unstable();
                names.join(",")
            }),
        )
        .route("/large", get(|| async { Body::from(vec![b'x'; 64 << 20]) }))
        .route(
            "/hidden",
            get(move || async move {
                hidden.hidden.fetch_add(1, Ordering::SeqCst);
                "hidden"
            }),
        )
        .route(
            "/wait",
            get(move || async move {
                wait.waiting.notify_one();
                wait.resume.notified().await;
                "waited"
            }),
        )
        .layer(axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
            count.handled.fetch_add(1, Ordering::SeqCst);
            next.run(request)
        }))
}

impl TestListener {
    /// Opens a listener that trusts some authorities.
    pub async fn open(settings: Settings, anchors: Vec<Anchor>) -> Self {
        let server_ca = TestCa::root("server root");
        let clock = ManualClock::new(NOW);
        let material = material(&server_ca, &clock, pki::trust(1, anchors));
        // Never out of date: a test that advances the clock is not about that, unless it uses `open_with`.
        let live = Arc::new(Live::new(material, Duration::MAX));
        Self::open_with(settings, live, clock, server_ca).await
    }

    /// Opens a listener over live material.
    pub async fn open_with(settings: Settings, live: Arc<Live>, clock: Arc<ManualClock>, server_ca: TestCa) -> Self {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let handlers = Arc::new(Handlers::default());
        let listener = Listener {
            settings,
            kind: ListenerKind::Partners(live.clone()),
            clock: clock.clone(),
            clock_trust: ClockTrust::default(),
            render: Arc::new(render),
            // Every certificate belongs to a client, except those for this name.
            find_client: Arc::new(|identity| {
                let subject = identity.subject();
                (!subject.contains("CN=nobody")).then(|| subject.to_owned())
            }),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        let service = router(&handlers);
        let task = tokio::spawn(listener.serve(socket, service, async {
            let _ = stopped.await;
        }));
        Self { address, live, clock, server_ca, handlers, stop: Some(stop), task }
    }

    /// Replaces the trusted authorities.
    pub fn trust(&self, trust: PartnerTrust) {
        self.live.publish(material(&self.server_ca, &self.clock, trust));
    }

    /// Begins the shutdown.
    pub fn close(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end of the shutdown.
    pub async fn closed(self) {
        self.task.await.unwrap();
    }

    /// The TLS configuration of a client.
    pub fn client(&self, certificate: Option<&TestCertificate>, alpn: &[&str]) -> ClientConfig {
        let mut config = pki::client(&self.server_ca, certificate, self.clock.clone());
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        config
    }

    /// Connects. In TLS 1.3 the client finishes the handshake before the server has verified its certificate.
    pub async fn connect(&self, certificate: Option<&TestCertificate>, alpn: &[&str]) -> std::io::Result<Connection> {
        let socket = TcpStream::connect(self.address).await?;
        connect_over(socket, self.client(certificate, alpn)).await
    }

    /// Sends bytes over HTTP/1.1 and returns everything that arrives until the connection ends.
    pub async fn send(&self, certificate: Option<&TestCertificate>, text: &str) -> std::io::Result<String> {
        let mut connection = self.connect(certificate, &["http/1.1"]).await?;
        connection.write_all(text.as_bytes()).await?;
        read_to_end(&mut connection).await
    }

    /// Requests a path over HTTP/1.1.
    pub async fn get(&self, certificate: Option<&TestCertificate>, path: &str) -> std::io::Result<String> {
        self.send(certificate, &format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n")).await
    }

    /// Opens an HTTP/2 connection.
    pub async fn h2(&self, certificate: &TestCertificate) -> H2 {
        let connection = self.connect(Some(certificate), &["h2"]).await.unwrap();
        let (send, connection) = h2::client::handshake(connection).await.unwrap();
        let ended = tokio::spawn(async move { connection.await.map_err(|error| error.to_string()) });
        H2 { send, ended }
    }
}

/// An HTTP/2 client.
pub struct H2 {
    /// Sends requests.
    pub send: h2::client::SendRequest<Bytes>,
    /// How the connection ended.
    pub ended: JoinHandle<Result<(), String>>,
}

impl H2 {
    /// Waits until the connection ends without an error of the client. A client that still writes when the server has closed
    /// gets a broken pipe, which is fine.
    pub async fn ends(self) {
        let ended = tokio::time::timeout(Duration::from_secs(10), self.ended).await.expect("it ends").unwrap();
        if let Err(error) = ended {
            assert!(error.contains("broken pipe") || error.contains("connection reset"), "{error}");
        }
    }

    /// Requests a path and returns status and text.
    pub async fn get(&self, path: &str) -> Result<(u16, String), h2::Error> {
        let mut send = self.send.clone().ready().await?;
        let request = http::Request::get(format!("https://localhost{path}")).body(()).unwrap();
        let (response, _) = send.send_request(request, true)?;
        let response = response.await?;
        let status = response.status().as_u16();
        let mut body = response.into_body();
        let mut text = Vec::new();
        while let Some(data) = body.data().await {
            let data = data?;
            body.flow_control().release_capacity(data.len())?;
            text.extend_from_slice(&data);
        }
        Ok((status, String::from_utf8(text).unwrap()))
    }
}

/// TLS material with a new server certificate.
pub fn material(server_ca: &TestCa, clock: &Arc<ManualClock>, trust: PartnerTrust) -> LiveMaterial {
    let certificate = server_ca.issue(&CertificateSpec::server(2));
    LiveMaterial::new(Arc::new(trust), certificate.certified(), clock.clone()).unwrap()
}

/// Makes a handshake over a socket.
pub async fn connect_over(socket: TcpStream, config: ClientConfig) -> std::io::Result<Connection> {
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await
}

/// Connects a socket from another loopback address.
pub async fn socket_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0)).unwrap();
    socket.connect(to).await.unwrap()
}

/// Reads until the end of the connection. An error counts only if nothing arrived before it.
pub async fn read_to_end(connection: &mut Connection) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), connection.read_to_end(&mut bytes)).await;
    match read.expect("the connection ends") {
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(String::from_utf8(bytes).unwrap()),
    }
}

/// The status of an HTTP/1.1 answer.
pub fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).unwrap_or_else(|| panic!("{answer:?}")).parse().unwrap()
}

/// Waits until a condition is true, for at most five seconds.
pub async fn eventually(mut condition: impl FnMut() -> bool) {
    for _ in 0..500 {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the condition did not become true");
}

//! The accept loop: takes a slot for a connection, then makes its handshake and serves it in a task of its own.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    activity::Activity,
    admission::{Admission, Admitted},
    caps::{Caps, Slot, site_of},
    connection,
    kind::{Listener, ListenerKind, RequestHandler},
    peer::{ConnectionIdentity, Peer, PublicPeer},
    request::ConnectionState,
    settings::{SITE, Settings},
};
use crate::identity::failure_reason;

/// The reason why a connection ends whose slot was given to another.
const EVICTED: &str = "evicted";
/// How long the loop pauses when the system cannot accept a connection, such as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How long, and how many bytes, a client that was refused in its handshake may still send.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 64 * 1024;

/// The limits of a listener.
struct Limits {
    admission: Arc<Admission>,
    connections_by_client: Arc<Caps<String>>,
    connections_by_site: Arc<Caps<IpAddr>>,
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        Self {
            admission: Admission::new(settings),
            connections_by_client: Caps::new(settings.max_connections_per_client),
            connections_by_site: Caps::new(settings.max_connections_per_client.saturating_mul(SITE)),
        }
    }
}

impl Listener {
    /// Serves until `shutdown`, then lets active requests finish within the drain time.
    pub async fn serve(
        self,
        socket: TcpListener,
        service: impl RequestHandler,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        run(Arc::new(self), socket, service, shutdown).await;
    }
}

async fn run(
    listener: Arc<Listener>,
    socket: TcpListener,
    service: impl RequestHandler,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (settings, name) = (&listener.settings, listener.kind.name());
    let limits = Arc::new(Limits::of(settings));
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            // A `JoinSet` keeps each result until it is taken. A panic ends its own connection and nothing else.
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, address)) => match limits.admission.admit(address.ip()) {
                    Ok(slot) => {
                        let (listener, limits) = (Arc::clone(&listener), Arc::clone(&limits));
                        let (service, stopping) = (service.clone(), stopping.clone());
                        tasks.spawn(async move {
                            let accepted = Accepted { listener, limits, address };
                            accepted.serve(stream, slot, service, stopping).await;
                        });
                    }
                    // The stream is dropped: any answer would need the handshake that the limit saves.
                    Err(reason) => log_refusal(name, reason, address),
                },
                Err(error) => {
                    tracing::warn!(listener = name, error = %error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
    // Closed before the drain: the system then refuses new connections, and clients try another gateway.
    drop(socket);
    // An error means that every receiver is gone: then nothing is left to stop.
    let _ = stop.send(true);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(settings.drain_timeout, drained).await.is_err() {
        tracing::warn!(listener = name, count = tasks.len(), "connections were closed at the end of the drain time");
        tasks.shutdown().await;
    }
}

/// A handshake that failed.
struct Failed {
    reason: &'static str,
    /// The connection over which an alert was sent.
    stream: Option<TcpStream>,
}

/// An accepted TCP connection.
struct Accepted {
    listener: Arc<Listener>,
    limits: Arc<Limits>,
    address: SocketAddr,
}

impl Accepted {
    async fn serve(
        self,
        stream: TcpStream,
        slot: Admitted,
        service: impl RequestHandler,
        mut stopping: watch::Receiver<bool>,
    ) {
        let name = self.listener.kind.name();
        let result = tokio::select! {
            result = self.handshake(stream) => result,
            () = slot.evicted() => return log_refusal(name, EVICTED, self.address),
            // No request is lost with an unfinished handshake.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        let (stream, peer) = match result {
            Ok(accepted) => accepted,
            Err(Failed { reason, stream }) => {
                metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => reason).increment(1);
                tracing::info!(listener = name, address = %self.address, reason, "handshake failed");
                let Some(stream) = stream else { return };
                return tokio::select! {
                    () = close_after_alert(stream) => {}
                    () = slot.evicted() => {}
                    _ = stopping.wait_for(|stopping| *stopping) => {}
                };
            }
        };
        metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => "accepted").increment(1);
        slot.end_handshake(self.listener.client_of(&peer));
        // Only after the handshake, because the certificate names the client.
        let _slots = match self.slots(&peer) {
            Ok(slots) => slots,
            Err(reason) => return log_refusal(name, reason, self.address),
        };
        let open = metrics::gauge!("medcredit_connections", "listener" => name);
        open.increment(1.0);
        let _open = OpenConnection(open);
        let address = self.address;
        let state = ConnectionState { listener: self.listener, peer, activity: Activity::new(), end: Notify::new() };
        tokio::select! {
            () = connection::serve(Arc::new(state), stream, service, stopping) => {}
            () = slot.evicted() => log_refusal(name, EVICTED, address),
        }
    }

    /// Takes the slots of a connection by its client, and on a public listener by its site.
    fn slots(&self, peer: &Peer) -> Result<(Slot<String>, Option<Slot<IpAddr>>), &'static str> {
        let of_client = self.limits.connections_by_client.take(peer.count_key());
        match peer {
            Peer::Client(_) => Ok((of_client.ok_or("too_many_connections_of_certificate")?, None)),
            Peer::Public(_) => {
                let of_client = of_client.ok_or("too_many_connections_of_address")?;
                let Some(site) = site_of(self.address.ip()) else { return Ok((of_client, None)) };
                let of_site = self.limits.connections_by_site.take(site).ok_or("too_many_connections_of_site")?;
                Ok((of_client, Some(of_site)))
            }
        }
    }

    async fn handshake(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Peer), Failed> {
        let failed = |reason| Failed { reason, stream: None };
        // Responses are small and complete: waiting for more data to send would only delay them.
        stream.set_nodelay(true).map_err(|_| failed("closed"))?;
        let acceptor = TlsAcceptor::from(self.listener.kind.tls_config());
        let timeout = self.listener.settings.handshake_timeout;
        let stream = match tokio::time::timeout(timeout, acceptor.accept(stream).into_fallible()).await {
            Ok(Ok(stream)) => stream,
            Ok(Err((error, stream))) => {
                return Err(Failed { reason: handshake_failure(&error), stream: Some(stream) });
            }
            Err(_) => return Err(failed("timeout")),
        };
        let peer = match &self.listener.kind {
            ListenerKind::Partners(live) => {
                // Not `fresh`: out-of-date trust refuses requests (I3), and connections stay.
                let (trust, now) = (Arc::clone(&live.material().trust), self.listener.clock.now());
                let identity = ConnectionIdentity::of(stream.get_ref().1, self.address, &trust, now);
                Peer::Client(Arc::new(identity.map_err(|error| failed(error.reason()))?))
            }
            ListenerKind::Public(_) => Peer::Public(PublicPeer(self.address)),
        };
        Ok((stream, peer))
    }
}

/// Closes a connection so that its client can read the alert that was sent: half of it first, then what the client has
/// sent meanwhile is read. With bytes unread, the system would send a reset, and the client would lose the alert.
async fn close_after_alert(mut stream: TcpStream) {
    let lingering = async {
        stream.shutdown().await?;
        // On the heap: only refused handshakes have this, and the future of every connection would have room for it.
        let (mut scratch, mut left) = (vec![0; 4096], LINGER_BYTES);
        while left > 0 {
            match stream.read(&mut scratch).await? {
                0 => break,
                read => left = left.saturating_sub(read),
            }
        }
        io::Result::Ok(())
    };
    // A client that is gone, or does not close, is no concern: the alert was sent.
    let _ = tokio::time::timeout(LINGER, Box::pin(lingering)).await;
}

/// Counts a connection as closed when dropped, however its task ends.
struct OpenConnection(metrics::Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn log_refusal(listener: &'static str, reason: &'static str, address: SocketAddr) {
    metrics::counter!("medcredit_refused_total", "listener" => listener, "reason" => reason).increment(1);
    tracing::info!(listener, %address, reason, "connection refused");
}

fn handshake_failure(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => failure_reason(error),
        None => "closed",
    }
}

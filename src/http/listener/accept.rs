//! The accept loop: takes slots for a connection, then makes its handshake and serves it in a task of its own.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::{
    activity::Activity,
    caps::{Caps, Slot, network_of},
    connection,
    kind::{Listener, ListenerKind, RequestHandler},
    peer::{ConnectionIdentity, Peer, PublicPeer},
    request::ConnectionState,
    settings::Settings,
};
use crate::identity::{IdentityError, failure_reason};

/// How long the loop pauses when the system cannot accept a connection, such as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a listener.
struct Limits {
    connections: Arc<Caps<()>>,
    handshakes: Arc<Caps<()>>,
    handshakes_by_address: Arc<Caps<IpAddr>>,
    connections_by_client: Arc<Caps<String>>,
}

/// The slots of a connection whose handshake is not finished.
struct Slots {
    connection: Slot<()>,
    handshake: HandshakeSlots,
}

/// The slots that are released at the end of the handshake.
struct HandshakeSlots {
    _total: Slot<()>,
    _address: Slot<IpAddr>,
}

impl Limits {
    fn of(settings: &Settings) -> Self {
        Self {
            connections: Caps::new(settings.max_connections),
            handshakes: Caps::new(settings.max_handshakes),
            handshakes_by_address: Caps::new(settings.max_handshakes_per_address),
            connections_by_client: Caps::new(settings.max_connections_per_client),
        }
    }

    fn admit(&self, address: SocketAddr) -> Result<Slots, &'static str> {
        // Where a later slot is missing, `?` drops and so releases the earlier ones.
        let connection = self.connections.take(()).ok_or("too_many_connections")?;
        let total = self.handshakes.take(()).ok_or("too_many_handshakes")?;
        let by_address = self.handshakes_by_address.take(network_of(address.ip()));
        let by_address = by_address.ok_or("too_many_handshakes_of_address")?;
        Ok(Slots { connection, handshake: HandshakeSlots { _total: total, _address: by_address } })
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
                Ok((stream, address)) => match limits.admit(address) {
                    Ok(slots) => {
                        let (listener, limits) = (Arc::clone(&listener), Arc::clone(&limits));
                        let (service, stopping) = (service.clone(), stopping.clone());
                        tasks.spawn(async move {
                            let accepted = Accepted { listener, limits, address };
                            accepted.serve(stream, slots, service, stopping).await;
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
        slots: Slots,
        service: impl RequestHandler,
        mut stopping: watch::Receiver<bool>,
    ) {
        // The connection's slot is held to the end of this function, the handshake's are released sooner.
        let Slots { connection: _connection, handshake } = slots;
        let result = tokio::select! {
            result = self.handshake(stream) => result,
            // No request is lost with an unfinished handshake.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        drop(handshake);
        let name = self.listener.kind.name();
        let (stream, peer) = match result {
            Ok(accepted) => accepted,
            Err(reason) => {
                metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => reason).increment(1);
                tracing::info!(listener = name, address = %self.address, reason, "handshake failed");
                return;
            }
        };
        metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => "accepted").increment(1);
        // Only after the handshake, because the certificate names the client.
        let Some(_client) = self.limits.connections_by_client.take(peer.count_key()) else {
            let reason = match peer {
                Peer::Client(_) => "too_many_connections_of_certificate",
                Peer::Public(_) => "too_many_connections_of_address",
            };
            return log_refusal(name, reason, self.address);
        };
        let open = metrics::gauge!("medcredit_connections", "listener" => name);
        open.increment(1.0);
        let _open = OpenConnection(open);
        let state = ConnectionState { listener: self.listener, peer, activity: Activity::new(), end: Notify::new() };
        connection::serve(Arc::new(state), stream, service, stopping).await;
    }

    async fn handshake(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Peer), &'static str> {
        // Responses are small and complete: waiting for more data to send would only delay them.
        stream.set_nodelay(true).map_err(|_| "closed")?;
        let acceptor = TlsAcceptor::from(self.listener.kind.tls_config());
        let timeout = self.listener.settings.handshake_timeout;
        let stream = match tokio::time::timeout(timeout, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(handshake_failure(&error)),
            Err(_) => return Err("timeout"),
        };
        let peer = match &self.listener.kind {
            ListenerKind::Partners(live) => {
                // Not `fresh`: out-of-date trust refuses requests (I3), and connections stay.
                let (trust, now) = (Arc::clone(&live.material().trust), self.listener.clock.now());
                let identity = ConnectionIdentity::of(stream.get_ref().1, self.address, &trust, now);
                Peer::Client(Arc::new(identity.map_err(IdentityError::reason)?))
            }
            ListenerKind::Public(_) => Peer::Public(PublicPeer(self.address)),
        };
        Ok((stream, peer))
    }
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

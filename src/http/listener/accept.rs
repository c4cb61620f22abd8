//! The accept loop: caps first, then the handshake within its time, then the connection as a task of its own.

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
    Answering, ConnectionIdentity, Listener, ListenerKind, PublicPeer,
    activity::Activity,
    caps::{Caps, Slot, network_of},
    connection,
    peer::Peer,
    request::Shared,
};
use crate::identity::{IdentityError, failure_reason};

/// How long accepting rests when the system cannot give a connection (too many open files).
const REST: Duration = Duration::from_millis(100);

struct Bounds {
    connections: Arc<Caps<()>>,
    handshakes: Arc<Caps<()>>,
    addresses: Arc<Caps<IpAddr>>,
    clients: Arc<Caps<String>>,
}

/// The places of a connection whose handshake is not finished.
struct Places {
    connection: Slot<()>,
    handshake: (Slot<()>, Slot<IpAddr>),
}

impl Bounds {
    fn admit(&self, peer: SocketAddr) -> Result<Places, &'static str> {
        let connection = self.connections.take(()).ok_or("too_many_connections")?;
        let handshake = self.handshakes.take(()).ok_or("too_many_handshakes")?;
        let address = self.addresses.take(network_of(peer.ip())).ok_or("too_many_handshakes_of_address")?;
        Ok(Places { connection, handshake: (handshake, address) })
    }
}

pub(super) async fn run(
    listener: Arc<Listener>,
    socket: TcpListener,
    service: impl Answering,
    shutdown: impl Future<Output = ()> + Send,
) {
    let (settings, name) = (&listener.settings, listener.door.name());
    let bounds = Arc::new(Bounds {
        connections: Caps::new(settings.max_connections),
        handshakes: Caps::new(settings.max_handshakes),
        addresses: Caps::new(settings.max_handshakes_per_address),
        clients: Caps::new(settings.max_connections_per_client),
    });
    let (stop, stopping) = watch::channel(false);
    let mut tasks = JoinSet::new();
    tokio::pin!(shutdown);
    loop {
        tokio::select! {
            () = &mut shutdown => break,
            Some(_) = tasks.join_next(), if !tasks.is_empty() => {}
            accepted = socket.accept() => match accepted {
                Ok((stream, peer)) => match bounds.admit(peer) {
                    Ok(places) => {
                        let (listener, bounds) = (Arc::clone(&listener), Arc::clone(&bounds));
                        let (service, stopping) = (service.clone(), stopping.clone());
                        tasks.spawn(async move {
                            let caller = Caller { listener, bounds, peer };
                            caller.serve(stream, places, service, stopping).await;
                        });
                    }
                    Err(reason) => refused(name, reason, peer),
                },
                Err(error) => {
                    tracing::warn!(listener = name, error = %error, "a connection could not be accepted");
                    tokio::time::sleep(REST).await;
                }
            },
        }
    }
    drop(socket);
    // Only closed when every receiver is gone: then nothing is left to stop.
    let _ = stop.send(true);
    let drained = async { while tasks.join_next().await.is_some() {} };
    if tokio::time::timeout(settings.drain_timeout, drained).await.is_err() {
        tracing::warn!(listener = name, count = tasks.len(), "connections were cut at the end of the drain time");
        tasks.shutdown().await;
    }
}

/// Whoever connected.
struct Caller {
    listener: Arc<Listener>,
    bounds: Arc<Bounds>,
    peer: SocketAddr,
}

impl Caller {
    async fn serve(
        self,
        stream: TcpStream,
        places: Places,
        service: impl Answering,
        mut stopping: watch::Receiver<bool>,
    ) {
        let Places { connection: _connection, handshake } = places;
        let accepted = tokio::select! {
            accepted = self.handshake(stream) => accepted,
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        drop(handshake);
        let name = self.listener.door.name();
        let (stream, who) = match accepted {
            Ok(accepted) => accepted,
            Err(reason) => {
                metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => reason).increment(1);
                tracing::info!(listener = name, address = %self.peer, reason, "a handshake failed");
                return;
            }
        };
        metrics::counter!("medcredit_handshakes_total", "listener" => name, "outcome" => "accepted").increment(1);
        let Some(_client) = self.bounds.clients.take(who.counted_under()) else {
            let reason = match who {
                Peer::Client(_) => "too_many_connections_of_certificate",
                Peer::Public(_) => "too_many_connections_of_address",
            };
            return refused(name, reason, self.peer);
        };
        let open = metrics::gauge!("medcredit_connections", "listener" => name);
        open.increment(1.0);
        let _closing = Closing(open);
        let shared = Arc::new(Shared { listener: self.listener, who, activity: Activity::new(), end: Notify::new() });
        connection::serve(shared, stream, service, stopping).await;
    }

    async fn handshake(&self, stream: TcpStream) -> Result<(TlsStream<TcpStream>, Peer), &'static str> {
        // Answers are small and whole: waiting for more to send would only delay them.
        stream.set_nodelay(true).map_err(|_| "closed")?;
        let acceptor = TlsAcceptor::from(self.listener.door.server());
        let within = self.listener.settings.handshake_timeout;
        let stream = match tokio::time::timeout(within, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(io_reason(&error)),
            Err(_) => return Err("timeout"),
        };
        let who = match &self.listener.door {
            ListenerKind::Partners(live) => {
                let (trust, now) = (Arc::clone(&live.material().trust), self.listener.clock.now());
                let identity = ConnectionIdentity::of(stream.get_ref().1, self.peer, &trust, now);
                Peer::Client(Arc::new(identity.map_err(IdentityError::reason)?))
            }
            ListenerKind::Public(_) => Peer::Public(PublicPeer(self.peer)),
        };
        Ok((stream, who))
    }
}

/// Counts a connection as closed, however its task ends.
struct Closing(metrics::Gauge);

impl Drop for Closing {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

fn refused(listener: &'static str, reason: &'static str, peer: SocketAddr) {
    metrics::counter!("medcredit_refused_total", "listener" => listener, "reason" => reason).increment(1);
    tracing::info!(listener, address = %peer, reason, "a connection was refused");
}

fn io_reason(error: &io::Error) -> &'static str {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(error) => failure_reason(error),
        None => "closed",
    }
}

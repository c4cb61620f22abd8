//! The parts of a listener: its clients, the handler of its requests, the rendering of refusals.

use std::{fmt, sync::Arc};

use axum::{Router, extract::Request, response::Response};
use http::HeaderMap;
use rustls::ServerConfig;
use tower::ServiceExt as _;

use super::{peer::Peer, refusal::Refusal, settings::Settings};
use crate::{
    authority::{Live, PublicServer},
    domain::{ClockTrust, clock::SharedClock},
    identity::ClientIdentity,
};

/// Renders a refusal, given the header fields that identify the request.
pub type RenderRefusal = Arc<dyn Fn(&HeaderMap, Refusal) -> Response + Send + Sync>;

/// The registered client that a certificate belongs to, by a name of its own, if it is active.
pub type FindClient = Arc<dyn Fn(&ClientIdentity) -> Option<String> + Send + Sync>;

/// The clients that may connect to a listener, with its TLS material.
#[derive(Debug, Clone)]
pub enum ListenerKind {
    /// Clients with a trusted certificate.
    Partners(Arc<Live>),
    /// Anybody.
    Public(Arc<PublicServer>),
}

impl ListenerKind {
    /// The listener's name in the log and in metrics.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Partners(_) => "partner",
            Self::Public(server) => server.listener(),
        }
    }

    /// The server's configuration for a handshake that begins now.
    pub(super) fn tls_config(&self) -> Arc<ServerConfig> {
        match self {
            Self::Partners(live) => Arc::clone(&live.material().server),
            Self::Public(server) => server.server(),
        }
    }
}

/// Handles the requests of a listener.
pub trait RequestHandler: Clone + Send + Sync + 'static {
    /// Returns the response to a request, whatever the request is.
    fn handle(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl RequestHandler for Router {
    async fn handle(self, request: Request) -> Response {
        self.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// A listener.
pub struct Listener {
    /// The limits of clients.
    pub settings: Settings,
    /// The clients that may connect.
    pub kind: ListenerKind,
    /// The time, for certificates and revocation lists. Timeouts use the runtime's timers.
    pub clock: SharedClock,
    /// Whether that time may be relied on.
    pub clock_trust: ClockTrust,
    pub render: RenderRefusal,
    /// Finds the clients whose connections are not evicted when a listener is full.
    pub find_client: FindClient,
}

impl Listener {
    /// The registered client that proved itself in a handshake.
    pub(super) fn client_of(&self, peer: &Peer) -> Option<String> {
        match peer {
            Peer::Client(connection) => (self.find_client)(connection.identity()),
            Peer::Public(_) => None,
        }
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.kind.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

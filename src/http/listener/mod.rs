//! Listeners: their own accept loop, because the usual one sets no timer and guesses the protocol.
//!
//! A connection's way: accepted within caps; a TLS 1.3 handshake within its time, under the material of that moment; HTTP/2
//! or HTTP/1.1 as ALPN said. At the partners' [`ListenerKind`] the finished handshake makes a [`ConnectionIdentity`], which is
//! proved again before every request under the trust of *that* moment (T4); at the public one whoever calls is an address.
//! Headers that claim an identity are taken out at both (T6).
//!
//! Invariants: nothing is unbounded, neither time nor number nor size; a connection never outlives its age, its
//! certificate or its authority's list; whoever is refused is told nothing about others, and the log names a reason and
//! an address, never a subject.

mod accept;
mod activity;
mod body;
mod caps;
mod connection;
mod framing;
mod monitored_io;
mod peer;
mod request;
mod settings;

use std::{fmt, sync::Arc};

use axum::{Router, extract::Request, response::Response};
use http::HeaderMap;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

use crate::{
    authority::{Live, PublicServer},
    domain::clock::SharedClock,
};

pub(super) use caps::network_of;
pub use peer::{ConnectionIdentity, Negotiated, PublicPeer};
pub use request::Refusal;
pub use settings::Settings;

/// How a refusal looks on the wire: the fields that name the request and the reason in, a whole response out.
pub type Render = Arc<dyn Fn(&HeaderMap, Refusal) -> Response + Send + Sync>;

/// Peer comes in, and what it is shown.
#[derive(Debug, Clone)]
pub enum ListenerKind {
    /// Clients with a certificate that is trusted: server certificate and trust.
    Partners(Arc<Live>),
    /// Anybody.
    Public(Arc<PublicServer>),
}

impl ListenerKind {
    /// The listener's name in log and metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Partners(_) => "partner",
            Self::Public(_) => "portal",
        }
    }

    /// The server's side of a handshake, as of now.
    fn server(&self) -> Arc<ServerConfig> {
        match self {
            Self::Partners(live) => Arc::clone(&live.material().server),
            Self::Public(server) => server.server(),
        }
    }
}

/// Whom a listener hands requests to.
pub trait Answering: Clone + Send + Sync + 'static {
    /// Answers a request, whatever it is.
    fn answer(self, request: Request) -> impl Future<Output = Response> + Send;
}

impl Answering for Router {
    async fn answer(self, request: Request) -> Response {
        self.oneshot(request).await.unwrap_or_else(|never| match never {})
    }
}

/// A listener.
pub struct Listener {
    /// What a client may cost.
    pub settings: Settings,
    /// Peer comes in.
    pub door: ListenerKind,
    /// The time, for certificates and lists; timeouts are the runtime's.
    pub clock: SharedClock,
    /// How refusals look.
    pub render: Render,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener")
            .field("name", &self.door.name())
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Listener {
    /// Serves until `shutdown`, then lets requests finish within the drain time.
    pub async fn serve(
        self,
        listener: TcpListener,
        service: impl Answering,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        accept::run(Arc::new(self), listener, service, shutdown).await;
    }
}

//! The partner listener: its own accept loop, because the usual one sets no timer and guesses the protocol.
//!
//! A connection's way: accepted within caps; a TLS 1.3 handshake within its time, under the material of that moment; a
//! [`ConnectionIdentity`] made of the finished handshake; HTTP/2 or HTTP/1.1 as ALPN said. Before every request the
//! identity is proved again under the trust of *that* moment (T4), and headers that claim an identity are taken out (T6).
//!
//! Invariants: nothing is unbounded, neither time nor number nor size; a connection never outlives its age, its
//! certificate or its authority's list; whoever is refused is told nothing about others, and the log names a reason and
//! an address, never a subject.

mod accept;
mod activity;
mod body;
mod caps;
mod connection;
mod facts;
mod request;
mod settings;
mod strict;
mod watched;

use std::{fmt, sync::Arc};

use axum::{Router, response::Response};
use http::HeaderMap;
use tokio::net::TcpListener;

use crate::{authority::Live, domain::clock::SharedClock};

pub use facts::{ConnectionIdentity, Negotiated};
pub use request::Refusal;
pub use settings::Settings;

/// How a refusal looks on the wire: the request's headers and the reason in, a whole response out.
pub type Render = Arc<dyn Fn(&HeaderMap, Refusal) -> Response + Send + Sync>;

/// A listener that banks call.
pub struct PartnerListener {
    /// What a client may cost.
    pub settings: Settings,
    /// Server certificate and trust.
    pub live: Arc<Live>,
    /// The time, for certificates and lists; timeouts are the runtime's.
    pub clock: SharedClock,
    /// How refusals look.
    pub render: Render,
}

impl fmt::Debug for PartnerListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartnerListener").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl PartnerListener {
    /// Serves until `shutdown`, then lets requests finish within the drain time.
    pub async fn serve(self, listener: TcpListener, service: Router, shutdown: impl Future<Output = ()> + Send) {
        accept::run(Arc::new(self), listener, service, shutdown).await;
    }
}

//! The limits of a listener: durations, counts and sizes.

use std::time::Duration;

use crate::{config, domain::Network};

/// The most bytes of a form of the console.
const MAX_FORM_BYTES: usize = 64 * 1024;

/// How many times as much as one address a site may have on a public listener.
pub(in crate::http) const SITE: usize = 4;

/// The limits of a listener. Tests may set shorter times than a configuration can.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How long a request's header may take, from its first byte.
    pub header_timeout: Duration,
    /// How long a request's body may take.
    pub body_timeout: Duration,
    /// How long a request may take until its response begins.
    pub request_timeout: Duration,
    /// How long a connection may be idle.
    pub idle_timeout: Duration,
    /// How long a connection may exist.
    pub max_connection_age: Duration,
    /// How long active requests may take once their connection has to end.
    pub drain_timeout: Duration,
    /// The most open connections, handshakes included.
    pub max_connections: usize,
    /// The most unfinished handshakes.
    pub max_handshakes: usize,
    /// The most unfinished handshakes of one address (of one /64 network of IPv6).
    pub max_handshakes_per_address: usize,
    /// The most unfinished handshakes of one site (a /48 network of IPv6).
    pub max_handshakes_per_site: usize,
    /// The unfinished handshakes that only known addresses may have.
    pub reserved_handshakes: usize,
    /// The networks whose addresses are known.
    pub known_networks: Vec<Network>,
    /// The most open connections of one client: of one certificate, or of one address on a public listener.
    pub max_connections_per_client: usize,
    /// The most parallel requests on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// The most bytes of a request's header.
    pub max_header_bytes: u32,
    /// The most bytes of a request's body.
    pub max_body_bytes: usize,
    /// A path prefix whose requests may have larger bodies, and the most bytes of those.
    pub larger_bodies: Option<(&'static str, usize)>,
}

impl Settings {
    /// The most bytes of the body of a request to a path.
    pub(super) fn max_body_bytes_at(&self, path: &str) -> usize {
        match self.larger_bodies {
            Some((prefix, bytes)) if path.starts_with(prefix) => bytes,
            _ => self.max_body_bytes,
        }
    }
}

impl From<&config::Partner> for Settings {
    fn from(partner: &config::Partner) -> Self {
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            handshake_timeout: partner.handshake_timeout(),
            header_timeout: partner.header_timeout(),
            body_timeout: partner.body_timeout(),
            request_timeout: partner.request_timeout(),
            idle_timeout: partner.idle_timeout(),
            max_connection_age: partner.max_connection_age(),
            drain_timeout: partner.drain_timeout(),
            max_connections: count(partner.max_connections),
            max_handshakes: count(partner.max_handshakes),
            max_handshakes_per_address: count(partner.max_handshakes_per_address),
            max_handshakes_per_site: count(partner.max_handshakes_per_site),
            reserved_handshakes: count(partner.reserved_handshakes),
            known_networks: partner.known_networks.clone(),
            max_connections_per_client: count(partner.max_connections_per_certificate),
            max_concurrent_streams: partner.max_concurrent_streams,
            max_header_bytes: partner.max_header_bytes,
            max_body_bytes: count(partner.max_body_bytes),
            larger_bodies: None,
        }
    }
}

impl Settings {
    /// The limits of the portal: counts of its own, the times of the partner listener, and no bodies.
    pub fn of_portal(config: &config::Config) -> Self {
        let portal = &config.portal;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            max_connections: count(portal.max_connections),
            max_handshakes: count(portal.max_connections),
            max_handshakes_per_address: count(portal.max_connections_per_address),
            max_handshakes_per_site: SITE.saturating_mul(count(portal.max_connections_per_address)),
            // Nobody is known there: the oldest connection gives way to a new one.
            reserved_handshakes: 0,
            known_networks: Vec::new(),
            max_connections_per_client: count(portal.max_connections_per_address),
            max_body_bytes: 0,
            ..Self::from(&config.partner)
        }
    }

    /// The limits of the console: counts of its own, the times of the partner listener, and forms as bodies.
    pub fn of_console(config: &config::Config) -> Self {
        let console = &config.console;
        let count = |number: u32| usize::try_from(number).unwrap_or(usize::MAX);
        Self {
            max_connections: count(console.max_connections),
            max_handshakes: count(console.max_connections),
            max_handshakes_per_address: count(console.max_connections_per_address),
            max_handshakes_per_site: SITE.saturating_mul(count(console.max_connections_per_address)),
            reserved_handshakes: 0,
            known_networks: Vec::new(),
            max_connections_per_client: count(console.max_connections_per_address),
            max_body_bytes: MAX_FORM_BYTES,
            ..Self::from(&config.partner)
        }
    }
}

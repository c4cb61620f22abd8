//! `[partner]`: the listener banks and departments call, and what a client may cost.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Report, Section};

/// The partner listener.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    /// The address and port.
    pub listen: SocketAddr,
    /// The server's certificate chain, PEM, leaf first.
    pub certificate_file: PathBuf,
    /// Its private key, sealed under a key-encryption key.
    pub key_file: PathBuf,
    handshake_timeout_seconds: u32,
    header_timeout_seconds: u32,
    body_timeout_seconds: u32,
    request_timeout_seconds: u32,
    idle_timeout_seconds: u32,
    max_connection_age_seconds: u32,
    drain_timeout_seconds: u32,
    /// Connections at once, handshakes included.
    pub max_connections: u32,
    /// Connections at once whose handshake is not finished.
    pub max_handshakes: u32,
    /// Connections at once of one address whose handshake is not finished.
    pub max_handshakes_per_address: u32,
    /// Connections at once of one certificate.
    pub max_connections_per_certificate: u32,
    /// Requests at once on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// Bytes of a request's header.
    pub max_header_bytes: u32,
    /// Bytes of a request's body.
    pub max_body_bytes: u32,
}

macro_rules! seconds {
    ($($(#[$doc:meta])* $name:ident = $field:ident;)+) => {
        impl Partner {$(
            $(#[$doc])*
            pub fn $name(&self) -> Duration {
                Duration::from_secs(u64::from(self.$field))
            }
        )+}
    };
}

seconds! {
    /// How long a handshake may take, and an accepted connection may say nothing.
    handshake_timeout = handshake_timeout_seconds;
    /// How long a request's header may take.
    header_timeout = header_timeout_seconds;
    /// How long a request's body may take.
    body_timeout = body_timeout_seconds;
    /// How long a request may take in all.
    request_timeout = request_timeout_seconds;
    /// How long a connection may do nothing.
    idle_timeout = idle_timeout_seconds;
    /// How long a connection may live.
    max_connection_age = max_connection_age_seconds;
    /// How long requests may go on once the connection, or the gateway, is to end.
    drain_timeout = drain_timeout_seconds;
}

impl Section for Partner {
    fn check(&self, report: &mut Report<'_>) {
        for (key, value, most) in [
            ("handshake_timeout_seconds", self.handshake_timeout_seconds, 60),
            ("header_timeout_seconds", self.header_timeout_seconds, 60),
            ("body_timeout_seconds", self.body_timeout_seconds, 300),
            ("request_timeout_seconds", self.request_timeout_seconds, 600),
            ("idle_timeout_seconds", self.idle_timeout_seconds, 600),
            ("max_connection_age_seconds", self.max_connection_age_seconds, 86_400),
            ("drain_timeout_seconds", self.drain_timeout_seconds, 600),
            ("max_connections", self.max_connections, 100_000),
            ("max_handshakes", self.max_handshakes, 100_000),
            ("max_handshakes_per_address", self.max_handshakes_per_address, 100_000),
            ("max_connections_per_certificate", self.max_connections_per_certificate, 10_000),
            ("max_concurrent_streams", self.max_concurrent_streams, 1000),
            ("max_body_bytes", self.max_body_bytes, 16_777_216),
        ] {
            report.require((1..=most).contains(&value), key, format!("must be 1 to {most}"));
        }
        // Hyper's HTTP/1 buffer is never smaller than 8 KiB.
        let header = (8192..=1_048_576).contains(&self.max_header_bytes);
        report.require(header, "max_header_bytes", "must be 8192 to 1048576");
        report.require(
            self.max_handshakes <= self.max_connections,
            "max_handshakes",
            "must not be more than max_connections",
        );
    }
}

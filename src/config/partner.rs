//! `[partner]`: the listener for banks and departments, and the limits of its clients.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{Report, Section};
use crate::domain::Network;

/// The listener for banks and departments.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Partner {
    pub listen: SocketAddr,
    /// The server's certificate chain, PEM, leaf first.
    pub certificate_file: PathBuf,
    /// The server's private key, encrypted with a key-encryption key.
    pub key_file: PathBuf,
    handshake_timeout_seconds: u32,
    header_timeout_seconds: u32,
    body_timeout_seconds: u32,
    request_timeout_seconds: u32,
    idle_timeout_seconds: u32,
    max_connection_age_seconds: u32,
    drain_timeout_seconds: u32,
    /// The most open connections, handshakes included.
    pub max_connections: u32,
    /// The most unfinished handshakes.
    pub max_handshakes: u32,
    /// The most unfinished handshakes of one address.
    pub max_handshakes_per_address: u32,
    /// The most unfinished handshakes of one site, a /48 network of IPv6.
    pub max_handshakes_per_site: u32,
    /// The unfinished handshakes that only known addresses may have.
    pub reserved_handshakes: u32,
    /// The networks that banks are registered with.
    pub known_networks: Vec<Network>,
    /// The most open connections of one certificate.
    pub max_connections_per_certificate: u32,
    /// The most parallel requests on one HTTP/2 connection.
    pub max_concurrent_streams: u32,
    /// The most bytes of a request's header.
    pub max_header_bytes: u32,
    /// The most bytes of a request's body.
    pub max_body_bytes: u32,
    /// The most bytes of bodies in memory, of all clients together.
    pub max_buffered_bytes: u32,
    /// The most bytes of bodies in memory of one client.
    pub max_buffered_bytes_per_client: u32,
}

/// The files of a TLS server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TlsFiles<'a> {
    /// The certificate chain.
    pub certificate: &'a Path,
    /// The encrypted private key.
    pub key: &'a Path,
}

impl Partner {
    /// The files of the listener's TLS server.
    pub fn tls_files(&self) -> TlsFiles<'_> {
        TlsFiles { certificate: &self.certificate_file, key: &self.key_file }
    }
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
    /// How long a handshake may take, from the accepted connection on.
    handshake_timeout = handshake_timeout_seconds;
    /// How long a request's header may take.
    header_timeout = header_timeout_seconds;
    /// How long a request's body may take.
    body_timeout = body_timeout_seconds;
    /// How long a request may take until its response begins.
    request_timeout = request_timeout_seconds;
    /// How long a connection may be idle.
    idle_timeout = idle_timeout_seconds;
    /// How long a connection may exist.
    max_connection_age = max_connection_age_seconds;
    /// How long active requests may take once their connection or the gateway has to end.
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
            ("max_handshakes_per_site", self.max_handshakes_per_site, 100_000),
            ("max_connections_per_certificate", self.max_connections_per_certificate, 10_000),
            ("max_concurrent_streams", self.max_concurrent_streams, 1000),
            ("max_body_bytes", self.max_body_bytes, 16_777_216),
            ("max_buffered_bytes", self.max_buffered_bytes, u32::MAX),
            ("max_buffered_bytes_per_client", self.max_buffered_bytes_per_client, u32::MAX),
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
        // Somebody unknown must be able to become known.
        report.require(
            self.reserved_handshakes < self.max_handshakes,
            "reserved_handshakes",
            "must be less than max_handshakes",
        );
        report.require(
            self.max_buffered_bytes_per_client <= self.max_buffered_bytes,
            "max_buffered_bytes_per_client",
            "must not be more than max_buffered_bytes",
        );
    }
}

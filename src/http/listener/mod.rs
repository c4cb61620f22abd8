//! The partner listener: what a connection proved, for whoever handles its requests.

use std::net::SocketAddr;

use crate::identity::ClientIdentity;

/// What was agreed in the handshake.
#[derive(Debug, Clone)]
pub struct Negotiated {
    /// TLS version, as in `TLSv1_3`.
    pub protocol: String,
    /// Cipher suite.
    pub cipher_suite: String,
    /// Key exchange group.
    pub key_exchange: String,
    /// Application protocol: `h2` or `http/1.1`.
    pub alpn: String,
}

/// A connection's proved identity, in the extensions of each of its requests.
#[derive(Debug)]
pub struct ConnectionIdentity {
    identity: ClientIdentity,
    negotiated: Negotiated,
    peer: SocketAddr,
}

impl ConnectionIdentity {
    /// Of a connection whose handshake is finished.
    pub const fn new(identity: ClientIdentity, negotiated: Negotiated, peer: SocketAddr) -> Self {
        Self { identity, negotiated, peer }
    }

    /// Who the certificate proved.
    pub const fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// What was agreed.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }

    /// Where it comes from.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }
}

//! What is known of a connection once its handshake is done.

use std::{net::SocketAddr, sync::Arc};

use http::Extensions;
use rustls::ServerConnection;

use super::caps::network_of;
use crate::{
    domain::Timestamp,
    identity::{ClientIdentity, IdentityError, PartnerTrust},
};

/// What was agreed on in the handshake, for the client to compare with its own view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The version of TLS.
    pub protocol: String,
    /// The cipher suite.
    pub cipher_suite: String,
    /// The key exchange's group.
    pub key_exchange: String,
    /// The protocol above TLS: `h2` or `http/1.1`.
    pub alpn: String,
}

/// A connection's client, address and TLS, in the extensions of each of its requests.
#[derive(Debug)]
pub struct ConnectionIdentity {
    identity: ClientIdentity,
    peer: SocketAddr,
    negotiated: Negotiated,
}

impl ConnectionIdentity {
    /// Of a finished handshake.
    pub(super) fn of(
        connection: &ServerConnection,
        peer: SocketAddr,
        trust: &PartnerTrust,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        let identity = ClientIdentity::of(connection, trust, now)?;
        let version = connection.protocol_version().map_or_else(String::new, |version| format!("{version:?}"));
        let suite = connection.negotiated_cipher_suite().map(|suite| suite.suite());
        let group = connection.negotiated_key_exchange_group().map(rustls::crypto::SupportedKxGroup::name);
        let negotiated = Negotiated {
            protocol: version.replace('_', "."),
            cipher_suite: suite.map_or_else(String::new, |suite| format!("{suite:?}")),
            key_exchange: group.map_or_else(String::new, |group| format!("{group:?}")),
            alpn: if connection.alpn_protocol() == Some(b"h2") { "h2" } else { "http/1.1" }.into(),
        };
        Ok(Self { identity, peer, negotiated })
    }

    /// The client its certificate proves.
    pub const fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// Where the connection comes from.
    pub const fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// What was agreed on in the handshake.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }
}

/// Whoever calls a public listener, in the extensions of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct PublicPeer(pub SocketAddr);

/// Peer is at the other end of a connection.
#[derive(Debug)]
pub(super) enum Peer {
    /// A client its certificate proves.
    Client(Arc<ConnectionIdentity>),
    /// Somebody at an address.
    Public(PublicPeer),
}

impl Peer {
    pub(super) fn peer(&self) -> SocketAddr {
        match self {
            Self::Client(identity) => identity.peer(),
            Self::Public(peer) => peer.0,
        }
    }

    /// What its connections are counted under.
    pub(super) fn counted_under(&self) -> String {
        match self {
            Self::Client(identity) => identity.identity().thumbprint().to_owned(),
            Self::Public(peer) => network_of(peer.0.ip()).to_string(),
        }
    }

    /// Tells handlers.
    pub(super) fn tell(&self, extensions: &mut Extensions) {
        match self {
            Self::Client(identity) => {
                extensions.insert(Arc::clone(identity));
            }
            Self::Public(peer) => {
                extensions.insert(*peer);
            }
        }
    }
}

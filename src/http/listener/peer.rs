//! The peer of a connection after its handshake.

use std::{net::SocketAddr, sync::Arc};

use http::Extensions;
use rustls::ServerConnection;

use super::caps::network_of;
use crate::{
    domain::Timestamp,
    identity::{ClientIdentity, IdentityError, PartnerTrust},
};

/// The negotiated TLS parameters, for a client to compare with its own view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// The TLS version.
    pub protocol: String,
    pub cipher_suite: String,
    /// The key exchange group.
    pub key_exchange: String,
    /// The application protocol: `h2` or `http/1.1`.
    pub alpn: String,
}

/// The client, address and TLS parameters of a connection, in the extensions of each of its requests.
#[derive(Debug)]
pub struct ConnectionIdentity {
    identity: ClientIdentity,
    address: SocketAddr,
    negotiated: Negotiated,
}

impl ConnectionIdentity {
    /// Identifies the client of a finished handshake.
    pub(super) fn of(
        connection: &ServerConnection,
        address: SocketAddr,
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
        Ok(Self { identity, address, negotiated })
    }

    /// The client that its certificate identifies.
    pub const fn identity(&self) -> &ClientIdentity {
        &self.identity
    }

    /// The remote address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The negotiated TLS parameters.
    pub const fn negotiated(&self) -> &Negotiated {
        &self.negotiated
    }
}

/// The remote address of a public connection, in the extensions of each of its requests.
#[derive(Debug, Clone, Copy)]
pub struct PublicPeer(pub SocketAddr);

/// The other end of a connection.
#[derive(Debug)]
pub(super) enum Peer {
    /// A client that its certificate identifies.
    Client(Arc<ConnectionIdentity>),
    /// A client of a public listener.
    Public(PublicPeer),
}

impl Peer {
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Client(identity) => identity.address(),
            Self::Public(peer) => peer.0,
        }
    }

    /// The key under which its connections are counted.
    pub(super) fn count_key(&self) -> String {
        match self {
            Self::Client(identity) => identity.identity().thumbprint().to_owned(),
            Self::Public(peer) => network_of(peer.0.ip()).to_string(),
        }
    }

    /// Puts the peer into a request's extensions, for handlers.
    pub(super) fn insert_into(&self, extensions: &mut Extensions) {
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

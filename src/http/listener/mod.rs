//! The TLS listeners. They have an accept loop of their own, because axum's sets no timeouts and guesses the protocol.
//!
//! A connection is accepted within limits, makes a TLS 1.3 handshake within its time, and speaks HTTP/2 or HTTP/1.1 as ALPN
//! negotiated. On the partner listener the handshake yields a [`peer::ConnectionIdentity`], which is verified again before
//! every request under the trust of *that* moment (T4); on a public listener the peer is an address. Headers that claim an
//! identity are removed on both (T6).
//!
//! Invariants: time, number and size are bounded everywhere; a connection never outlives its maximum age, its certificate or
//! its authority's revocation list; a refusal reveals nothing about others, and the log has a reason and an address, never a
//! subject.

mod accept;
mod activity;
mod admission;
mod body;
pub(super) mod caps;
mod connection;
mod framing;
pub mod kind;
mod monitored_io;
pub mod peer;
pub mod refusal;
mod request;
pub mod settings;

//! Identities and signatures: certificates and trust, tokens, HTTP message signatures, and the signature suites below
//! them.
//!
//! Pure: no storage, no configuration, no network. Time is a parameter.

pub mod assertion;
pub mod certificate;
mod client;
mod error;
mod handshake;
mod host;
pub mod keyset;
mod name;
mod provider;
pub mod revocation;
pub mod signature;
pub mod suite;
pub mod tls;
pub mod token;
pub mod trust;

pub use certificate::CertificateFacts;
pub use client::ClientIdentity;
pub use error::{IdentityError, failure_reason};
pub use host::is_valid_for_host;
pub use revocation::RevocationList;
pub use suite::{Jwk, KeyPair, PublicKey, SharedSigner, Signer, Suite, SuiteError, Verifier};
pub use trust::{Anchor, PartnerTrust};

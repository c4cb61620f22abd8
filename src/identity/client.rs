//! The identity of a connected bank, proved by its certificate.
//!
//! [`ClientIdentity`] is made only of a finished handshake: the connection itself is the argument, so that neither a
//! header nor a stored value can stand in for one (T5, T6). It names the authority that proved it cryptographically,
//! because two authorities may bear one name and either may issue any subject.

use std::sync::{Arc, Mutex, PoisonError};

use rustls::pki_types::CertificateDer;

use super::{
    certificate::CertificateFacts,
    error::IdentityError,
    trust::{PartnerTrust, Proof},
};
use crate::domain::{Timestamp, ids::AuthorityId};

/// The client of a connection, proved by its certificate under one trusted authority.
#[derive(Debug)]
pub struct ClientIdentity {
    authority: AuthorityId,
    facts: CertificateFacts,
    chain: Vec<CertificateDer<'static>>,
    /// The last proof. It is reused while it is current, so that requests on an open connection seldom need a new one.
    proof: Mutex<Arc<Proof>>,
}

impl ClientIdentity {
    /// Establishes the identity of the client of a finished handshake.
    ///
    /// The chain is verified again, under the current trust: the handshake may have used an older one, and does not
    /// return the authority that issued the certificate.
    pub fn of(
        connection: &rustls::ServerConnection,
        trust: &PartnerTrust,
        now: Timestamp,
    ) -> Result<Self, IdentityError> {
        // Before the end of the handshake the client has not proved that it has the certificate's key.
        if connection.is_handshaking() {
            return Err(IdentityError::Unfinished);
        }
        let chain: Vec<CertificateDer<'static>> = connection
            .peer_certificates()
            // An absent chain is refused below like an empty one.
            .unwrap_or_default()
            .iter()
            .map(|certificate| certificate.clone().into_owned())
            .collect();
        let (leaf, _) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        let facts = CertificateFacts::read(leaf)?;
        let (authority, proof) = trust.prove(&chain, now)?;
        // The proof is kept with the connection, because the chain never changes on it; only the trust and the clock
        // do.
        Ok(Self { authority, facts, chain, proof: Mutex::new(Arc::new(proof)) })
    }

    /// The authority that issued the certificate.
    pub const fn authority(&self) -> &AuthorityId {
        &self.authority
    }

    /// The subject, RFC 4514.
    pub fn subject(&self) -> &str {
        &self.facts.subject
    }

    /// SHA-256 of the certificate, base64url: `x5t#S256`.
    pub fn thumbprint(&self) -> &str {
        &self.facts.thumbprint
    }

    /// The serial number, lower-case hex.
    pub fn serial(&self) -> &str {
        &self.facts.serial
    }

    /// The last instant of the certificate's validity.
    pub const fn not_after(&self) -> Timestamp {
        self.facts.not_after
    }

    /// The certificate, DER.
    pub fn certificate_der(&self) -> &[u8] {
        self.chain.first().map_or(&[], |leaf| leaf.as_ref())
    }

    /// The certificate and the intermediates that the client sent.
    pub fn chain(&self) -> &[CertificateDer<'static>] {
        &self.chain
    }

    /// Proves the identity again under the current trust (T4): revocation, removal, a stale list and expiry all end it,
    /// on a connection that is already open. Cheap while the last proof is current.
    pub fn recheck(&self, trust: &PartnerTrust, now: Timestamp) -> Result<(), IdentityError> {
        // The lock is only held to copy the proof: requests of a connection verify in parallel.
        let last = Arc::clone(&self.proof.lock().unwrap_or_else(PoisonError::into_inner));
        if last.is_current(trust.generation(), now) {
            return Ok(());
        }
        // Under the same authority, and not under any: a client is registered under an authority and a subject, and
        // must not become another client on an open connection.
        let proof = trust.prove_under(&self.authority, &self.chain, now)?;
        // Verified outside the lock: of two requests that verify at the same time, either proof may stay.
        *self.proof.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(proof);
        Ok(())
    }
}

//! The trusted authorities of banks, each with its own verifier and revocation lists.
//!
//! Invariants: authorities are tried one by one and never share roots, intermediates or lists, so that no authority can
//! confirm, or block, the banks of another; an authority without a current list proves nothing (T3); a trust is
//! immutable, and a change creates a new [`PartnerTrust`] with a higher generation.

use std::{collections::HashSet, sync::Arc};

use rustls::{
    DistinguishedName, RootCertStore,
    crypto::CryptoProvider,
    pki_types::CertificateDer,
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
};
use x509_parser::{prelude::FromDer as _, x509::X509Name};

use super::{
    certificate::{CertificateFacts, thumbprint},
    error::{IdentityError, identity_error},
    name,
    provider::{provider, unix_time},
    revocation::{ListValidity, RevocationList},
};
use crate::domain::{Timestamp, ids::AuthorityId};

/// Why a trust cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The authority's certificate is invalid.
    #[error("the certificate of authority {0} cannot be used: {1}")]
    Certificate(String, String),
    /// A revocation list of the authority is invalid.
    #[error("a revocation list of authority {0} cannot be used: {1}")]
    List(String, String),
}

/// A trusted authority, as the input of [`PartnerTrust::new`].
#[derive(Debug, Clone)]
pub struct Anchor {
    pub id: AuthorityId,
    /// The name in metrics, alerts and errors.
    pub name: String,
    pub certificate: CertificateDer<'static>,
    /// The authority's revocation list and those of its intermediates. Without any, it proves nothing.
    pub lists: Vec<RevocationList>,
}

#[derive(Debug)]
struct TrustedAuthority {
    id: AuthorityId,
    name: String,
    not_before: Timestamp,
    not_after: Timestamp,
    /// Issue and next update of the list that becomes stale first; none without a list.
    list_period: Option<(Timestamp, Timestamp)>,
    /// Its own name.
    names: Vec<DistinguishedName>,
    /// None without a list: a verifier without lists would not check revocation at all.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// A successful verification, and how long it remains valid under the same trust.
#[derive(Debug)]
pub struct Proof {
    generation: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Proof {
    /// Whether the proof is valid under a generation of the trust at a time.
    pub(super) fn is_current(&self, generation: u64, now: Timestamp) -> bool {
        // `from` guards against a clock that was set back: a certificate may not have been valid at the earlier time.
        self.generation == generation && self.from <= now && now < self.until
    }
}

/// The authorities a listener trusts at one time.
#[derive(Debug)]
pub struct PartnerTrust {
    generation: u64,
    authorities: Vec<TrustedAuthority>,
    refused: HashSet<String>,
    provider: Arc<CryptoProvider>,
}

impl PartnerTrust {
    /// Builds a trust from authorities, in the order in which they are tried, and from the thumbprints of certificates
    /// that an operator refuses. `generation` must be higher than that of the trust it replaces.
    pub fn new(generation: u64, anchors: Vec<Anchor>, refused: HashSet<String>) -> Result<Self, TrustError> {
        let provider = provider();
        let trusted = anchors.into_iter().map(|anchor| TrustedAuthority::new(anchor, Arc::clone(&provider)));
        let authorities = trusted.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { generation, authorities, refused, provider })
    }

    /// The number of this trust; later ones are higher.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The validity of each authority's lists.
    pub fn lists(&self) -> Vec<ListValidity> {
        let validity = |authority: &TrustedAuthority| ListValidity {
            authority: authority.id,
            name: authority.name.clone(),
            period: authority.list_period,
        };
        self.authorities.iter().map(validity).collect()
    }

    /// Verifies a chain, leaf first, under the authority that issued it. If several match, the first in order is used,
    /// so that the result is always the same.
    pub(super) fn prove(
        &self,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<(AuthorityId, Proof), IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        let authority = self.find(leaf, intermediates, now)?;
        Ok((authority.id, self.proof(authority, chain, now)?))
    }

    /// Verifies a chain under one given authority.
    pub(super) fn prove_under(
        &self,
        id: &AuthorityId,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<Proof, IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        // Again, because an operator may have refused the certificate since the handshake.
        self.check_rules(leaf, intermediates)?;
        // More than one where an authority of ours was replaced and is still trusted.
        self.find_among(|authority| authority.id == *id, leaf, intermediates, now)
            .and_then(|authority| self.proof(authority, chain, now))
    }

    /// Checks that a chain, leaf first, would be accepted in a handshake.
    pub fn check_chain(&self, chain: &[CertificateDer<'static>], now: Timestamp) -> Result<(), IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        self.accept(leaf, intermediates, now)
    }

    /// The cryptographic provider of the verifiers.
    pub(super) const fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// Accepts a chain that some authority issued, or returns the most specific refusal.
    pub(super) fn accept(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        self.find(leaf, intermediates, now).map(|_| ())
    }

    fn find(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<&TrustedAuthority, IdentityError> {
        // These rules need no signature check and hold under every authority, so they come before the search.
        self.check_rules(leaf, intermediates)?;
        self.find_among(|_| true, leaf, intermediates, now)
    }

    fn find_among(
        &self,
        included: impl Fn(&TrustedAuthority) -> bool,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<&TrustedAuthority, IdentityError> {
        let mut refusal = IdentityError::UnknownAuthority;
        for authority in self.authorities.iter().filter(|authority| included(authority)) {
            match authority.verify(leaf, intermediates, now) {
                Ok(()) => return Ok(authority),
                // The authority that really issued the certificate refuses it more specifically than the others.
                Err(error) if specificity(error) > specificity(refusal) => refusal = error,
                Err(_) => {}
            }
        }
        Err(refusal)
    }

    /// Checks the rules of this gateway that the library does not check.
    fn check_rules(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
    ) -> Result<(), IdentityError> {
        let facts = CertificateFacts::read(leaf)?;
        if facts.subject.is_empty() {
            return Err(IdentityError::NoSubject);
        }
        facts.check_strength()?;
        // The library accepts a certificate without any purpose; this gateway requires client authentication by name.
        if !facts.client_authentication {
            return Err(IdentityError::WrongPurpose);
        }
        for certificate in intermediates {
            CertificateFacts::read(certificate)?.check_strength()?;
        }
        let refused = |certificate: &CertificateDer<'_>| self.refused.contains(&thumbprint(certificate));
        if refused(leaf) || intermediates.iter().any(refused) { Err(IdentityError::RefusedHere) } else { Ok(()) }
    }

    fn proof(
        &self,
        authority: &TrustedAuthority,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<Proof, IdentityError> {
        // The proof ends with whatever ends first; without a list it would end now, and be verified again each time.
        let mut until = authority.not_after.min(authority.list_period.map_or(now, |(_, until)| until));
        for certificate in chain {
            until = until.min(CertificateFacts::read(certificate)?.not_after);
        }
        Ok(Proof { generation: self.generation, from: now, until })
    }
}

/// Ranks refusals: verification under the issuing authority gets further than under the others.
const fn specificity(error: IdentityError) -> u8 {
    match error {
        IdentityError::Revoked => 7,
        IdentityError::RevocationStale => 6,
        IdentityError::RevocationUnknown => 5,
        IdentityError::Expired | IdentityError::NotYetValid => 4,
        IdentityError::WrongPurpose | IdentityError::Weak => 3,
        IdentityError::BadChain => 1,
        _ => 0,
    }
}

impl TrustedAuthority {
    fn new(anchor: Anchor, provider: Arc<CryptoProvider>) -> Result<Self, TrustError> {
        let Anchor { id, name, certificate, lists } = anchor;
        let bad = |why: String| TrustError::Certificate(name.clone(), why);
        let facts = CertificateFacts::read(&certificate).map_err(|error| bad(error.to_string()))?;
        facts.check_strength().map_err(|error| bad(error.to_string()))?;
        if !facts.is_authority {
            return Err(bad("it may not issue certificates".into()));
        }
        let mut roots = RootCertStore::empty();
        roots.add(certificate).map_err(|error| bad(error.to_string()))?;
        let names = roots.subjects();
        for (at, list) in lists.iter().enumerate() {
            // With two lists of one issuer, the order would decide which one applies.
            if lists.iter().skip(at + 1).any(|other| other.same_issuer(list)) {
                return Err(TrustError::List(name, "two lists have the same issuer".into()));
            }
        }
        let list_period = lists.iter().map(|list| (list.this_update, list.next_update)).min_by_key(|(_, until)| *until);
        let verifier = if lists.is_empty() {
            None
        } else {
            let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .with_crls(lists.into_iter().map(RevocationList::into_der))
                // The library's default accepts a list past its next update (T3).
                .enforce_revocation_expiration()
                .build();
            Some(built.map_err(|error| TrustError::List(name.clone(), error.to_string()))?)
        };
        let (not_before, not_after) = (facts.not_before, facts.not_after);
        Ok(Self { id, name, not_before, not_after, list_period, names, verifier })
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let Some(verifier) = &self.verifier else {
            // Without a list nothing is proved. The error depends on whether this authority issued the certificate.
            let issued = CertificateFacts::read(leaf).is_ok_and(|facts| self.issued_under_name(&facts.issuer));
            return Err(if issued { IdentityError::RevocationUnknown } else { IdentityError::UnknownAuthority });
        };
        verifier.verify_client_cert(leaf, intermediates, unix_time(now)).map_err(|error| identity_error(&error))?;
        // The library does not check the validity period of a trust anchor.
        if now < self.not_before {
            return Err(IdentityError::NotYetValid);
        }
        if now > self.not_after { Err(IdentityError::Expired) } else { Ok(()) }
    }

    fn issued_under_name(&self, issuer: &str) -> bool {
        self.names.iter().any(|own| {
            X509Name::from_der(own.as_ref()).is_ok_and(|(_, parsed)| name::text(&parsed).as_deref() == Some(issuer))
        })
    }
}

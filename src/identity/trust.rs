//! Which authorities prove a bank's identity, each with a verifier and revocation lists of its own.
//!
//! Invariants: authorities are tried one by one and never share roots, intermediates or lists, so that no authority can
//! speak, or fall silent, for another's banks; an authority without a current list proves nothing (T3); what was trusted
//! is never changed in place, a change makes a new [`PartnerTrust`] with a higher generation.

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
    revocation::{ListLife, RevocationList},
};
use crate::domain::{Timestamp, ids::AuthorityId};

/// Why trust cannot be built of the given material.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The authority's certificate is not one.
    #[error("the certificate of authority {0} cannot be used: {1}")]
    Certificate(String, String),
    /// A revocation list is not one of this authority.
    #[error("a revocation list of authority {0} cannot be used: {1}")]
    List(String, String),
}

/// An authority as it is given to [`PartnerTrust::new`].
#[derive(Debug, Clone)]
pub struct Anchor {
    /// Its id.
    pub id: AuthorityId,
    /// Its name, for metrics, alerts and errors.
    pub name: String,
    /// Its certificate.
    pub certificate: CertificateDer<'static>,
    /// Its list, and those of its intermediates. Without any it proves nothing.
    pub lists: Vec<RevocationList>,
}

#[derive(Debug)]
struct TrustedAuthority {
    id: AuthorityId,
    name: String,
    not_before: Timestamp,
    not_after: Timestamp,
    /// The life of the list that is stale first; none without a list.
    list_life: Option<(Timestamp, Timestamp)>,
    hint: Vec<DistinguishedName>,
    /// None without a list: a verifier without one would not ask for revocation at all.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
}

/// A proof, and until when it needs no repeating under the same trust.
#[derive(Debug)]
pub struct Proof {
    generation: u64,
    from: Timestamp,
    until: Timestamp,
}

impl Proof {
    /// Whether the proof still stands under a trust's generation at a time.
    pub(super) fn holds(&self, generation: u64, now: Timestamp) -> bool {
        self.generation == generation && self.from <= now && now < self.until
    }
}

/// The authorities a listener trusts at one time.
#[derive(Debug)]
pub struct PartnerTrust {
    generation: u64,
    authorities: Vec<TrustedAuthority>,
    refused: HashSet<String>,
    hints: Vec<DistinguishedName>,
    provider: Arc<CryptoProvider>,
}

impl PartnerTrust {
    /// Builds trust of authorities, in the order they are tried, and of the thumbprints refused here whatever their
    /// authority says. `generation` must be higher than that of any trust it replaces.
    pub fn new(generation: u64, anchors: Vec<Anchor>, refused: HashSet<String>) -> Result<Self, TrustError> {
        let provider = provider();
        let trusted = anchors.into_iter().map(|anchor| TrustedAuthority::new(anchor, Arc::clone(&provider)));
        let authorities = trusted.collect::<Result<Vec<_>, _>>()?;
        let mut hints: Vec<DistinguishedName> = Vec::new();
        for hint in authorities.iter().flat_map(|authority| &authority.hint) {
            if !hints.iter().any(|known| known.as_ref() == hint.as_ref()) {
                hints.push(hint.clone());
            }
        }
        Ok(Self { generation, authorities, refused, hints, provider })
    }

    /// Which trust this is: a later one has a higher number.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// The life of each authority's lists.
    pub fn lists(&self) -> Vec<ListLife> {
        let life = |authority: &TrustedAuthority| ListLife {
            authority: authority.id,
            name: authority.name.clone(),
            life: authority.list_life,
        };
        self.authorities.iter().map(life).collect()
    }

    /// Proves a chain, its leaf first, under whichever authority issued it. When several could have, the first that was
    /// given decides, the same one every time.
    pub(super) fn prove(
        &self,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<(AuthorityId, Proof), IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        let authority = self.find(leaf, intermediates, now)?;
        Ok((authority.id, self.proof(authority, chain, now)?))
    }

    /// Proves a chain under one authority only.
    pub(super) fn prove_under(
        &self,
        id: &AuthorityId,
        chain: &[CertificateDer<'static>],
        now: Timestamp,
    ) -> Result<Proof, IdentityError> {
        let (leaf, intermediates) = chain.split_first().ok_or(IdentityError::NoCertificate)?;
        self.check_ours(leaf, intermediates)?;
        let authority = self.authorities.iter().find(|known| known.id == *id).ok_or(IdentityError::UnknownAuthority)?;
        authority.verify(leaf, intermediates, now)?;
        self.proof(authority, chain, now)
    }

    /// The authorities' names, for a handshake to hint at.
    pub(super) fn hints(&self) -> &[DistinguishedName] {
        &self.hints
    }

    /// The cryptography the trust was built with.
    pub(super) const fn provider(&self) -> &Arc<CryptoProvider> {
        &self.provider
    }

    /// Whether some authority issued a chain, or the most telling of the refusals.
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
        self.check_ours(leaf, intermediates)?;
        let mut told = IdentityError::UnknownAuthority;
        for authority in &self.authorities {
            match authority.verify(leaf, intermediates, now) {
                Ok(()) => return Ok(authority),
                // The authority that really issued it says something more telling than the others.
                Err(error) if weight(error) > weight(told) => told = error,
                Err(_) => {}
            }
        }
        Err(told)
    }

    /// What we ask of every chain beyond the path itself.
    fn check_ours(&self, leaf: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Result<(), IdentityError> {
        let facts = CertificateFacts::read(leaf)?;
        if facts.subject.is_empty() {
            return Err(IdentityError::NoSubject);
        }
        facts.check_strength()?;
        // The library takes a certificate that names no purpose at all; we want the purpose said.
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
        let mut until = authority.not_after.min(authority.list_life.map_or(now, |(_, until)| until));
        for certificate in chain {
            until = until.min(CertificateFacts::read(certificate)?.not_after);
        }
        Ok(Proof { generation: self.generation, from: now, until })
    }
}

/// How telling a refusal is: the authority that issued a certificate gets further with it than the others.
const fn weight(error: IdentityError) -> u8 {
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
        let hint = roots.subjects();
        for (at, list) in lists.iter().enumerate() {
            // Two lists under one name: which of them speaks would depend on their order.
            if lists.iter().skip(at + 1).any(|other| other.same_issuer(list)) {
                return Err(TrustError::List(name, "two lists are of one issuer".into()));
            }
        }
        let list_life = lists.iter().map(|list| (list.this_update, list.next_update)).min_by_key(|(_, until)| *until);
        let verifier = if lists.is_empty() {
            None
        } else {
            let built = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .with_crls(lists.into_iter().map(RevocationList::into_der))
                .enforce_revocation_expiration()
                .build();
            Some(built.map_err(|error| TrustError::List(name.clone(), error.to_string()))?)
        };
        let (not_before, not_after) = (facts.not_before, facts.not_after);
        Ok(Self { id, name, not_before, not_after, list_life, hint, verifier })
    }

    fn verify(
        &self,
        leaf: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: Timestamp,
    ) -> Result<(), IdentityError> {
        let Some(verifier) = &self.verifier else {
            // Without a list nothing is proved; whether the certificate is this authority's own decides what is told.
            let issued = CertificateFacts::read(leaf).is_ok_and(|facts| self.issued_under_name(&facts.issuer));
            return Err(if issued { IdentityError::RevocationUnknown } else { IdentityError::UnknownAuthority });
        };
        verifier.verify_client_cert(leaf, intermediates, unix_time(now)).map_err(|error| identity_error(&error))?;
        // The library does not look at the validity of a trust anchor.
        if now < self.not_before {
            return Err(IdentityError::NotYetValid);
        }
        if now > self.not_after { Err(IdentityError::Expired) } else { Ok(()) }
    }

    fn issued_under_name(&self, issuer: &str) -> bool {
        self.hint.iter().any(|hint| {
            X509Name::from_der(hint.as_ref()).is_ok_and(|(_, parsed)| name::text(&parsed).as_deref() == Some(issuer))
        })
    }
}

//! Revocation lists: what they say about themselves, before any certificate is looked up in them.
//!
//! The lookup is the library's (see [`super::trust`]). This file judges a list on its own: who issued it, whether it is
//! signed, and how much of its life is left.

use std::time::Duration;

use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use crate::domain::{Timestamp, ids::AuthorityId};

/// How far ahead of our clock an authority may date its list.
const LIST_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// A revocation list that was read; its signature is checked when it is used, and by [`Self::check`] before that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issuer: Vec<u8>,
    /// When it was issued.
    pub this_update: Timestamp,
    /// When it is stale.
    pub next_update: Timestamp,
    /// How many certificates it revokes.
    pub revoked: usize,
}

impl RevocationList {
    /// Reads a list. One without an end is refused: it could never be stale.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| "it is not a revocation list")?;
        if !rest.is_empty() {
            return Err("bytes follow the revocation list".into());
        }
        let next = list.next_update().ok_or("it names no time of the next list")?;
        Ok(Self {
            der: CertificateRevocationListDer::from(der.to_vec()),
            issuer: list.issuer().as_raw().to_vec(),
            this_update: Timestamp::from_seconds(list.last_update().timestamp()),
            next_update: Timestamp::from_seconds(next.timestamp()),
            revoked: list.iter_revoked_certificates().count(),
        })
    }

    /// The list, DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The list, DER.
    pub fn into_der(self) -> CertificateRevocationListDer<'static> {
        self.der
    }

    /// Whether it was issued under the name of this certificate.
    pub fn is_of(&self, authority: &CertificateDer<'_>) -> bool {
        X509Certificate::from_der(authority).is_ok_and(|(_, parsed)| parsed.subject().as_raw() == self.issuer)
    }

    /// Whether both lists were issued under one name.
    pub fn same_issuer(&self, other: &Self) -> bool {
        self.issuer == other.issuer
    }

    /// Whether its time is over.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        self.next_update <= now
    }

    /// Refuses a list that is of the future, or not signed by the authority whose name it bears. A list under another
    /// name is an intermediate's, whose key is not known until a bank presents it.
    pub fn check(&self, authority: &CertificateDer<'_>, now: Timestamp) -> Result<(), String> {
        if self.this_update > now.plus(LIST_CLOCK_SKEW) {
            return Err(format!("it is of the future: {}", self.this_update));
        }
        if !self.is_of(authority) {
            return Ok(());
        }
        let signed = X509Certificate::from_der(authority).ok().zip(CertificateRevocationList::from_der(&self.der).ok());
        let fits = signed.is_some_and(|((_, ca), (_, list))| list.verify_signature(ca.public_key()).is_ok());
        if fits { Ok(()) } else { Err("its signature is not the authority's".into()) }
    }
}

/// How much of a list's life is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListLife {
    /// The authority's id.
    pub authority: AuthorityId,
    /// The authority's name.
    pub name: String,
    /// From when until when the list runs that is stale first; none when the authority has no list.
    pub life: Option<(Timestamp, Timestamp)>,
}

impl ListLife {
    /// The thousandths of its life that are left at `now`; nothing when it has no list or a stale one.
    pub fn left_permille(&self, now: Timestamp) -> i64 {
        self.life.map_or(0, |(from, until)| left_permille(from, until, now))
    }
}

/// The thousandths of a life that are left at `now`.
pub fn left_permille(from: Timestamp, until: Timestamp, now: Timestamp) -> i64 {
    let whole = until.micros().saturating_sub(from.micros()).max(1);
    let left = until.micros().saturating_sub(now.micros()).clamp(0, whole);
    i64::try_from(i128::from(left) * 1000 / i128::from(whole)).unwrap_or(0)
}

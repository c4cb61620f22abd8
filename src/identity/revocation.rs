//! Revocation lists: parsing and checks of a list itself.
//!
//! The TLS library looks certificates up in the lists (see [`super::trust`]). This file checks a list on its own: its
//! issuer, its signature and its remaining validity.

use std::{fmt, time::Duration};

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use crate::domain::{Timestamp, ids::AuthorityId};

/// How far the time of issue of a list may be ahead of the clock.
const LIST_CLOCK_SKEW: Duration = Duration::from_mins(5);

/// The number of a revocation list (RFC 5280 section 5.2.3), of up to twenty octets: an issuer's lists have rising ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListNumber(Vec<u8>);

impl ListNumber {
    /// From a number's octets, the most significant first.
    pub fn new(octets: &[u8]) -> Self {
        let first = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len());
        Self(octets.get(first..).unwrap_or_default().to_vec())
    }

    /// From its text, as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        HEXLOWER.decode(text.as_bytes()).ok().map(|octets| Self::new(&octets))
    }

    /// Whether it is lower than another one.
    pub fn is_lower_than(&self, other: &Self) -> bool {
        // Without leading zeros the longer number is the higher one.
        (self.0.len(), &self.0) < (other.0.len(), &other.0)
    }
}

impl fmt::Display for ListNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

/// A parsed revocation list. Its signature is checked by [`Self::check`], and again by the TLS library when it is used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    der: CertificateRevocationListDer<'static>,
    issuer: Vec<u8>,
    /// Its number; RFC 5280 requires one, and some authorities give none.
    pub number: Option<ListNumber>,
    /// The time of issue.
    pub this_update: Timestamp,
    /// The time at which it becomes stale.
    pub next_update: Timestamp,
    /// The number of revoked certificates.
    pub revoked: usize,
}

impl RevocationList {
    /// Parses a list. A list without `nextUpdate` is refused, because it would never become stale.
    pub fn read(der: &[u8]) -> Result<Self, String> {
        let (rest, list) = CertificateRevocationList::from_der(der).map_err(|_| "it is not a revocation list")?;
        // What follows would be ignored, and its author would believe it to be in force.
        if !rest.is_empty() {
            return Err("bytes follow the revocation list".into());
        }
        let next = list.next_update().ok_or("it has no nextUpdate: issue a list with the time of the next one")?;
        Ok(Self {
            der: CertificateRevocationListDer::from(der.to_vec()),
            issuer: list.issuer().as_raw().to_vec(),
            number: list.crl_number().map(|number| ListNumber::new(&number.to_bytes_be())),
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

    /// Whether its issuer has the name of this certificate.
    pub fn is_issued_by(&self, authority: &CertificateDer<'_>) -> bool {
        X509Certificate::from_der(authority).is_ok_and(|(_, parsed)| parsed.subject().as_raw() == self.issuer)
    }

    /// Whether both lists have the same issuer name.
    pub fn same_issuer(&self, other: &Self) -> bool {
        self.issuer == other.issuer
    }

    /// The issuer's name as a short text, for records about its lists.
    pub fn issuer_id(&self) -> String {
        HEXLOWER.encode(digest::digest(&digest::SHA256, &self.issuer).as_ref())
    }

    /// Whether it is past `nextUpdate`.
    pub fn is_stale(&self, now: Timestamp) -> bool {
        // At the instant itself it is stale already: the limit belongs to the strict side (T3).
        self.next_update <= now
    }

    /// Refuses a list that is dated in the future, or whose issuer has the authority's name but not its signature. A
    /// list with another issuer belongs to an intermediate, whose key is unknown until a bank presents its certificate.
    pub fn check(&self, authority: &CertificateDer<'_>, now: Timestamp) -> Result<(), String> {
        // A list from the future would count as the newest, and every list after it as an older one, until that day.
        if self.this_update > now.plus(LIST_CLOCK_SKEW) {
            return Err(format!("its time of issue is in the future: {}", self.this_update));
        }
        if !self.is_issued_by(authority) {
            return Ok(());
        }
        // Parsed again, because a parsed list borrows from its bytes.
        let signed = X509Certificate::from_der(authority).ok().zip(CertificateRevocationList::from_der(&self.der).ok());
        let fits = signed.is_some_and(|((_, ca), (_, list))| list.verify_signature(ca.public_key()).is_ok());
        if fits { Ok(()) } else { Err("its signature is not the authority's".into()) }
    }
}

/// The validity period of an authority's revocation lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListValidity {
    pub authority: AuthorityId,
    pub name: String,
    /// Issue and next update of the list that becomes stale first; none if the authority has no list.
    pub period: Option<(Timestamp, Timestamp)>,
}

impl ListValidity {
    /// The remaining thousandths of the period at `now`; zero without a list or with a stale one.
    pub fn left_permille(&self, now: Timestamp) -> i64 {
        self.period.map_or(0, |(from, until)| left_permille(from, until, now))
    }
}

/// The remaining thousandths of a period at `now`.
pub fn left_permille(from: Timestamp, until: Timestamp, now: Timestamp) -> i64 {
    // At least one, because a period may be empty and is a divisor here.
    let whole = until.micros().saturating_sub(from.micros()).max(1);
    let left = until.micros().saturating_sub(now.micros()).clamp(0, whole);
    // The product for a period of some centuries does not fit into 64 bits.
    i64::try_from(i128::from(left) * 1000 / i128::from(whole)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::ListNumber;

    #[test]
    fn list_numbers_are_compared_as_numbers() {
        let of = |octets: &[u8]| ListNumber::new(octets);
        let rising = [of(&[]), of(&[9]), of(&[0, 10]), of(&[0xff]), of(&[1, 0]), of(&[2; 20])];
        for (at, lower) in rising.iter().enumerate() {
            assert!(rising[at + 1..].iter().all(|higher| lower.is_lower_than(higher) && !higher.is_lower_than(lower)));
            assert_eq!(ListNumber::parse(&lower.to_string()).unwrap(), *lower);
            assert!(!lower.is_lower_than(lower));
        }
        assert_eq!(of(&[0, 0, 7]), of(&[7]));
        assert_eq!(ListNumber::parse("not hex"), None);
    }
}

//! Identifiers of every kind: a prefix, an underscore, and a UUIDv7 in 26 characters of Crockford's base32.

use std::{fmt, str::FromStr};

use super::{
    Timestamp,
    clock::Clock,
    malformed::{Malformed, serde_as_text},
    rng::Entropy,
};

/// Crockford's alphabet, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The value of each byte as a digit; 32 for bytes that are no digit.
const DIGITS: [u8; 256] = {
    let mut digits = [32; 256];
    let mut digit = 0;
    while digit < 32 {
        digits[ALPHABET[digit as usize] as usize] = digit;
        digit += 1;
    }
    digits
};

/// A UUID of version 7 (RFC 9562): 128 bits that sort by time of creation.
fn uuid_v7(clock: &dyn Clock, entropy: &dyn Entropy) -> u128 {
    // A time before 1970 becomes zero: the id is still unique by its random bits.
    let millis = u64::try_from(clock.now().micros().div_euclid(1000)).unwrap_or(0);
    let mut random = [0u8; 10];
    entropy.fill(&mut random);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid().as_u128()
}

fn write_base32(value: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let mut text = [0u8; 26];
    for (at, out) in text.iter_mut().enumerate() {
        let shift = 125 - 5 * at;
        *out = ALPHABET[usize::try_from((value >> shift) & 31).unwrap_or(0)];
    }
    f.write_str(std::str::from_utf8(&text).map_err(|_| fmt::Error)?)
}

fn read_base32(text: &str) -> Option<u128> {
    let bytes = text.as_bytes();
    // The first character carries three bits: more would overflow 128.
    if bytes.len() != 26 || !matches!(bytes.first(), Some(b'0'..=b'7')) {
        return None;
    }
    bytes.iter().try_fold(0u128, |value, byte| {
        let digit = DIGITS.get(usize::from(*byte)).copied().filter(|digit| *digit < 32)?;
        Some((value << 5) | u128::from(digit))
    })
}

/// A number in base32.
struct Base32(u128);

impl fmt::Display for Base32 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_base32(self.0, f)
    }
}

/// The part after the prefix of the first id that could have been made so long before `id`: ids sort by time.
pub fn suffix_before(id: &str, by: std::time::Duration) -> Option<String> {
    let (_, suffix) = id.split_once('_')?;
    // The milliseconds stand above version, variant and randomness.
    let millis = (read_base32(suffix)? >> 80).saturating_sub(by.as_millis());
    Some(Base32(millis << 80).to_string())
}

/// The part after the prefix of the first id that could have been made at an instant.
pub fn suffix_at(at: Timestamp) -> String {
    let millis = u64::try_from(at.micros().div_euclid(1000)).unwrap_or(0);
    Base32(u128::from(millis) << 80).to_string()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $name {
            /// The prefix of every identifier of this kind.
            pub const PREFIX: &'static str = $prefix;

            /// Creates an identifier at the current time.
            pub fn new(clock: &dyn Clock, entropy: &dyn Entropy) -> Self {
                Self(uuid_v7(clock, entropy))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!($prefix, "_"))?;
                write_base32(self.0, f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = Malformed;

            fn from_str(text: &str) -> Result<Self, Malformed> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(read_base32)
                    .map(Self)
                    .ok_or_else(|| Malformed(format!(concat!("{:?} is not an identifier like ", $prefix, "_06fz..."), text)))
            }
        }

        serde_as_text!($name);
    )+};
}

ids! {
    /// A partner certification authority that issues banks' client certificates.
    AuthorityId = "aut";
    /// A certificate issued by the gateway's own authority.
    CertificateId = "crt";
    /// A registered client: a bank or a department.
    ClientId = "cli";
    /// A subject's consent to one bank.
    ConsentId = "con";
    /// One disclosure, also the id of its ledger entry.
    DisclosureId = "dis";
    /// An event that subscribers are notified of.
    EventId = "evt";
    /// One imported file.
    ImportId = "imp";
    /// A request and its response (`x-fapi-interaction-id` carries the UUID that the client sent, if any).
    InteractionId = "int";
    /// A private key at rest.
    KeyId = "key";
    /// A ledger entry that is not a disclosure.
    EntryId = "ent";
    /// An objection of a subject to its result.
    ObjectionId = "obj";
    /// A person who administers the gateway.
    OperatorId = "opr";
    /// An outbox item, also the idempotency key of every attempt to deliver it.
    OutboxId = "out";
    /// A package for a platform.
    PackageId = "pkg";
    /// An act that waits for another operator.
    ProposalId = "prp";
    /// A grading run.
    RunId = "run";
    /// A session of an operator in the console.
    SessionId = "ses";
    /// An access token (`jti`).
    TokenId = "tok";
}

impl From<EntryId> for DisclosureId {
    fn from(id: EntryId) -> Self {
        Self(id.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{ManualClock, SeededEntropy};

    #[test]
    fn a_bound_sorts_before_every_id_made_since() {
        let at = |text: &str| ManualClock::new(text.parse().unwrap());
        let entropy = SeededEntropy::new(3);
        let id = DisclosureId::new(&*at("2026-04-02T00:00:00Z"), &*entropy).to_string();
        let bound = suffix_before(&id, std::time::Duration::from_hours(24)).unwrap();
        let made = |text: &str| EntryId::new(&*at(text), &*entropy).to_string()[4..].to_owned();
        assert!(made("2026-03-31T23:59:59Z") < bound && bound <= made("2026-04-01T00:00:00Z"), "{bound}");
        assert_eq!(suffix_before("dis_x", std::time::Duration::ZERO), None);
    }
}

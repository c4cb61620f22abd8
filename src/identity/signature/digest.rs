//! `Content-Digest` and `Want-Content-Digest` (RFC 9530): create, verify, negotiate. A digest covers the content as sent;
//! without a content coding that is the body.

use std::fmt;

use aws_lc_rs::digest::{Context, SHA256, SHA512, digest};
use data_encoding::BASE64;
use sfv::{
    BareItem, Dictionary, Item, KeyRef, ListEntry, Parser,
    visitor::{DictionaryVisitor, EntryVisitor, Ignored},
};

/// The supported algorithms, as a value of `Want-Content-Digest`.
pub const SUPPORTED: &str = "sha-256=10, sha-512=5";

/// An active digest algorithm of RFC 9530's registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DigestAlgorithm {
    Sha256,
    Sha512,
}

impl DigestAlgorithm {
    fn of(name: &str) -> Option<Self> {
        match name {
            "sha-256" => Some(Self::Sha256),
            "sha-512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn of_library(self) -> &'static aws_lc_rs::digest::Algorithm {
        match self {
            Self::Sha256 => &SHA256,
            Self::Sha512 => &SHA512,
        }
    }

    /// The `Content-Digest` of a body with this algorithm.
    pub fn field(self, body: &[u8]) -> String {
        let name = match self {
            Self::Sha256 => "sha-256",
            Self::Sha512 => "sha-512",
        };
        format!("{name}=:{}:", BASE64.encode(digest(self.of_library(), body).as_ref()))
    }

    /// The supported algorithm that a `Want-Content-Digest` prefers; none if the field is malformed or names only
    /// others.
    pub fn preferred(field: &str) -> Option<Self> {
        let preferences = dictionary(field)?;
        let weight = |entry: &ListEntry| match entry {
            ListEntry::Item(Item { bare_item: BareItem::Integer(weight), .. }) => Some(i64::from(*weight)),
            _ => None,
        };
        let weighted = preferences.iter().filter_map(|(name, entry)| Some((Self::of(name.as_str())?, weight(entry)?)));
        // The first of the highest weight; a weight of 0 means "not acceptable".
        // `max_by_key` returns the last of equal items: reversed, it is the first.
        weighted.filter(|(_, weight)| *weight > 0).rev().max_by_key(|(_, weight)| *weight).map(|(name, _)| name)
    }
}

/// The digest state of a prefix that many bodies share.
#[derive(Clone)]
pub struct DigestPrefix(Context);

impl fmt::Debug for DigestPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestPrefix")
    }
}

impl DigestPrefix {
    /// Digests the prefix.
    pub fn of(text: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(text);
        Self(context)
    }

    /// The SHA-256 `Content-Digest` of the body that consists of the prefix and the rest.
    pub fn content_digest(&self, rest: &[u8]) -> String {
        // The prefix is digested once: copying its state is cheap, whatever its length.
        let mut context = self.0.clone();
        context.update(rest);
        format!("sha-256=:{}:", BASE64.encode(context.finish().as_ref()))
    }
}

/// The SHA-256 `Content-Digest` of a body.
pub fn content_digest(body: &[u8]) -> String {
    DigestAlgorithm::Sha256.field(body)
}

/// Why a `Content-Digest` is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DigestRefusal {
    /// The field is not a dictionary of byte sequences, or has an algorithm twice.
    #[error("Content-Digest is not a dictionary of byte sequences, each algorithm once")]
    Malformed,
    /// The field has no supported algorithm.
    #[error("none of the algorithms in Content-Digest is supported")]
    Unsupported,
    /// A digest does not match the body.
    #[error("the body does not have the digest that Content-Digest states")]
    Mismatch,
}

/// Verifies a `Content-Digest` while the body passes, so that a body need not be in memory: every digest of a supported
/// algorithm must match, and at least one is required (M4).
#[derive(Clone)]
pub struct DigestCheck(Vec<(Context, Vec<u8>)>);

impl fmt::Debug for DigestCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DigestCheck")
    }
}

impl DigestCheck {
    /// Reads the field.
    pub fn of(field: &str) -> Result<Self, DigestRefusal> {
        let mut checks = Vec::new();
        for (name, entry) in &dictionary(field).ok_or(DigestRefusal::Malformed)? {
            let ListEntry::Item(Item { bare_item: BareItem::ByteSequence(stated), .. }) = entry else {
                return Err(DigestRefusal::Malformed);
            };
            // RFC 9530 section 2 lets a recipient ignore algorithms; one that is supported is still required.
            let Some(algorithm) = DigestAlgorithm::of(name.as_str()) else { continue };
            checks.push((Context::new(algorithm.of_library()), stated.clone()));
        }
        if checks.is_empty() { Err(DigestRefusal::Unsupported) } else { Ok(Self(checks)) }
    }

    /// Digests the next part of the body.
    pub fn update(&mut self, part: &[u8]) {
        for (context, _) in &mut self.0 {
            context.update(part);
        }
    }

    /// Compares at the end of the body.
    pub fn finish(self) -> Result<(), DigestRefusal> {
        let matches = self.0.into_iter().all(|(context, stated)| context.finish().as_ref() == stated.as_slice());
        if matches { Ok(()) } else { Err(DigestRefusal::Mismatch) }
    }
}

/// Verifies the `Content-Digest` of a body in memory.
pub fn verify_digest(field: &str, body: &[u8]) -> Result<(), DigestRefusal> {
    let mut check = DigestCheck::of(field)?;
    check.update(body);
    check.finish()
}

/// Parses a dictionary and refuses duplicate keys. Structured fields let the last duplicate win; signed and digested
/// content must not be ambiguous in this way (M3).
pub(super) fn dictionary(field: &str) -> Option<Dictionary> {
    #[derive(Default)]
    struct Keys(Vec<String>, bool);
    impl<'de> DictionaryVisitor<'de> for Keys {
        type Out = bool;
        type Error = std::convert::Infallible;

        fn entry(&mut self, key: &'de KeyRef) -> Result<impl EntryVisitor<'de>, Self::Error> {
            self.1 |= self.0.iter().any(|other| other == key.as_str());
            self.0.push(key.as_str().to_owned());
            Ok(Ignored)
        }

        fn finish(self) -> Result<bool, Self::Error> {
            Ok(self.1)
        }
    }
    let ambiguous = Parser::new(field).parse_dictionary_with_visitor(Keys::default()).ok()?;
    // Parsed twice, because the finished dictionary no longer shows its duplicates.
    if ambiguous { None } else { Parser::new(field).parse::<Dictionary>().ok() }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"hello": "world"}"#;
    const SHA256_OF_BODY: &str = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    const SHA512_OF_BODY: &str =
        "sha-512=:WZDPaVn/7XgHaAy8pmojAkGWoRx2UFChF41A2svX+TaPm+AbwAgBWnrIiYllu7BNNyealdVLvRwEmTHWXvJwew==:";

    #[test]
    fn digests_are_those_of_rfc_9530() {
        assert_eq!(content_digest(BODY), SHA256_OF_BODY);
        for at in 0..=BODY.len() {
            assert_eq!(DigestPrefix::of(&BODY[..at]).content_digest(&BODY[at..]), SHA256_OF_BODY);
        }
        assert_eq!(DigestAlgorithm::Sha512.field(BODY), SHA512_OF_BODY);
    }

    #[test]
    fn every_supported_digest_must_match_and_one_is_required() {
        // M4.
        for good in [SHA256_OF_BODY, SHA512_OF_BODY, &format!("md5=:AAAA:, {SHA256_OF_BODY}")] {
            assert_eq!(verify_digest(good, BODY), Ok(()), "{good}");
        }
        let cases = [
            ("sha-256=:AAAA:".to_owned(), DigestRefusal::Mismatch),
            (format!("{SHA256_OF_BODY}, sha-512=:AAAA:"), DigestRefusal::Mismatch),
            ("md5=:AAAA:".to_owned(), DigestRefusal::Unsupported),
            (String::new(), DigestRefusal::Unsupported),
            ("sha-256=AAAA".to_owned(), DigestRefusal::Malformed),
            ("sha-256=:A".to_owned(), DigestRefusal::Malformed),
            (format!("sha-256=:AAAA:, {SHA256_OF_BODY}"), DigestRefusal::Malformed),
        ];
        for (field, refusal) in cases {
            assert_eq!(verify_digest(&field, BODY), Err(refusal), "{field}");
        }
        assert_eq!(verify_digest(SHA256_OF_BODY, b""), Err(DigestRefusal::Mismatch));
    }

    #[test]
    fn a_body_is_verified_in_any_parts() {
        let both = format!("{SHA512_OF_BODY}, {SHA256_OF_BODY}");
        for at in 0..=BODY.len() {
            let mut check = DigestCheck::of(&both).unwrap();
            check.update(&BODY[..at]);
            let mut cut = check.clone();
            check.update(&BODY[at..]);
            assert_eq!(check.finish(), Ok(()));
            cut.update(&BODY[..BODY.len() - at]);
            assert_eq!(cut.finish().is_ok(), at == 0 || at == BODY.len(), "the first part again, at {at}");
        }
    }

    #[test]
    fn the_supported_algorithm_of_the_highest_weight_is_preferred() {
        assert_eq!(DigestAlgorithm::preferred("sha-512=3, sha-256=10, unixsum=0"), Some(DigestAlgorithm::Sha256));
        assert_eq!(DigestAlgorithm::preferred("sha-512=9, sha-256=1"), Some(DigestAlgorithm::Sha512));
        assert_eq!(DigestAlgorithm::preferred("sha-512=5, sha-256=5"), Some(DigestAlgorithm::Sha512));
        for none in ["sha-256=0", "md5=10", "nonsense=?", "sha-256"] {
            assert_eq!(DigestAlgorithm::preferred(none), None, "{none}");
        }
    }
}

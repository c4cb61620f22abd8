//! One-time codes of RFC 6238 (TOTP): SHA-1, 30 seconds, six digits, which every authenticator app implements. SHA-1 is sound
//! within HMAC.

use aws_lc_rs::{constant_time::verify_slices_are_equal, hmac};
use data_encoding::BASE32_NOPAD;
use std::fmt::Write as _;
use zeroize::Zeroizing;

use crate::{
    domain::{Entropy, Timestamp},
    store::SealContext,
};

/// RFC 4226 section 4 recommends 160 bits.
const SECRET_BYTES: usize = 20;
const STEP_SECONDS: i64 = 30;
const DIGITS: usize = 6;
/// How many steps a telephone's clock, and the typing, may be away (RFC 6238 section 5.2 recommends at most one).
const WINDOW: i64 = 1;

/// The secret that an authenticator and the gateway share.
pub(super) struct TotpSecret(Zeroizing<Vec<u8>>);

impl TotpSecret {
    /// A new secret.
    pub(super) fn new(entropy: &dyn Entropy) -> Self {
        let mut bytes = Zeroizing::new(vec![0; SECRET_BYTES]);
        entropy.fill(&mut bytes);
        Self(bytes)
    }

    /// The secret of its bytes.
    pub(super) fn of(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    /// The bytes, to be sealed.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// The secret as it is typed into an authenticator.
    pub(super) fn base32(&self) -> String {
        BASE32_NOPAD.encode(&self.0)
    }

    /// The URI that an authenticator reads from a QR code.
    pub(super) fn uri(&self, issuer: &str, name: &str) -> String {
        let (issuer, name) = (percent_encoded(issuer), percent_encoded(name));
        let secret = self.base32();
        format!("otpauth://totp/{issuer}:{name}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits=6&period=30")
    }

    /// The step whose code this is, of those around an instant; none for a wrong code.
    pub(super) fn step_of(&self, code: &str, now: Timestamp) -> Option<i64> {
        let present = now.seconds().div_euclid(STEP_SECONDS);
        let mut found = None;
        // All of them are compared: the time does not show which one it was.
        for step in present - WINDOW..=present + WINDOW {
            if verify_slices_are_equal(self.code(step).as_bytes(), code.as_bytes()).is_ok() {
                found = Some(step);
            }
        }
        found
    }

    /// The code of a step (RFC 4226 section 5.3).
    fn code(&self, step: i64) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, &self.0);
        let tag = hmac::sign(&key, &step.to_be_bytes());
        let tag = tag.as_ref();
        // Infallible: a tag of SHA-1 has 20 bytes, and the offset is at most 15.
        let offset = usize::from(tag.last().copied().unwrap_or_default() & 0xf);
        let part = tag.get(offset..offset + 4).and_then(|part| <[u8; 4]>::try_from(part).ok()).unwrap_or_default();
        let number = u32::from_be_bytes(part) & 0x7fff_ffff;
        format!("{:06}", number % 1_000_000)
    }
}

/// The context that an operator's secret is sealed for.
pub(super) const fn totp_context(operator: &str) -> SealContext<'_> {
    SealContext { table: "operators", row: operator, column: "sealed_totp" }
}

/// The context that an invitation's secret is sealed for.
pub(super) const fn invitation_context(operator: &str) -> SealContext<'_> {
    SealContext { table: "operator_invitations", row: operator, column: "sealed_totp" }
}

/// Whether a text has the form of a one-time code.
pub(super) fn is_code(text: &str) -> bool {
    text.len() == DIGITS && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A text as a part of a URI (RFC 3986 section 2.1).
fn percent_encoded(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Infallible: writing to a String.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The vectors of RFC 6238, appendix B, for SHA-1, whose eight digits end in these six.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = TotpSecret::of(b"12345678901234567890");
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(secret.code(seconds / 30), code);
            assert_eq!(secret.step_of(code, Timestamp::from_seconds(seconds)), Some(seconds / 30));
        }
    }

    #[test]
    fn a_code_counts_one_step_before_and_after_its_own() {
        let secret = TotpSecret::of(b"12345678901234567890");
        let code = secret.code(1000);
        for (step, counts) in [(998, false), (999, true), (1000, true), (1001, true), (1002, false)] {
            let found = secret.step_of(&code, Timestamp::from_seconds(step * 30 + 29));
            assert_eq!(found, counts.then_some(1000), "{step}");
        }
    }

    #[test]
    fn six_digits_are_a_code() {
        assert!(is_code("000000") && is_code("123456"));
        for text in ["", "12345", "1234567", "12345a", "１２３４５６", "-12345"] {
            assert!(!is_code(text), "{text}");
        }
    }

    #[test]
    fn the_uri_escapes_the_name() {
        let uri = TotpSecret::of(b"12345678901234567890").uri("gw:8446", "林 a");
        assert!(
            uri.starts_with("otpauth://totp/gw%3A8446:%E6%9E%97%20a?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&"),
            "{uri}"
        );
    }
}

//! Tokens of sessions and of links, and recovery codes: random, and stored as digests only. None can be guessed, so that a plain
//! SHA-256 suffices (NIST SP 800-63B section 3.1.2.2 asks for 112 bits).

use aws_lc_rs::{
    digest::{Context, SHA256},
    hmac,
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use zeroize::Zeroizing;

use crate::domain::Entropy;

const TOKEN_BYTES: usize = 32;
/// 120 bits: 24 characters of base32.
const CODE_BYTES: usize = 15;
/// How many recovery codes an operator gets.
const CODES: usize = 10;
/// Characters between two hyphens of a recovery code.
const GROUP: usize = 4;
/// Crockford's alphabet, lower case: no i, l, o, u.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A token of 256 random bits, base64url.
pub(super) fn token(entropy: &dyn Entropy) -> String {
    let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
    entropy.fill(bytes.as_mut());
    BASE64URL_NOPAD.encode(bytes.as_ref())
}

/// Ten recovery codes, `7k2m-...`, six groups of four.
pub(super) fn recovery_codes(entropy: &dyn Entropy) -> Vec<String> {
    (0..CODES).map(|_| recovery_code(entropy)).collect()
}

fn recovery_code(entropy: &dyn Entropy) -> String {
    let mut bytes = [0; CODE_BYTES];
    entropy.fill(&mut bytes);
    let number = bytes.iter().fold(0u128, |number, byte| (number << 8) | u128::from(*byte));
    let mut code = String::new();
    for at in (0..CODE_BYTES * 8 / 5).rev() {
        let digit = usize::try_from((number >> (5 * at)) & 31).unwrap_or(0);
        code.push(char::from(ALPHABET[digit]));
        if at % GROUP == 0 && at > 0 {
            code.push('-');
        }
    }
    code
}

/// A recovery code as it is compared: in lower case, without hyphens and spaces, and with the digits for which Crockford's
/// excluded letters are taken.
fn comparable(code: &str) -> String {
    let letters = code.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase());
    letters
        .map(|c| {
            if c == 'o' {
                '0'
            } else if matches!(c, 'i' | 'l') {
                '1'
            } else {
                c
            }
        })
        .collect()
}

/// What is stored of a token.
pub(super) fn token_digest(token: &str) -> String {
    digest(&["token", token])
}

/// What is stored of a recovery code: different for two operators with the same code.
pub(super) fn code_digest(operator: &str, code: &str) -> String {
    digest(&["recovery code", operator, &comparable(code)])
}

/// What failures are counted under: not the name, because people also type passwords into its field.
pub(super) fn name_digest(name_key: &str) -> String {
    digest(&["name", name_key])
}

fn digest(parts: &[&str]) -> String {
    let mut context = Context::new(&SHA256);
    for part in parts {
        // Each part is preceded by its length: no two lists have one digest.
        context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        context.update(part.as_bytes());
    }
    HEXLOWER.encode(context.finish().as_ref())
}

/// The token that forms of a session carry, bound to the session's own.
pub(super) fn csrf_token(token: &str) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, token.as_bytes());
    BASE64URL_NOPAD.encode(hmac::sign(&key, b"medcredit console form").as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::SeededEntropy;

    #[test]
    fn a_code_is_compared_as_people_type_it() {
        let entropy = SeededEntropy::new(1);
        let codes = recovery_codes(&*entropy);
        assert_eq!(codes.len(), 10);
        let code = codes.first().unwrap();
        assert_eq!((code.len(), code.matches('-').count()), (29, 5), "{code}");
        let typed = format!(" {} ", code.to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l"));
        assert_eq!(code_digest("opr_1", code), code_digest("opr_1", &typed));
        assert_ne!(code_digest("opr_1", code), code_digest("opr_2", code));
    }

    #[test]
    fn tokens_have_256_bits_and_forms_have_another_token() {
        let entropy = SeededEntropy::new(1);
        let (one, other) = (token(&*entropy), token(&*entropy));
        assert!(one.len() == 43 && one != other);
        assert_ne!(csrf_token(&one), csrf_token(&other));
        assert_ne!(csrf_token(&one), one);
        assert_ne!(token_digest(&one), token_digest(&other));
    }
}

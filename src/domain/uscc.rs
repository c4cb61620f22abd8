//! 统一社会信用代码, the unified social credit code (USCC) of GB 32100-2015: 18 characters with two check characters.
//!
//! A wrong length or a character outside the alphabet is an error. A wrong check character is a [`CheckMismatch`],
//! which an operator may accept: real codes of early pilots have it.

use std::{fmt, str::FromStr};

use super::{
    malformed::{Malformed, serde_as_text},
    region::Region,
    resident_id::ResidentId,
};

/// The 31 characters; a character's value is its index. I, O, S, V and Z are not among them.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// GB 32100: 3^i mod 31 for characters 1 to 17.
const WEIGHTS: [u32; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];

/// GB 11714: the weights of the organisation code's eight characters (9 to 16 of the USCC).
const INNER_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// The length of a code.
const LENGTH: usize = 18;

/// A code of the right length and alphabet, in upper case. Its check characters may still be wrong: see
/// [`Uscc::mismatches`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc([u8; LENGTH]);

/// Why a text is not a USCC. Positions count characters from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    /// Not 18 characters.
    #[error("a unified social credit code has 18 characters, this one has {found}")]
    Length {
        /// The number of characters.
        found: usize,
    },
    /// A full-width form such as `9`. It is refused, because converting it would hide how the file was made.
    #[error("character {position} is the full-width form {found:?}: write it as an ASCII character")]
    FullWidth { position: usize, found: char },
    /// Outside the alphabet of 31.
    #[error("character {position} is {found:?}, which is not one of 0123456789ABCDEFGHJKLMNPQRTUWXY")]
    Alphabet { position: usize, found: char },
}

/// A wrong check character: a warning, because real codes of early pilots have one (domain 1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error("check character {position} is {found}, but the other characters require {expected}")]
pub struct CheckMismatch {
    /// 17, the organisation code's own check (GB 11714), or 18, the whole code's.
    pub position: usize,
    /// The character that the others require.
    pub expected: char,
    pub found: char,
}

/// Why a code of the right form is nobody's, whatever its check characters are. Codes that are stored already are not
/// examined for it, so that they stay readable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Implausible {
    /// `000000000000000000` fits both checks.
    #[error("consists of one repeated character, as forms are filled where the code is not at hand")]
    Repeated,
    /// Registers assign no such organisation code.
    #[error("characters 9 to 16 are zeros: no register assigns such a code")]
    Zeros,
    #[error("is a resident identity number, not a unified social credit code")]
    ResidentId,
    /// GB 32100: an administrative division of GB/T 2260, or 100000 for a national register.
    #[error("characters 3 to 8 are not an administrative division, but they name the office that registered it")]
    Region,
}

/// The region of national registers, such as that of central institutions.
const NATIONAL: &str = "100000";

impl Uscc {
    /// Reads a code. ASCII lower case is converted to upper case; nothing else is.
    pub fn parse(text: &str) -> Result<Self, UsccError> {
        let mut code = [0u8; LENGTH];
        let mut count = 0;
        for (at, found) in text.chars().enumerate() {
            let position = at + 1;
            if matches!(found, '\u{FF01}'..='\u{FF5E}' | '\u{3000}') {
                return Err(UsccError::FullWidth { position, found });
            }
            let upper = found.to_ascii_uppercase();
            let byte = u8::try_from(upper).ok().filter(|byte| value(*byte).is_some());
            let byte = byte.ok_or(UsccError::Alphabet { position, found })?;
            // A text that is too long is read to its end all the same, for the count in the error.
            if let Some(slot) = code.get_mut(at) {
                *slot = byte;
            }
            count = position;
        }
        if count == LENGTH { Ok(Self(code)) } else { Err(UsccError::Length { found: count }) }
    }

    /// Completes the first 16 characters with both check characters.
    pub fn complete(first_sixteen: &str) -> Result<Self, UsccError> {
        // Placeholders, replaced below: the second check character covers the first.
        let mut code = Self::parse(&format!("{first_sixteen}00"))?;
        // In this order, because the outer check covers the inner one.
        code.0[16] = code.inner_check();
        code.0[17] = code.outer_check();
        Ok(code)
    }

    /// Returns the wrong check characters; nearly every real code has none.
    pub fn mismatches(&self) -> Vec<CheckMismatch> {
        [(16, self.inner_check()), (17, self.outer_check())]
            .into_iter()
            .filter(|(at, expected)| self.0[*at] != *expected)
            .map(|(at, expected)| CheckMismatch {
                position: at + 1,
                expected: char::from(expected),
                found: char::from(self.0[at]),
            })
            .collect()
    }

    /// Why it cannot be anybody's code, if so.
    pub fn implausible(&self) -> Option<Implausible> {
        // The check characters follow from the others, so they need not be the same character.
        let [first, ..] = self.0;
        if self.0.iter().take(LENGTH - 2).all(|byte| *byte == first) {
            return Some(Implausible::Repeated);
        }
        if ResidentId::is_in(self.as_str()) {
            return Some(Implausible::ResidentId);
        }
        if self.0.iter().skip(8).take(INNER_WEIGHTS.len()).all(|byte| *byte == b'0') {
            return Some(Implausible::Zeros);
        }
        let region = self.registration_region();
        let division = region == NATIONAL || region.parse::<Region>().is_ok_and(Region::is_division);
        (!division).then_some(Implausible::Region)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        // Infallible: all bytes are ASCII characters of the alphabet.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// 登记管理部门 and 机构类别: `91` a company, `12` a public institution, `92` a sole trader.
    pub fn category(&self) -> &str {
        self.as_str().get(..2).unwrap_or_default()
    }

    /// 登记机关区划, six characters as registered; not necessarily a region of today.
    pub fn registration_region(&self) -> &str {
        self.as_str().get(2..8).unwrap_or_default()
    }

    /// Whether it belongs to a sole trader (个体工商户), which makes it personal information.
    pub fn is_sole_trader(&self) -> bool {
        self.category() == "92"
    }

    fn inner_check(&self) -> u8 {
        let sum: u32 = self.0.iter().skip(8).zip(INNER_WEIGHTS).map(|(byte, weight)| inner_value(*byte) * weight).sum();
        match 11 - sum % 11 {
            10 => b'X',
            11 => b'0',
            digit => b'0' + u8::try_from(digit).unwrap_or(0),
        }
    }

    fn outer_check(&self) -> u8 {
        let sum: u32 = self.0.iter().zip(WEIGHTS).map(|(byte, weight)| value(*byte).unwrap_or(0) * weight).sum();
        usize::try_from((31 - sum % 31) % 31).ok().and_then(|at| ALPHABET.get(at)).copied().unwrap_or(b'0')
    }
}

/// The value of a character in the alphabet of 31.
fn value(byte: u8) -> Option<u32> {
    ALPHABET.iter().position(|letter| *letter == byte).and_then(|at| u32::try_from(at).ok())
}

/// The value of a character in the organisation code: 0-9, then A-Z as 10..35 without gaps.
const fn inner_value(byte: u8) -> u32 {
    match byte {
        b'0'..=b'9' => (byte - b'0') as u32,
        b'A'..=b'Z' => (byte - b'A') as u32 + 10,
        _ => 0,
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Uscc {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        Self::parse(text).map_err(|error| Malformed(error.to_string()))
    }
}

serde_as_text!(Uscc);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The worked examples of the domain notes, both checks right.
    const VALID: [&str; 8] = [
        "91330302MA2AB3C47J",
        "12330300470001016F",
        "52330304MJ8765K12B",
        "92330381MA2CD5EF8R",
        "123303004705234552",
        "11330300MB1A2C3D0M",
        "91330381MA2HK7LM8Y",
        "913303270252641A0B",
    ];

    fn code(text: &str) -> Uscc {
        Uscc::parse(text).unwrap()
    }

    #[test]
    fn the_worked_examples_fit_both_checks_and_are_rebuilt_from_sixteen_characters() {
        for text in VALID {
            assert_eq!(code(text).mismatches(), [], "{text}");
            assert_eq!(Uscc::complete(&text[..16]).unwrap().as_str(), text);
        }
        // A sample widely used in test suites fits the outer check only.
        let sample: Vec<_> = code("91350100M000100Y43").mismatches().iter().map(|one| one.position).collect();
        assert!(!sample.contains(&18));
    }

    #[test]
    fn a_real_code_of_an_early_pilot_is_a_warning_not_an_error() {
        for text in ["91350203M0001FUE2P", "91350211M0000XUF46"] {
            assert!(!code(text).mismatches().is_empty(), "{text}");
        }
        let mismatch = code("91330302MA2AB3C47K").mismatches();
        assert_eq!(mismatch, [CheckMismatch { position: 18, expected: 'J', found: 'K' }]);
        assert_eq!(mismatch[0].to_string(), "check character 18 is K, but the other characters require J");
    }

    #[test]
    fn lower_case_is_read_as_upper_case_and_full_width_is_refused_by_position() {
        assert_eq!(code("91330302ma2ab3c47j").as_str(), VALID[0]);
        assert_eq!(
            Uscc::parse("9133030\u{FF12}MA2AB3C47J"),
            Err(UsccError::FullWidth { position: 8, found: '\u{FF12}' })
        );
        assert_eq!(Uscc::parse("91330302MA2AB3C4OJ"), Err(UsccError::Alphabet { position: 17, found: 'O' }));
        assert_eq!(Uscc::parse("91330302 A2AB3C47J"), Err(UsccError::Alphabet { position: 9, found: ' ' }));
        assert_eq!(Uscc::parse("91330302MA2AB3C47"), Err(UsccError::Length { found: 17 }));
        assert_eq!(Uscc::parse("91330302MA2AB3C47JJ"), Err(UsccError::Length { found: 19 }));
        assert_eq!(Uscc::parse(""), Err(UsccError::Length { found: 0 }));
    }

    #[test]
    fn every_single_substitution_and_adjacent_swap_of_a_worked_example_is_caught() {
        let good = VALID[0].as_bytes();
        let mut tried = 0;
        for at in 0..LENGTH {
            for letter in ALPHABET.iter().filter(|letter| **letter != good[at]) {
                let mut bad = good.to_vec();
                bad[at] = *letter;
                assert!(!code(std::str::from_utf8(&bad).unwrap()).mismatches().is_empty());
                tried += 1;
            }
        }
        assert_eq!(tried, 540);
    }

    #[test]
    fn a_code_has_a_category_and_a_registration_region() {
        let sole = code(VALID[3]);
        assert_eq!((sole.category(), sole.registration_region(), sole.is_sole_trader()), ("92", "330381", true));
        assert!(!code(VALID[0]).is_sole_trader());
    }

    #[test]
    fn a_code_that_is_nobodys_is_implausible_although_its_checks_fit() {
        assert!(code("000000000000000000").mismatches().is_empty(), "the checks alone accept it");
        let of = |first_sixteen: &str| Uscc::complete(first_sixteen).unwrap().implausible();
        assert_eq!(of("0000000000000000"), Some(Implausible::Repeated));
        assert_eq!(of("AAAAAAAAAAAAAAAA"), Some(Implausible::Repeated));
        assert_eq!(of("9133030200000000"), Some(Implausible::Zeros));
        for region in ["000000", "990302", "33030A", "330001"] {
            assert_eq!(of(&format!("91{region}MA2AB3C4")), Some(Implausible::Region), "{region}");
        }
        assert_eq!(code("330302198001010019").implausible(), Some(Implausible::ResidentId));
        assert_eq!(code("33030319660704005X").implausible(), Some(Implausible::ResidentId));
        for text in VALID {
            assert_eq!(code(text).implausible(), None, "{text}");
        }
        for text in ["1210000040000001", "91330301MA2AB3C4", "5342900452304123"] {
            assert_eq!(of(text), None, "{text}");
        }
    }

    fn any_code() -> impl Strategy<Value = Uscc> {
        proptest::collection::vec(0..31usize, 16).prop_map(|places| {
            let text: String = places.into_iter().map(|at| char::from(ALPHABET[at])).collect();
            Uscc::complete(&text).unwrap()
        })
    }

    proptest! {
        #[test]
        fn a_code_reads_back_as_itself(code in any_code()) {
            prop_assert_eq!(Uscc::parse(code.as_str()), Ok(code));
            let json = serde_json::to_string(&code).unwrap();
            prop_assert_eq!(serde_json::from_str::<Uscc>(&json).unwrap(), code);
        }

        #[test]
        fn any_substitution_and_any_adjacent_swap_is_caught(code in any_code(), at in 0..LENGTH, to in 0..31usize) {
            let mut bad = code;
            bad.0[at] = ALPHABET[to];
            prop_assert_eq!(bad.mismatches().is_empty(), bad == code);
            let mut swapped = code;
            swapped.0.swap(at.min(16), at.min(16) + 1);
            prop_assert_eq!(swapped.mismatches().is_empty(), swapped == code);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,24}") {
            let _ = Uscc::parse(&text);
        }
    }
}

//! National codes of subjects, and the patterns that the codes of a kind match.
//!
//! Most kinds have national medical-insurance codes (国家医保 15 项编码). These have no check digit, and the six digits after
//! the prefix name the region that issued the code, not the holder's region of today. Kinds without a national code use
//! a prefix and their unified social credit code, or a number that the bureau assigns.

use std::{fmt, ops::RangeInclusive, str::FromStr};

use super::{
    malformed::{Malformed, serde_as_text},
    region::Region,
    uscc::Uscc,
};

/// The longest code: the national fields hold 20 characters.
pub const MAX_CODE_LENGTH: usize = 20;

/// A code of the right shape: upper-case letters, then digits, at most 20 characters. [`Kinds`](super::Kinds) knows the
/// kind it belongs to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NationalCode(String);

impl NationalCode {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The letters at the beginning.
    pub fn prefix(&self) -> &str {
        self.0.trim_end_matches(|letter: char| letter.is_ascii_digit())
    }

    /// The issuing region, if six digits follow the prefix.
    pub fn issuing_region(&self) -> Option<Region> {
        self.0.get(self.prefix().len()..)?.get(..6)?.parse().ok()
    }
}

impl FromStr for NationalCode {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let digits = text.trim_start_matches(|letter: char| letter.is_ascii_uppercase());
        let well_formed = digits.len() < text.len()
            && !digits.is_empty()
            && digits.bytes().all(|byte| byte.is_ascii_digit())
            && text.len() <= MAX_CODE_LENGTH;
        if well_formed {
            Ok(Self(text.to_owned()))
        } else {
            Err(Malformed(format!("{text:?} is not a national code like H33030200090")))
        }
    }
}

impl fmt::Display for NationalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for NationalCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

serde_as_text!(NationalCode);

/// A pattern of codes. `H 6+5` is an H, six digits of the region and five digits of a sequence number; `S 6+4..6` has
/// four to six digits of the sequence number; `DW uscc` is DW and a unified social credit code in capital letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePattern {
    prefix: String,
    rest: Rest,
    text: String,
}

/// The part after the prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Rest {
    /// Digits, with the allowed lengths.
    Digits(RangeInclusive<usize>),
    /// A unified social credit code.
    Uscc,
}

/// Characters of a unified social credit code.
const USCC_LENGTH: usize = 18;

impl CodePattern {
    /// Whether a code matches the pattern.
    pub fn matches(&self, code: &str) -> bool {
        code.strip_prefix(self.prefix.as_str()).is_some_and(|rest| match &self.rest {
            Rest::Digits(lengths) => lengths.contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_digit()),
            // Only the canonical form: parsing accepts small letters, and one subject must not have two codes.
            Rest::Uscc => Uscc::parse(rest).is_ok_and(|uscc| uscc.as_str() == rest),
        })
    }

    /// Whether its codes contain a unified social credit code.
    pub fn contains_uscc(&self) -> bool {
        self.rest == Rest::Uscc
    }

    /// The unified social credit code inside a code of this pattern.
    pub fn uscc_of<'c>(&self, code: &'c str) -> Option<&'c str> {
        if self.contains_uscc() && self.matches(code) { code.strip_prefix(self.prefix.as_str()) } else { None }
    }

    /// The code with a region and a sequence number, or with a unified social credit code; none where the number does not
    /// fit, or the pattern needs the other one. For generated data.
    pub fn code(&self, region: &str, number: usize, uscc: Option<&str>) -> Option<String> {
        let code = match &self.rest {
            Rest::Digits(lengths) => {
                let width = lengths.start().checked_sub(region.len())?;
                format!("{}{region}{number:0width$}", self.prefix)
            }
            Rest::Uscc => format!("{}{}", self.prefix, uscc?),
        };
        self.matches(&code).then_some(code)
    }

    /// Whether some code could match both patterns.
    pub(super) fn overlaps(&self, other: &Self) -> bool {
        let (one, two) = (self.lengths(), other.lengths());
        // A digit never matches a letter of a longer prefix; a unified social credit code may contain letters.
        let prefixes = if self.contains_uscc() || other.contains_uscc() {
            self.prefix.starts_with(&other.prefix) || other.prefix.starts_with(&self.prefix)
        } else {
            self.prefix == other.prefix
        };
        prefixes && one.start() <= two.end() && two.start() <= one.end()
    }

    /// The lengths of its codes.
    fn lengths(&self) -> RangeInclusive<usize> {
        let prefix = self.prefix.len();
        match &self.rest {
            Rest::Digits(lengths) => prefix + lengths.start()..=prefix + lengths.end(),
            Rest::Uscc => prefix + USCC_LENGTH..=prefix + USCC_LENGTH,
        }
    }
}

impl FromStr for CodePattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a code pattern like \"H 6+5\", \"S 6+4..6\" or \"DW uscc\""));
        let (prefix, rest) = text.split_once(' ').ok_or_else(bad)?;
        let rest = if rest == "uscc" {
            Rest::Uscc
        } else {
            let sequence = rest.strip_prefix("6+").ok_or_else(bad)?;
            let (least, most) = sequence.split_once("..").unwrap_or((sequence, sequence));
            let least: usize = least.parse().map_err(|_| bad())?;
            let most: usize = most.parse().map_err(|_| bad())?;
            // Bounded before the addition below, which a huge number would overflow.
            if least == 0 || least > most || most > MAX_CODE_LENGTH {
                return Err(bad());
            }
            Rest::Digits(6 + least..=6 + most)
        };
        let pattern = Self { prefix: prefix.to_owned(), rest, text: text.to_owned() };
        let letters = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
        if letters && *pattern.lengths().end() <= MAX_CODE_LENGTH { Ok(pattern) } else { Err(bad()) }
    }
}

impl fmt::Display for CodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(CodePattern);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_a_prefix_and_an_issuing_region() {
        let code: NationalCode = "HY330302000078".parse().unwrap();
        assert_eq!(code.prefix(), "HY");
        assert_eq!(code.issuing_region().unwrap().as_str(), "330302");
    }

    #[test]
    fn a_malformed_pattern_is_refused() {
        for text in [
            "H",
            "H 5+5",
            "h 6+5",
            " 6+5",
            "H 6+0",
            "H 6+6..4",
            "H 6+x",
            "H 6+14",
            "H 6+99999999999999999999",
            " uscc",
            "ABC uscc",
            "dw uscc",
            "DW USCC",
        ] {
            assert!(text.parse::<CodePattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_uscc_pattern_matches_only_the_prefix_and_a_valid_code() {
        let pattern: CodePattern = "DW uscc".parse().unwrap();
        assert_eq!(pattern.uscc_of("DW91330302MA2AB3C47J"), Some("91330302MA2AB3C47J"));
        for code in ["91330302MA2AB3C47J", "DW91330302ma2ab3c47j", "DW91330302MA2AB3C47", "DWI1330302MA2AB3C47J", "DW"]
        {
            assert!(!pattern.matches(code), "{code}");
        }
    }

    #[test]
    fn patterns_that_share_a_code_overlap() {
        let overlap = |one: &str, two: &str| {
            let (one, two): (CodePattern, CodePattern) = (one.parse().unwrap(), two.parse().unwrap());
            assert_eq!(one.overlaps(&two), two.overlaps(&one));
            one.overlaps(&two)
        };
        assert!(overlap("S 6+4..6", "S 6+5") && overlap("DW uscc", "DW uscc") && overlap("D uscc", "D 6+12"));
        assert!(!overlap("H 6+5", "HY 6+5") && !overlap("D 6+6", "DW uscc") && !overlap("DW uscc", "YQ uscc"));
    }
}

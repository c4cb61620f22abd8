//! National medical-insurance codes (国家医保 15 项编码) and the kinds of subject that carry them.
//!
//! Kinds and their code patterns are data, `config/kinds.toml`: cities differ, and two patterns are not confirmed. The
//! codes have no check digit. The six digits after the prefix name the region that issued the code, not where its
//! holder is today.

use std::{collections::BTreeSet, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    region::Region,
    time::{Malformed, serde_as_text},
};

/// The longest national code: the national fields hold 20 characters.
pub const MAX_CODE_LENGTH: usize = 20;

/// A national code in its outer form: upper-case letters, then digits, at most 20 characters. Which kind it belongs to
/// is for [`Kinds`] to say.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NationalCode(String);

impl NationalCode {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The letters it begins with.
    pub fn prefix(&self) -> &str {
        self.0.trim_end_matches(|letter: char| letter.is_ascii_digit())
    }

    /// The region that issued it, where six digits follow the prefix.
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

/// What a code of a kind looks like: `H 6+5` is an H, six digits of the region, five of the sequence; `S 6+4..6` has
/// four to six of the sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodePattern {
    prefix: String,
    shortest: usize,
    longest: usize,
    text: String,
}

impl CodePattern {
    /// Whether a code looks like this.
    pub fn matches(&self, code: &str) -> bool {
        code.strip_prefix(self.prefix.as_str()).is_some_and(|digits| {
            (self.shortest..=self.longest).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        })
    }

    /// Whether some code looks like both.
    fn overlaps(&self, other: &Self) -> bool {
        self.prefix == other.prefix && self.shortest <= other.longest && other.shortest <= self.longest
    }
}

impl FromStr for CodePattern {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let bad = || Malformed(format!("{text:?} is not a code pattern like \"H 6+5\" or \"S 6+4..6\""));
        let (prefix, digits) = text.split_once(' ').ok_or_else(bad)?;
        let sequence = digits.strip_prefix("6+").ok_or_else(bad)?;
        let (least, most) = sequence.split_once("..").unwrap_or((sequence, sequence));
        let least: usize = least.parse().map_err(|_| bad())?;
        let most: usize = most.parse().map_err(|_| bad())?;
        let letters = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
        if !letters || least == 0 || least > most || most > MAX_CODE_LENGTH || prefix.len() + 6 + most > MAX_CODE_LENGTH
        {
            return Err(bad());
        }
        Ok(Self { prefix: prefix.to_owned(), shortest: 6 + least, longest: 6 + most, text: text.to_owned() })
    }
}

impl fmt::Display for CodePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

serde_as_text!(CodePattern);

/// Whether a kind's subjects are legal or natural persons. Natural ones are personal information throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Person {
    /// 法人或其他组织.
    Legal,
    /// 自然人.
    Natural,
}

/// A kind of subject, as its table in `config/kinds.toml` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// The stable word: `medical_institution`.
    pub id: String,
    /// 名称.
    pub name: String,
    /// Legal or natural.
    pub person: Person,
    /// What its national codes look like; without one it cannot be imported.
    pub codes: Vec<CodePattern>,
    /// CRED_OBJ_TYPE, where known.
    pub object_type: Option<u8>,
    /// Whether a bank may ask for its data with consent.
    pub lendable: bool,
    /// Whether its grade may be published.
    pub publishable: bool,
}

/// Why a code does not fit the kind it is said to be of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// No such kind is configured.
    #[error("{0:?} is not a kind of subject")]
    Unknown(String),
    /// The kind has no code pattern.
    #[error("kind {0} has no national code pattern, so none of its subjects can be named yet")]
    Nameless(String),
    /// The code looks like none of the kind's patterns.
    #[error("a code of kind {kind} looks like {patterns}")]
    Pattern {
        /// The kind.
        kind: String,
        /// Its patterns.
        patterns: String,
    },
}

/// Every kind of subject, in the order of its file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kinds {
    #[serde(rename = "kind")]
    kinds: Vec<Kind>,
}

impl Kinds {
    /// Reads `config/kinds.toml`; refuses a kind named twice and patterns that two kinds share.
    pub fn from_toml(text: &str) -> Result<Self, Malformed> {
        let all: Self = toml::from_str(text).map_err(|error| Malformed(format!("kinds: {error}")))?;
        let mut ids = BTreeSet::new();
        let mut patterns: Vec<(&CodePattern, &str)> = Vec::new();
        for kind in &all.kinds {
            if !ids.insert(kind.id.as_str()) {
                return Err(Malformed(format!("kinds: {} is listed twice", kind.id)));
            }
            for pattern in &kind.codes {
                if let Some((other, id)) = patterns.iter().find(|(other, _)| other.overlaps(pattern)) {
                    return Err(Malformed(format!(
                        "kinds: pattern {pattern:?} of {} shares codes with {other:?} of {id}",
                        kind.id
                    )));
                }
                patterns.push((pattern, &kind.id));
            }
        }
        Ok(all)
    }

    /// The kinds compiled in.
    pub fn built_in() -> Result<Self, Malformed> {
        Self::from_toml(include_str!("../../config/kinds.toml"))
    }

    /// Every kind.
    pub fn iter(&self) -> impl Iterator<Item = &Kind> {
        self.kinds.iter()
    }

    /// The kind of a name.
    pub fn find(&self, id: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.id == id)
    }

    /// The kind whose pattern a code fits.
    pub fn of_code(&self, code: &str) -> Option<&Kind> {
        self.kinds.iter().find(|kind| kind.codes.iter().any(|pattern| pattern.matches(code)))
    }

    /// The kind of a name, if a code fits it.
    pub fn check(&self, id: &str, code: &str) -> Result<&Kind, KindError> {
        let kind = self.find(id).ok_or_else(|| KindError::Unknown(id.to_owned()))?;
        if kind.codes.is_empty() {
            return Err(KindError::Nameless(id.to_owned()));
        }
        if kind.codes.iter().any(|pattern| pattern.matches(code)) {
            return Ok(kind);
        }
        let patterns: Vec<_> = kind.codes.iter().map(CodePattern::to_string).collect();
        Err(KindError::Pattern { kind: id.to_owned(), patterns: patterns.join(" or ") })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_built_in_kinds_are_nine_and_carry_the_national_object_types() {
        let kinds = Kinds::built_in().unwrap();
        assert_eq!(kinds.iter().count(), 9);
        let types: Vec<_> = kinds.iter().filter_map(|kind| kind.object_type).collect();
        assert_eq!(types, [1, 2, 7, 8, 13]);
        for kind in kinds.iter().filter(|kind| kind.person == Person::Natural) {
            assert!(!kind.publishable, "{} is natural", kind.id);
        }
    }

    #[test]
    fn each_example_code_belongs_to_its_kind() {
        let kinds = Kinds::built_in().unwrap();
        for (code, kind) in [
            ("H33030200090", "medical_institution"),
            ("H33030000001", "medical_institution"),
            ("P33030200017", "pharmacy"),
            ("P33038101234", "pharmacy"),
            ("D330302000123", "doctor"),
            ("N330302000456", "nurse"),
            ("HY330302000078", "pharmacist"),
            ("S35000010001", "agency"),
        ] {
            assert_eq!(kinds.of_code(code).map(|kind| kind.id.as_str()), Some(kind));
            assert!(kinds.check(kind, code).is_ok());
            assert_eq!(code.parse::<NationalCode>().unwrap().as_str(), code);
        }
    }

    #[test]
    fn a_code_of_another_kind_an_unknown_kind_and_a_kind_without_pattern_are_told_apart() {
        let kinds = Kinds::built_in().unwrap();
        let error = kinds.check("pharmacy", "H33030200090").unwrap_err();
        assert_eq!(error.to_string(), "a code of kind pharmacy looks like P 6+5");
        assert!(matches!(kinds.check("hospital", "H33030200090"), Err(KindError::Unknown(_))));
        assert!(matches!(kinds.check("employer", "H33030200090"), Err(KindError::Nameless(_))));
        for code in ["H3303020009", "H330302000900", "h33030200090", "H3303020009X", "33030200090", ""] {
            assert!(kinds.of_code(code).is_none(), "{code}");
        }
    }

    #[test]
    fn the_parts_of_a_code_are_told() {
        let code: NationalCode = "HY330302000078".parse().unwrap();
        assert_eq!(code.prefix(), "HY");
        assert_eq!(code.issuing_region().unwrap().as_str(), "330302");
    }

    #[test]
    fn kinds_that_cannot_be_told_apart_are_refused() {
        let kind = |id: &str, code: &str| {
            format!(
                "[[kind]]\nid = \"{id}\"\nname = \"n\"\nperson = \"legal\"\ncodes = [\"{code}\"]\nlendable = false\npublishable = false\n"
            )
        };
        assert!(Kinds::from_toml(&(kind("a", "H 6+5") + &kind("b", "HY 6+5"))).is_ok());
        assert!(Kinds::from_toml(&(kind("a", "H 6+5") + &kind("a", "P 6+5"))).is_err());
        let shared = Kinds::from_toml(&(kind("a", "S 6+4..6") + &kind("b", "S 6+5"))).unwrap_err();
        assert!(shared.to_string().contains("shares codes"));
    }

    #[test]
    fn a_pattern_that_says_nothing_clear_is_refused() {
        for text in ["H", "H 5+5", "h 6+5", " 6+5", "H 6+0", "H 6+6..4", "H 6+x", "H 6+14", "H 6+99999999999999999999"]
        {
            assert!(text.parse::<CodePattern>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_code_made_by_a_pattern_matches_it_and_reads_back(region in 0..=999_999u32, sequence in 0..=99_999u32) {
            let text = format!("H{region:06}{sequence:05}");
            let kinds = Kinds::built_in().unwrap();
            prop_assert!(kinds.check("medical_institution", &text).is_ok());
            let code: NationalCode = text.parse().unwrap();
            prop_assert_eq!(code.issuing_region().unwrap().to_string(), format!("{region:06}"));
            prop_assert_eq!(code.to_string(), text);
        }

        #[test]
        fn any_text_is_read_or_refused_without_panic(text in "\\PC{0,24}") {
            let _ = text.parse::<NationalCode>();
            let _ = text.parse::<CodePattern>();
        }
    }
}

//! The catalogue of words: every text that people read, in Chinese and in English.
//!
//! Pure, and below every other room, so that each room that produces text can use it. A text is a function of its language
//! and of the values in it. Both languages stand side by side in one line, so a text cannot lack one of them, and a
//! placeholder without a value does not compile. A test finds texts that nothing uses.
//!
//! What a program reads (JSON keys, codes, log messages, error codes) is not translated. Names that cities give (of grades,
//! indicators, measures) come from their files.

mod number;
pub mod report;
pub mod score;
pub mod web;

use std::{fmt, str::FromStr};

pub use number::number;

/// A language of the texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lang {
    /// English, with ids and codes as they are in the files.
    #[default]
    En,
    /// Simplified Chinese, with the names that the files give.
    Zh,
}

impl Lang {
    /// Every language.
    pub const ALL: [Self; 2] = [Self::En, Self::Zh];

    /// The word that selects it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh",
        }
    }

    /// The value of an HTML `lang` attribute.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Zh => "zh-CN",
        }
    }
}

impl fmt::Display for Lang {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A text that names no language.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a language of the texts: use zh or en")]
pub struct UnknownLanguage(String);

impl FromStr for Lang {
    type Err = UnknownLanguage;

    fn from_str(text: &str) -> Result<Self, UnknownLanguage> {
        match text {
            "zh" | "zh-CN" => Ok(Self::Zh),
            "en" => Ok(Self::En),
            _ => Err(UnknownLanguage(text.to_owned())),
        }
    }
}

/// Defines texts: a name, the values where it has any, the English and the Chinese text. A text without values is a
/// `&'static str`, any other a `String`.
macro_rules! texts {
    () => {};
    ($name:ident: $en:literal, $zh:literal; $($rest:tt)*) => {
        /// The text in a language.
        pub const fn $name(lang: $crate::i18n::Lang) -> &'static str {
            match lang {
                $crate::i18n::Lang::En => $en,
                $crate::i18n::Lang::Zh => $zh,
            }
        }
        texts! { $($rest)* }
    };
    ($name:ident($($value:ident),+): $en:literal, $zh:literal; $($rest:tt)*) => {
        /// The text in a language.
        pub fn $name(lang: $crate::i18n::Lang, $($value: impl ::std::fmt::Display),+) -> String {
            match lang {
                $crate::i18n::Lang::En => format!($en),
                $crate::i18n::Lang::Zh => format!($zh),
            }
        }
        texts! { $($rest)* }
    };
}
use texts;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_language_is_read_by_its_word() {
        for lang in Lang::ALL {
            assert_eq!(lang.as_str().parse(), Ok(lang));
        }
        assert_eq!("zh-CN".parse(), Ok(Lang::Zh));
        assert!("fr".parse::<Lang>().unwrap_err().to_string().contains("zh or en"));
    }
}

//! The origin of a part of a model: an authority's publication, or a choice of this project.

use std::fmt;

use crate::{
    domain::words::words,
    i18n::Lang,
    scoring::faults::{Faults, Step},
};

words! {
    /// The basis of a part: published, or chosen by this project.
    Basis: "basis" {
        /// An authority published it: `source` names the publication.
        Published = "published",
        /// A choice of this project: `reason` explains it.
        Default = "default",
    }
}

/// The origin of a part of a file: the keys `basis`, `source`, `reason` and `reason_zh`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    basis: Basis,
    source: Option<&'a str>,
    reason: Option<&'a str>,
    reason_zh: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// The origin that three keys give.
    pub(in crate::scoring) fn of(basis: Basis, source: Option<&'a String>, reason: Option<&'a String>) -> Self {
        Self { basis, source: source.map(String::as_str), reason: reason.map(String::as_str), reason_zh: None }
    }

    /// The same, with the reason in Chinese.
    pub(in crate::scoring) fn with_reason_zh(self, reason: Option<&'a String>) -> Self {
        Self { reason_zh: reason.map(String::as_str), ..self }
    }

    /// The basis.
    pub const fn basis(self) -> Basis {
        self.basis
    }

    /// The publication, or the reason.
    pub fn words(self) -> &'a str {
        self.source.or(self.reason).unwrap_or_default()
    }

    /// The publication, or the reason in a language; in English where it has not been given in Chinese.
    pub fn words_in(self, lang: Lang) -> &'a str {
        match (lang, self.source, self.reason_zh) {
            (Lang::Zh, None, Some(reason)) => reason,
            _ => self.words(),
        }
    }

    /// Adds a fault unless a published part has a source, and a chosen one a reason.
    pub(in crate::scoring) fn check(self, path: &[Step], what: &str, faults: &mut Faults<'_>) {
        let given = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        match self.basis {
            Basis::Published => {
                faults
                    .require(given(self.source), path, || format!("{what} has basis = \"published\": name the source"));
            }
            Basis::Default => {
                faults.require(given(self.reason), path, || format!("{what} has basis = \"default\": give the reason"));
            }
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.basis.as_str(), self.words())
    }
}

/// Defines parts of a model file, with the keys `basis`, `source`, `reason` and `reason_zh` where the first three words
/// are listed: runs store and digest the fields in their order.
///
/// A flattened serde type would accept unknown keys, and would lose the line of a wrong key or value.
macro_rules! sourced {
    ($($(#[$meta:meta])* pub struct $name:ident {
        $($(#[$before_meta:meta])* pub $before:ident: $before_type:ty,)*
        basis, source, reason,
        $($(#[$after_meta:meta])* pub $after:ident: $after_type:ty,)*
    })+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $($(#[$before_meta])* pub $before: $before_type,)*
            /// Whether it was published.
            pub basis: $crate::scoring::Basis,
            /// The publication, where `basis` is `published`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub source: Option<String>,
            /// The reason, where `basis` is `default`.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<String>,
            /// The same reason in Chinese, for the page that is signed.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason_zh: Option<String>,
            $($(#[$after_meta])* pub $after: $after_type,)*
        }

        impl $name {
            /// The origin.
            pub fn origin(&self) -> $crate::scoring::Origin<'_> {
                $crate::scoring::Origin::of(self.basis, self.source.as_ref(), self.reason.as_ref())
                    .with_reason_zh(self.reason_zh.as_ref())
            }
        }
    )+};
}
pub(super) use sourced;

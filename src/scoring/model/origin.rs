//! Where a part of a model comes from: an authority's publication, or our own choice.

use std::fmt;

use crate::{
    domain::words::words,
    scoring::source::{Faults, Step},
};

words! {
    /// Whether something was published by an authority or chosen by us.
    Basis: "basis" {
        /// Published: `source` says where.
        Published = "published",
        /// Ours: `reason` says why.
        Default = "default",
    }
}

/// What a part of a file says of where it comes from: the keys `basis`, `source` and `reason`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin<'a> {
    basis: Basis,
    source: Option<&'a str>,
    reason: Option<&'a str>,
}

impl<'a> Origin<'a> {
    /// What three keys say.
    pub(in crate::scoring) fn of(basis: Basis, source: Option<&'a String>, reason: Option<&'a String>) -> Self {
        Self { basis, source: source.map(String::as_str), reason: reason.map(String::as_str) }
    }

    /// Whether it was published.
    pub const fn basis(self) -> Basis {
        self.basis
    }

    /// The publication, or else the reason.
    pub fn words(self) -> &'a str {
        self.source.or(self.reason).unwrap_or_default()
    }

    /// Notes a fault unless what is published has its source, and what is our own its reason.
    pub(in crate::scoring) fn check(self, path: &[Step], what: &str, faults: &mut Faults<'_>) {
        let given = |text: Option<&str>| text.is_some_and(|text| !text.trim().is_empty());
        match self.basis {
            Basis::Published => {
                faults.require(given(self.source), path, || format!("{what} is said to be published: name the source"));
            }
            Basis::Default => {
                faults.require(given(self.reason), path, || format!("{what} is our own choice: give the reason"));
            }
        }
    }
}

impl fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.basis.as_str(), self.words())
    }
}

/// Parts of a model's file, with the keys `basis`, `source` and `reason` in the place where these words stand alone: runs
/// keep and digest the fields in their order.
///
/// Not one type that serde flattens into each: beside it unknown keys would pass, and a wrong key or value would no longer
/// be refused with its line.
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
            /// Where it comes from.
            pub basis: $crate::scoring::Basis,
            /// The publication, where `basis` is published.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub source: Option<String>,
            /// Why, where `basis` is default.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub reason: Option<String>,
            $($(#[$after_meta])* pub $after: $after_type,)*
        }

        impl $name {
            /// Where it comes from.
            pub fn origin(&self) -> $crate::scoring::Origin<'_> {
                $crate::scoring::Origin::of(self.basis, self.source.as_ref(), self.reason.as_ref())
            }
        }
    )+};
}
pub(super) use sourced;

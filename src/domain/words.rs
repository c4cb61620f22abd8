//! Closed lists of words: enums whose variants have a stable text in tables, files, requests and answers.

/// Declares an enum with one stable text per variant, and its `ALL`, `as_str`, `Display`, `FromStr`, serde and OpenAPI
/// schema. The string after the name is what an error calls one word of the list.
#[macro_export]
macro_rules! words {
    (
        $(#[doc = $doc:literal])*
        $name:ident: $what:literal { $($(#[$word_doc:meta])* $variant:ident = $text:literal),+ $(,)? }
    ) => {
        $(#[doc = $doc])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, ::serde::Serialize, ::serde::Deserialize,
        )]
        pub enum $name { $($(#[$word_doc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every word, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable text.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl ::utoipa::ToSchema for $name {}

        // Not derived: the derived schema would list the variants' names instead of their texts.
        impl ::utoipa::PartialSchema for $name {
            fn schema() -> ::utoipa::openapi::RefOr<::utoipa::openapi::Schema> {
                ::utoipa::openapi::ObjectBuilder::new()
                    .schema_type(::utoipa::openapi::Type::String)
                    .description(::std::option::Option::Some(concat!($($doc, "\n"),*).trim()))
                    .enum_values(::std::option::Option::Some([$($text),+]))
                    .into()
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl ::std::str::FromStr for $name {
            type Err = $crate::domain::Malformed;

            fn from_str(text: &str) -> ::std::result::Result<Self, Self::Err> {
                match text {
                    $($text => ::std::result::Result::Ok(Self::$variant),)+
                    _ => ::std::result::Result::Err($crate::domain::words::unknown(text, $what, &[$($text),+])),
                }
            }
        }
    };
}
pub use words;

/// The error of a text that is none of a list's words.
pub fn unknown(text: &str, what: &str, words: &[&str]) -> super::Malformed {
    super::Malformed(format!("{text:?} is not a valid {what}: use {}", words.join(", ")))
}

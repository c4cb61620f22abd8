//! The texts of pages: methods of one value, so that templates call them: `{{ t.banks_title() }}`.

mod accounts;
mod approvals;
mod banks;
mod consents;
mod frame;
mod overview;
mod security;
mod states;
mod subjects;
mod work;

use super::Lang;

/// The texts of pages in a language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Texts(pub Lang);

/// Defines texts as [`Texts`]'s methods: a name, the values where it has any, the English and the Chinese text.
macro_rules! page_texts {
    (@one $name:ident $en:literal $zh:literal) => {
        /// The text in a language.
        pub const fn $name(self) -> &'static str {
            match self.0 {
                $crate::i18n::Lang::En => $en,
                $crate::i18n::Lang::Zh => $zh,
            }
        }
    };
    (@one $name:ident ($($value:ident),+) $en:literal $zh:literal) => {
        /// The text in a language.
        pub fn $name(self, $($value: impl ::std::fmt::Display),+) -> String {
            match self.0 {
                $crate::i18n::Lang::En => format!($en),
                $crate::i18n::Lang::Zh => format!($zh),
            }
        }
    };
    ($($name:ident $(($($value:ident),+))?: $en:literal, $zh:literal;)+) => {
        impl $crate::i18n::web::Texts {
            $(page_texts! { @one $name $(($($value),+))? $en $zh })+
        }
    };
}
use page_texts;

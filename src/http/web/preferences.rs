//! How a person reads pages: language, colours and size of type, remembered by the browser.

use axum::extract::FromRequestParts;
use http::{HeaderMap, HeaderValue, header, request::Parts};

use super::cookies::{self, Lifetime};
use crate::i18n::Lang;

const COOKIE: &str = "view";
/// A year.
const LIFETIME: Lifetime = Lifetime::Seconds(365 * 24 * 3600);

/// The colours of pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the person's system is set.
    #[default]
    System,
    Light,
    Dark,
}

impl Theme {
    /// The stable word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }

    /// The theme of a word.
    pub fn of(word: &str) -> Option<Self> {
        [Self::System, Self::Light, Self::Dark].into_iter().find(|theme| theme.as_str() == word)
    }
}

/// How a person reads pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    pub lang: Lang,
    pub theme: Theme,
    /// Large type, for people who see less well (适老化).
    pub large: bool,
}

impl Preferences {
    /// Those of a request: as chosen before, or in the browser's language.
    pub fn of(headers: &HeaderMap) -> Self {
        let mut chosen = Self { lang: accepted(headers), theme: Theme::default(), large: false };
        for word in cookies::value(headers, COOKIE).unwrap_or_default().split('.') {
            match word {
                "large" => chosen.large = true,
                word => match (word.parse(), Theme::of(word)) {
                    (Ok(lang), _) => chosen.lang = lang,
                    (_, Some(theme)) => chosen.theme = theme,
                    // Another version's word.
                    _ => {}
                },
            }
        }
        chosen
    }

    /// The header that remembers them.
    pub fn cookie(self) -> Option<HeaderValue> {
        let large = if self.large { ".large" } else { "" };
        cookies::set(COOKIE, &format!("{}.{}{large}", self.lang, self.theme.as_str()), LIFETIME)
    }
}

/// The browser's language: Chinese unless it prefers English.
fn accepted(headers: &HeaderMap) -> Lang {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut tags = accepted.split(',').map(|tag| tag.trim().to_ascii_lowercase());
    match tags.find(|tag| tag.starts_with("zh") || tag.starts_with("en")) {
        Some(tag) if tag.starts_with("en") => Lang::En,
        _ => Lang::Zh,
    }
}

impl<S: Sync> FromRequestParts<S> for Preferences {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(name: http::HeaderName, value: &'static str) -> Preferences {
        Preferences::of(&[(name, HeaderValue::from_static(value))].into_iter().collect())
    }

    #[test]
    fn a_choice_is_remembered_and_else_the_browser_decides() {
        let chosen = Preferences { lang: Lang::En, theme: Theme::Dark, large: true };
        assert_eq!(of(header::COOKIE, "__Host-medcredit-view=en.dark.large"), chosen);
        assert!(chosen.cookie().unwrap().to_str().unwrap().starts_with("__Host-medcredit-view=en.dark.large;"));
        assert_eq!(of(header::ACCEPT_LANGUAGE, "en-GB,en;q=0.9,zh;q=0.8").lang, Lang::En);
        assert_eq!(of(header::ACCEPT_LANGUAGE, "fr, zh-CN").lang, Lang::Zh);
        assert_eq!(of(header::ACCEPT_LANGUAGE, "fr").lang, Lang::Zh);
    }
}

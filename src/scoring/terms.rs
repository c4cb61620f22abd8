//! The language of a text about a model, and the names that it uses for measures, signals and grades.

use super::{
    catalogue::Catalogue,
    model::{ModelFile, PeerGroup},
    number::{Fraction, Points},
};
use crate::{
    domain::money::MilliPoints,
    i18n::{Lang, number, score as text},
};

/// The language of a text, and the names in it: in English the ids and codes of the files, in Chinese the names that the
/// files give. Without a file that has the name, the id stands for it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Terms<'a> {
    lang: Lang,
    model: Option<&'a ModelFile>,
    catalogue: Option<&'a Catalogue>,
}

impl<'a> Terms<'a> {
    /// English, with ids and codes.
    pub const ENGLISH: Self = Self { lang: Lang::En, model: None, catalogue: None };

    /// A language, with the names of a model's signals and grades.
    pub const fn of(lang: Lang, model: &'a ModelFile) -> Self {
        Self { lang, model: Some(model), catalogue: None }
    }

    /// The same, with the names of a catalogue's measures.
    #[must_use]
    pub const fn with_measures(self, catalogue: &'a Catalogue) -> Self {
        Self { catalogue: Some(catalogue), ..self }
    }

    /// The language.
    pub const fn lang(self) -> Lang {
        self.lang
    }

    /// Chooses between an id and a name by the language.
    fn named<'b>(self, id: &'b str, name: Option<&'b str>) -> &'b str {
        match self.lang {
            Lang::En => id,
            Lang::Zh => name.filter(|name| !name.is_empty()).unwrap_or(id),
        }
    }

    /// A measure.
    pub fn measure<'b>(self, id: &'b str) -> &'b str
    where
        'a: 'b,
    {
        let found = self.catalogue.and_then(|catalogue| catalogue.measures().iter().find(|measure| measure.id == id));
        self.named(id, found.map(|measure| measure.name_zh.as_str()))
    }

    /// A signal.
    pub fn signal<'b>(self, id: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.named(id, self.model.and_then(|model| model.signal(id)).map(|signal| signal.name_zh.as_str()))
    }

    /// A grade.
    pub fn grade<'b>(self, code: &'b str) -> &'b str
    where
        'a: 'b,
    {
        self.named(code, self.model.and_then(|model| model.scheme.grade(code)).map(|grade| grade.name_zh.as_str()))
    }

    /// A group of peers.
    pub(super) const fn peers(self, among: PeerGroup) -> &'static str {
        match among {
            PeerGroup::Kind => text::peers_of_kind(self.lang),
            PeerGroup::Level => text::peers_of_level(self.lang),
            PeerGroup::Region => text::peers_of_region(self.lang),
        }
    }
}

/// A grade with its code and its word, in any language.
pub(super) fn grade_with_word(model: &ModelFile, code: &str, lang: Lang) -> String {
    match (lang, model.scheme.grade(code)) {
        (Lang::Zh, Some(grade)) if !grade.name_zh.is_empty() => grade.name_zh.clone(),
        (_, Some(grade)) => format!("{code} {}", grade.name_zh).trim_end().to_owned(),
        (_, None) => code.to_owned(),
    }
}

/// Points as people write them.
pub(super) fn points(of: MilliPoints) -> String {
    number(Points(of.0))
}

/// A value with at most four decimals, from its exact form and its truncated decimals; `…` where digits follow.
pub fn value(exact: &str, shown: &str) -> String {
    // In lowest terms, so it has at most four decimals exactly if its denominator divides ten thousand.
    let denominator = exact.split_once('/').map_or(Some(1), |(_, denominator)| denominator.parse::<u128>().ok());
    let ends = denominator.is_some_and(|denominator| denominator > 0 && 10_000 % denominator == 0);
    format!("{}{}", number(shown), if ends { "" } else { "…" })
}

/// A value as people write it.
pub(super) fn shown_value(of: Fraction) -> String {
    value(&of.to_string(), &of.to_decimal_text())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_decimals_and_show_where_digits_are_left_out() {
        assert_eq!(value("25/2", "12.5"), "12.5");
        assert_eq!(value("1234", "1234"), "1,234");
        assert_eq!(value("2/3", "0.6666"), "0.6666…");
        assert_eq!(points(MilliPoints(1_234_500)), "1,234.5");
    }
}

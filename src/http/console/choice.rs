//! The choices of a select element.

use crate::i18n::web::Texts;

/// One choice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    pub word: &'static str,
    pub text: &'static str,
    pub chosen: bool,
}

/// Choices of words, behind the one for all.
pub fn choices(t: Texts, chosen: &str, words: impl IntoIterator<Item = (&'static str, &'static str)>) -> Vec<Choice> {
    let all = Choice { word: "", text: t.all(), chosen: chosen.is_empty() };
    let others = words.into_iter().map(|(word, text)| Choice { word, text, chosen: word == chosen });
    [all].into_iter().chain(others).collect()
}

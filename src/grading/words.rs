//! Words for the codes of runs and results, in both languages.

use super::{AssessmentSummary, RunState};
use crate::{
    domain::grade::NotRatedReason,
    i18n::{Lang, number, score as text},
    scoring::{Scheme, not_rated_in_words},
};

/// A half-year.
pub(super) fn period_in_words(period: &str, lang: Lang) -> String {
    match period.split_once("-H") {
        Some((year, "1")) => text::first_half(lang, year),
        Some((year, _)) => text::second_half(lang, year),
        None => period.to_owned(),
    }
}

/// The state of a run.
pub(super) fn state_in_words(state: &str, lang: Lang) -> &str {
    match state.parse() {
        Ok(RunState::Trial) => text::state_trial(lang),
        Ok(RunState::Preassessment) => text::state_preassessment(lang),
        Ok(RunState::Published) => text::state_published(lang),
        Ok(RunState::Superseded) => text::state_superseded(lang),
        Ok(RunState::Discarded) => text::state_discarded(lang),
        Err(_) => state,
    }
}

/// The reason of not being rated.
pub(super) fn reason_in_words(reason: &str, lang: Lang) -> &str {
    reason.parse::<NotRatedReason>().map_or(reason, |reason| not_rated_in_words(reason, lang))
}

/// A grade: its code in English, its word in Chinese.
pub(super) fn grade_in_words<'a>(scheme: &'a Scheme, code: &'a str, lang: Lang) -> &'a str {
    match (lang, scheme.grade(code)) {
        (Lang::Zh, Some(grade)) if !grade.name_zh.is_empty() => &grade.name_zh,
        _ => code,
    }
}

/// A result: grade and points, or the reason of not being rated.
pub(super) fn result_in_words(scheme: &Scheme, result: &AssessmentSummary, lang: Lang) -> String {
    match (&result.grade, result.points, &result.reason) {
        (Some(grade), Some(points), _) => {
            text::result_points(lang, grade_in_words(scheme, grade, lang), number(points))
        }
        (Some(grade), None, _) => grade_in_words(scheme, grade, lang).to_owned(),
        (None, _, Some(reason)) => text::not_rated_because(lang, reason_in_words(reason, lang)),
        (None, _, None) => text::not_rated(lang).to_owned(),
    }
}

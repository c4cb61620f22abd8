//! A problem as a page.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::header;

use super::frame::Frame;
use crate::{
    domain::FailureKind,
    http::{
        problem::Problem,
        web::{
            page::{self, Page},
            preferences::Preferences,
        },
    },
    i18n::web::Texts,
};

/// The page of a problem.
#[derive(Debug, Template)]
#[template(path = "console/error.html")]
pub struct ErrorPage {
    frame: Frame,
    t: Texts,
    title: &'static str,
    text: &'static str,
    /// What is wrong in this case, in English, for codes of rooms.
    detail: Option<String>,
    code: &'static str,
    id: Option<String>,
}

impl ErrorPage {
    fn of(problem: &Problem, preferences: Preferences, id: Option<&str>) -> Self {
        let (t, failure) = (Texts(preferences.lang), problem.failure());
        let (title, text, has_detail) = match (&failure.kind, failure.code) {
            (_, "form_origin_refused" | "form_token_refused") => (t.error_origin(), t.error_origin_text(), false),
            (FailureKind::NotFound, _) | (_, "route_not_found") => {
                (t.error_not_found(), t.error_not_found_text(), false)
            }
            (FailureKind::Forbidden | FailureKind::Unauthenticated, _) => {
                (t.error_forbidden(), t.error_forbidden_text(), false)
            }
            (FailureKind::Conflict | FailureKind::Unprocessable, _) => (t.error_conflict(), "", true),
            (FailureKind::Limited { .. } | FailureKind::Spent { .. }, _) => {
                (t.error_limited(), t.error_limited_text(), false)
            }
            (FailureKind::Unavailable { .. }, _) => (t.error_unavailable(), t.error_unavailable_text(), false),
            (FailureKind::Internal, "internal") => (t.error_internal(), t.error_internal_text(), false),
            // Also what HTTP itself refuses, such as a method.
            (FailureKind::Invalid { .. } | FailureKind::Internal, _) => (t.error_invalid(), "", true),
        };
        Self {
            frame: Frame::anonymous(preferences, "/"),
            t,
            title,
            text,
            detail: has_detail.then(|| failure.public.clone()),
            code: failure.code,
            id: id.map(str::to_owned),
        }
    }
}

impl Page for ErrorPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let conflict = crate::domain::Failure::new(FailureKind::Conflict, "client_state_conflict", "It is suspended.");
        [Problem::route_not_found(), Problem::from(conflict)]
            .iter()
            .map(|problem| Self::of(problem, preferences, Some("00000000-0000-4000-8000-000000000000")))
            .collect()
    }
}

/// Renders a problem as a page, with the status and header fields of its response.
pub(super) fn render(problem: &Problem, preferences: Preferences, id: Option<&str>, replaced: &Response) -> Response {
    match page::render(&ErrorPage::of(problem, preferences, id), preferences.lang) {
        Err(unrendered) => unrendered.render(id),
        Ok(rendered) => {
            let mut response = rendered.into_response();
            *response.status_mut() = replaced.status();
            for (name, value) in replaced.headers() {
                if *name != header::CONTENT_TYPE && *name != header::CONTENT_LENGTH {
                    response.headers_mut().append(name.clone(), value.clone());
                }
            }
            response
        }
    }
}

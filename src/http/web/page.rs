//! Pages as responses.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::preferences::Preferences;
use crate::{domain::Failure, http::problem::Problem, i18n::Lang};

/// A page: a typed template with examples of itself, which a test renders in every language.
pub trait Page: Template + Sized {
    /// Examples: one for each form that the page can have.
    fn samples(preferences: Preferences) -> Vec<Self>;
}

/// Renders a page.
pub fn render(page: &impl Template, lang: Lang) -> Result<Response, Problem> {
    let text = page.render().map_err(|error| Failure::internal(format!("a page does not render: {error}")))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (header::CONTENT_LANGUAGE, HeaderValue::from_static(lang.tag())),
        // Personal, or about somebody's business: no cache keeps it.
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, text).into_response())
}

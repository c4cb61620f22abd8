//! Typed input of handlers: query strings and bodies, with a problem document that names the place of an error.

use std::sync::Arc;

use axum::extract::{FromRequest, FromRequestParts, Request};
use bytes::Bytes;
use http::{HeaderMap, Uri, header, request::Parts};
use serde::de::DeserializeOwned;

use super::{problem::Problem, request_body};
use crate::{app::App, domain::Failure};

/// A query string. An unknown or repeated parameter is an error that names it.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// Reads the query string of a request's target.
    pub fn of(uri: &Uri) -> Result<Self, Failure> {
        axum::extract::Query::<T>::try_from_uri(uri).map(|query| Self(query.0)).map_err(|rejection| {
            // Axum's prefix is cut: the sentence below has its own.
            let mut text = rejection.body_text();
            if let Some(at) = text.rfind("query string: ") {
                text.drain(..at + "query string: ".len());
            }
            Failure::invalid("query", "invalid_request", format!("The query string: {text}."))
        })
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        Self::of(&parts.uri).map_err(Problem::from)
    }
}

/// A JSON body. Its media type, size and shape are checked.
#[derive(Debug, Clone)]
pub struct Json<T> {
    pub value: T,
    /// Held as long as the value, which has about the same size, so that it counts in the budget of bytes.
    _body: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let (mut parts, body) = request.into_parts();
        let body = request_body::read(&mut parts, body, app).await?;
        Ok(Self { value: from_json(&body)?, _body: body })
    }
}

/// Refuses a request whose `Content-Type` is not JSON.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    // A value that is not text is no media type either, and is refused below.
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::unsupported_media_type("Send a JSON body with `Content-Type: application/json`."));
    }
    Ok(())
}

/// Deserializes JSON. An error names the line and column.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let position = format!("line {}, column {}", error.line(), error.column());
        Failure::invalid(position, "invalid_request", format!("The body: {error}.")).into()
    })
}

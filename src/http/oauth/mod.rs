//! The OAuth endpoints: token, revocation, introspection, and the metadata by which clients find them.
//!
//! Errors of these endpoints have RFC 6749's form. In everything else they are like other endpoints.

pub mod authorization_server;
pub mod introspect;
pub mod jwks;
pub mod protected_resource;
pub mod revoke;
pub mod token;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, header, request::Parts};
use serde::Deserialize;
use serde_json::Value;

use super::{
    authentication::Connected,
    operations::{operations, plain},
    problem::{OauthProblem, Problem},
    request_body,
};
use crate::{
    app::App,
    domain::{Failure, FailureKind, permission::Scope},
};

operations! {
    token => plain;
    revoke => plain;
    introspect => plain;
    authorization_server => plain;
    protected_resource => plain;
    jwks => plain;
}

/// A connected client, whose refusal has RFC 6749's form. Before the form in each handler: no form of a stranger is read.
#[derive(Debug)]
pub struct Client(Connected);

impl FromRequestParts<Arc<App>> for Client {
    type Rejection = OauthProblem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, OauthProblem> {
        Connected::from_request_parts(parts, app).await.map(Self).map_err(OauthProblem::from)
    }
}

/// A form of RFC 6749: each parameter occurs at most once, and unknown ones are ignored.
#[derive(Debug)]
pub struct Form<T> {
    value: T,
    /// Held as long as the value, which has about the same size, so that it counts in the budget of bytes.
    _body: Bytes,
}

impl<T: serde::de::DeserializeOwned> FromRequest<Arc<App>> for Form<T> {
    type Rejection = OauthProblem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, OauthProblem> {
        let (mut parts, body) = request.into_parts();
        let body = request_body::read(&mut parts, body, app).await.map_err(unread)?;
        let read = Request::from_parts(parts, Body::from(body.clone()));
        let form = axum::extract::Form::<T>::from_request(read, app).await;
        form.map(|form| Self { value: form.0, _body: body }).map_err(|rejection| {
            OauthProblem(Failure::invalid(
                "body",
                "invalid_request",
                format!(
                    "Send a form (application/x-www-form-urlencoded) with each parameter at most once: {}",
                    rejection.body_text()
                ),
            ))
        })
    }
}

/// A form that was not read: RFC 6749 has one code for whatever is wrong with it.
fn unread(problem: Problem) -> OauthProblem {
    match &problem.failure().kind {
        FailureKind::Invalid { field } => {
            OauthProblem(Failure::invalid(field, "invalid_request", &problem.failure().public))
        }
        _ => problem.into(),
    }
}

/// A token to introspect or revoke.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
pub struct TokenForm {
    /// Access token.
    #[schema(value_type = String, required = true)]
    token: Option<String>,
}

impl TokenForm {
    fn require(self) -> Result<String, OauthProblem> {
        self.token
            .ok_or_else(|| OauthProblem(Failure::invalid("token", "invalid_request", "Send the parameter `token`.")))
    }
}

/// A JSON document that caches may store for some seconds.
fn cacheable(body: &Value, seconds: u32) -> Response {
    // A number always makes a valid value.
    let cache = HeaderValue::from_str(&format!("public, max-age={seconds}"))
        .unwrap_or_else(|_| HeaderValue::from_static("no-store"));
    (
        [(header::CONTENT_TYPE, HeaderValue::from_static("application/json")), (header::CACHE_CONTROL, cache)],
        body.to_string(),
    )
        .into_response()
}

fn scopes() -> Vec<&'static str> {
    Scope::ALL.iter().map(|scope| scope.as_str()).collect()
}

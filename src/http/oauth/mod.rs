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
    extract::{FromRequest, Request},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde::Deserialize;
use serde_json::Value;

use super::{
    operations::{operations, plain},
    problem::OauthProblem,
};
use crate::{
    app::App,
    domain::{Failure, permission::Scope},
};

operations! {
    token => plain;
    revoke => plain;
    introspect => plain;
    authorization_server => plain;
    protected_resource => plain;
    jwks => plain;
}

/// A form of RFC 6749: each parameter occurs at most once, and unknown ones are ignored.
#[derive(Debug)]
pub struct Form<T>(T);

impl<T: serde::de::DeserializeOwned> FromRequest<Arc<App>> for Form<T> {
    type Rejection = OauthProblem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, OauthProblem> {
        axum::extract::Form::<T>::from_request(request, app).await.map(|form| Self(form.0)).map_err(|rejection| {
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

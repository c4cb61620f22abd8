//! The OAuth endpoints: token, revocation, introspection, and the metadata by which clients find them.
//!
//! Errors of these endpoints have RFC 6749's form. In everything else they are like other endpoints.

pub mod introspect;
pub mod metadata;
pub mod revoke;
pub mod token;

use std::sync::Arc;

use axum::{
    Router,
    extract::{FromRequest, Request},
    routing::{get, post},
};
use serde::Deserialize;

use super::problem::OauthProblem;
use crate::{app::App, domain::Failure};

/// The routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/oauth2/token", post(token::token))
        .route("/oauth2/revoke", post(revoke::revoke))
        .route("/oauth2/introspect", post(introspect::introspect))
        .route("/.well-known/oauth-authorization-server", get(metadata::authorization_server))
        .route("/.well-known/oauth-protected-resource", get(metadata::protected_resource))
        .route("/.well-known/jwks.json", get(metadata::jwks))
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

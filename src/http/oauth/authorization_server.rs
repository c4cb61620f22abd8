//! `GET /.well-known/oauth-authorization-server`: the endpoints (RFC 8414).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde_json::json;

use super::{cacheable, scopes};
use crate::{app::App, http::problem::Problem};

/// Authorization server metadata (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", operation_id = "authorization_server", tag = "oauth",
    responses((status = 200, description = "URLs of the endpoints, and what they accept", body = Object)))]
pub async fn handle(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let origin = &app.config.gateway.public_origin;
    let endpoint = |path: &str| format!("{origin}{path}");
    Ok(cacheable(
        &json!({
            "issuer": app.config.gateway.issuer(),
            "token_endpoint": endpoint("/oauth2/token"),
            "revocation_endpoint": endpoint("/oauth2/revoke"),
            "introspection_endpoint": endpoint("/oauth2/introspect"),
            "jwks_uri": endpoint("/.well-known/jwks.json"),
            "scopes_supported": scopes(),
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["tls_client_auth", "private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["ES256", "PS256", "EdDSA"],
            "authorization_details_types_supported": ["medcredit_consent"],
            "tls_client_certificate_bound_access_tokens": true,
            // The same endpoints (T7): this listener takes no connection without a certificate.
            "mtls_endpoint_aliases": {
                "token_endpoint": endpoint("/oauth2/token"),
                "revocation_endpoint": endpoint("/oauth2/revoke"),
                "introspection_endpoint": endpoint("/oauth2/introspect"),
            },
        }),
        3600,
    ))
}

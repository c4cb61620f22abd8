//! Metadata of the authorization server (RFC 8414) and of the protected resource (RFC 9728), and the key set (RFC 7517).

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};
use serde_json::{Value, json};

use crate::{app::App, domain::permission::Scope, http::problem::Problem};

fn cacheable(body: &Value, seconds: u32) -> Response {
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

/// Authorization server metadata (RFC 8414).
#[utoipa::path(get, path = "/.well-known/oauth-authorization-server", tag = "oauth",
    responses((status = 200, description = "URLs of the endpoints, and what they accept", body = Object)))]
pub async fn authorization_server(State(app): State<Arc<App>>) -> Result<Response, Problem> {
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
            "mtls_endpoint_aliases": {
                "token_endpoint": endpoint("/oauth2/token"),
                "revocation_endpoint": endpoint("/oauth2/revoke"),
                "introspection_endpoint": endpoint("/oauth2/introspect"),
            },
        }),
        3600,
    ))
}

/// Protected resource metadata (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", tag = "oauth",
    responses((status = 200, description = "Issuers of tokens for this resource", body = Object)))]
pub async fn protected_resource(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let origin = &app.config.gateway.public_origin;
    let mut document = json!({
        "resource": origin,
        "authorization_servers": [app.config.gateway.issuer()],
        "jwks_uri": format!("{origin}/.well-known/jwks.json"),
        "scopes_supported": scopes(),
        "bearer_methods_supported": ["header"],
        "tls_client_certificate_bound_access_tokens": true,
        "authorization_details_types_supported": ["medcredit_consent"],
    });
    if app.config.portal.enabled
        && let Some(members) = document.as_object_mut()
    {
        // RFC 9728 section 2 allows additional members. With this one, a bank's auditor finds the log to verify.
        members.insert("medcredit_portal".into(), json!(app.config.portal.public_origin));
    }
    Ok(cacheable(&document, 3600))
}

/// Keys that verify tokens, responses and checkpoints of the gateway.
///
/// Keep the keys you have used: a retired key stays here, and a revoked key is removed.
#[utoipa::path(get, path = "/.well-known/jwks.json", tag = "oauth",
    responses((status = 200, description = "A JSON Web Key Set", body = Object)))]
pub async fn jwks(State(app): State<Arc<App>>) -> Response {
    cacheable(&app.keys.load().jwks(), 300)
}

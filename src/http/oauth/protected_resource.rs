//! `GET /.well-known/oauth-protected-resource`: the authorization server of this resource (RFC 9728).

use std::sync::Arc;

use axum::{extract::State, response::Response};
use serde_json::json;

use super::{cacheable, scopes};
use crate::{app::App, http::problem::Problem};

/// Protected resource metadata (RFC 9728).
#[utoipa::path(get, path = "/.well-known/oauth-protected-resource", operation_id = "protected_resource", tag = "oauth",
    responses((status = 200, description = "Issuers of tokens for this resource", body = Object)))]
pub async fn handle(State(app): State<Arc<App>>) -> Result<Response, Problem> {
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

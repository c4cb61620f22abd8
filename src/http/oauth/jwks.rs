//! `GET /.well-known/jwks.json`: the key set (RFC 7517).

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::cacheable;
use crate::app::App;

/// Keys that verify tokens, responses and checkpoints of the gateway.
///
/// Keep the keys you have used: a retired key stays here, and a revoked key is removed. `medcredit_purpose` is what a key is
/// for: `token_signing`, `answer_signing` (responses, deliveries, receipts of consents, packages) or `ledger_signing`
/// (checkpoints). Refuse what a key of another purpose signed.
#[utoipa::path(get, path = "/.well-known/jwks.json", operation_id = "jwks", tag = "oauth",
    responses((status = 200, description = "A JSON Web Key Set", body = Object)))]
pub async fn handle(State(app): State<Arc<App>>) -> Response {
    cacheable(&app.keys.load().jwks(), 300)
}

//! `DELETE /v1/consents/{id}`.

use std::sync::Arc;

use axum::extract::State;

use super::view::{ConsentView, view};
use crate::{
    app::App,
    consent::Decision,
    domain::Actor,
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::{Problem, ProblemDocument},
        reply::Reply,
    },
};

/// Revoke a consent, or withdraw a request.
///
/// Effective for every answer that is not recorded yet, on this gateway and on every other.
#[utoipa::path(
    delete, path = "/v1/consents/{id}", operation_id = "revoke_consent", tag = "consents",
    params(("id" = String, Path, description = "The consent")),
    security(("access_token" = ["consents:write"])),
    responses(
        (status = 200, description = "Revoked", body = ConsentView),
        (status = 409, description = "The consent has ended already", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsWrite>,
    PathValue(id): PathValue,
) -> Result<Reply<ConsentView>, Problem> {
    let client = authorized.caller.id();
    // Only the bank's own: another bank's consent is not found (C7).
    let consent = app.consents.revoke(&id, Some(client), &Decision::by(Actor::bank(client))).await?;
    Ok(Reply::ok(view(&app, &consent).await?))
}

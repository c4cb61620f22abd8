//! `GET /v1/consents/{id}`.

use std::sync::Arc;

use axum::extract::State;

use super::view::{ConsentView, view};
use crate::{
    app::App,
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::Problem,
        reply::Reply,
    },
};

/// Show a consent.
#[utoipa::path(
    get, path = "/v1/consents/{id}", operation_id = "show_consent", tag = "consents",
    params(("id" = String, Path, description = "The consent")),
    security(("access_token" = ["consents:read"])),
    responses(
        (status = 200, description = "The consent in its current state", body = ConsentView),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsRead>,
    PathValue(id): PathValue,
) -> Result<Reply<ConsentView>, Problem> {
    let consent = app.consents.get(authorized.caller.id(), &id).await?;
    Ok(Reply::ok(view(&app, &consent).await?))
}

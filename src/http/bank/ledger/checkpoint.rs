//! `GET /v1/ledger/checkpoint`.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use crate::{
    app::App,
    http::{
        authentication::Connected,
        problem::{Problem, ProblemDocument},
        published,
    },
};

/// Get the newest checkpoint of the log.
///
/// A signed note (C2SP). Store one from time to time: later checkpoints must be consistent with it.
#[utoipa::path(
    get, path = "/v1/ledger/checkpoint", operation_id = "checkpoint", tag = "proofs",
    responses(
        (status = 200, description = "A signed note", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing has been sealed yet", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    Ok(published::checkpoint(&app).await?)
}

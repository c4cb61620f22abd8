//! `GET /v1/ledger/keys`: the keys with which answers and checkpoints are verified.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use crate::{
    app::App,
    http::{authentication::Connected, key_log::KeyLog, problem::Problem, published},
};

/// List every key that has ever signed, with its times.
///
/// Store it with the answers you store: answers and checkpoints are verified with the key that signed them, even long after
/// it was retired. The portal listener serves the same list to anybody.
#[utoipa::path(
    get, path = "/v1/ledger/keys", operation_id = "keys", tag = "proofs",
    responses(
        (status = 200, description = "The keys, oldest first", body = KeyLog),
    )
)]
pub async fn handle(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    Ok(published::keys(&app)?)
}

//! `GET /v1/ledger/tile/{name}`: the log's hash tiles, from which anybody can compute proofs.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::Binary;
use crate::{
    app::App,
    http::{authentication::Connected, bank::path_value::PathValue, problem::Problem, published},
};

/// Get a hash tile of the log.
///
/// C2SP tlog-tiles below `/v1/ledger`: 256 hashes of 32 bytes, or as many as `.p/<width>` names. With tiles and a
/// checkpoint, anybody can compute inclusion and consistency without the gateway. The slashes of the name may be sent as
/// they are or as `%2F`. Full tiles never change and are cacheable for ever.
#[utoipa::path(
    get, path = "/v1/ledger/tile/{name}", operation_id = "tile", tag = "proofs",
    params(("name" = String, Path, description = "Level and index, as in `0/x001/067` or `0/000.p/12`", example = "0/000.p/1")),
    responses(
        (status = 200, description = "Hashes", body = Binary, content_type = "application/octet-stream"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    _connected: Connected,
    PathValue(name): PathValue,
) -> Result<Response, Problem> {
    Ok(published::tile(&app, &name).await?)
}

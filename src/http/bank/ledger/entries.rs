//! `GET /v1/ledger/tile/entries/{name}`: entry bundles, for auditors.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::Binary;
use crate::{
    app::App,
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::Problem,
        published,
    },
};

/// Get a bundle of the log's entries.
///
/// For auditors: the entries whose hashes a tile of level 0 contains, each as its length in two bytes (big-endian) and its
/// canonical JSON. Entries contain salted commitments; the values they commit to are not in them and not available here.
#[utoipa::path(
    get, path = "/v1/ledger/tile/entries/{name}", operation_id = "entries", tag = "proofs",
    params(("name" = String, Path, description = "Index, as in `x001/067` or `000.p/12`", example = "000.p/1")),
    security(("access_token" = ["ledger:audit"])),
    responses(
        (status = 200, description = "Entries", body = Binary, content_type = "application/octet-stream"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    _authorized: Authorized<scope::LedgerAudit>,
    PathValue(name): PathValue,
) -> Result<Response, Problem> {
    Ok(published::entries(&app, &name).await?)
}

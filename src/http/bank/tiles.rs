//! `GET /v1/ledger/tile/...`: the log's tiles, for whoever computes proofs alone; entry bundles for auditors; and
//! `GET /v1/ledger/keys`, with which they are verified.

use std::sync::Arc;

use axum::{
    extract::{Path, State, rejection::PathRejection},
    response::Response,
};

use crate::{
    app::App,
    http::{
        authentication::{Authorized, Connected, scope},
        key_log::KeyLog,
        problem::Problem,
        published,
    },
};

/// Bytes as they are.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Binary(());

/// A hash tile of the log.
///
/// C2SP tlog-tiles below `/v1/ledger`: 256 hashes of 32 bytes, or as many as `.p/<width>` asks for. With tiles and a
/// checkpoint, anybody computes inclusion and consistency alone. The name's slashes may stand as they are or as `%2F`. Full
/// tiles never change and are cacheable for ever.
#[utoipa::path(
    get, path = "/v1/ledger/tile/{name}", tag = "proofs",
    params(("name" = String, Path, description = "Level and index, as in `0/x001/067` or `0/000.p/12`", example = "0/000.p/1")),
    responses(
        (status = 200, description = "Hashes", body = Binary, content_type = "application/octet-stream"),
    )
)]
pub async fn tile(
    State(app): State<Arc<App>>,
    _connected: Connected,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    Ok(published::tile(&app, &name.map(|path| path.0).unwrap_or_default()).await?)
}

/// A bundle of the log's entries.
///
/// For auditors: the entries whose hashes a tile of level 0 holds, each as its length in two bytes (big-endian) and its
/// canonical JSON. Entries hold salted commitments; what they commit to is not in them and is not given here.
#[utoipa::path(
    get, path = "/v1/ledger/tile/entries/{name}", tag = "proofs",
    params(("name" = String, Path, description = "Index, as in `x001/067` or `000.p/12`", example = "000.p/1")),
    security(("access_token" = ["ledger:audit"])),
    responses(
        (status = 200, description = "Entries", body = Binary, content_type = "application/octet-stream"),
    )
)]
pub async fn entries(
    State(app): State<Arc<App>>,
    _authorized: Authorized<scope::LedgerAudit>,
    name: Result<Path<String>, PathRejection>,
) -> Result<Response, Problem> {
    Ok(published::entries(&app, &name.map(|path| path.0).unwrap_or_default()).await?)
}

/// Every key that ever signed, with its times.
///
/// Keep it beside what you keep: answers and checkpoints are verified with the key that signed them, also when it is long
/// retired. The portal listener serves the same to anybody.
#[utoipa::path(
    get, path = "/v1/ledger/keys", tag = "proofs",
    responses(
        (status = 200, description = "The oldest first", body = KeyLog),
    )
)]
pub async fn keys(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    Ok(published::keys(&app)?)
}

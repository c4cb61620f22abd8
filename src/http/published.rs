//! What the partner listener and the portal serve alike: the log's checkpoint, its tiles and its keys, cacheable.
//!
//! Nothing here identifies a subject: a hash tile has hashes of salted commitments, which reveal nothing without the salts.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::key_log::KeyLog;
use crate::{app::App, domain::Failure, merkle::TileId};

/// For full tiles, which never change: the tree only grows.
const IMMUTABLE: &str = "public, max-age=31536000, immutable";
/// For partial tiles, which do not change either, but a fuller tile soon replaces them.
const ONE_MINUTE: &str = "public, max-age=60";
/// For checkpoints, of which there is a new one about every second.
const ONE_SECOND: &str = "public, max-age=1";
/// For keys, which are published before they sign; a client that meets an unknown key fetches them again.
pub(super) const FIVE_MINUTES: &str = "public, max-age=300";

/// The width of a full tile.
const FULL: u16 = 256;

/// A response that caches may store.
pub(super) fn cacheable(media_type: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, body.into()).into_response()
}

/// The newest checkpoint, as a signed note.
pub(super) async fn checkpoint(app: &App) -> Result<Response, Failure> {
    let note = app.log.checkpoint().await?;
    let note = note.ok_or_else(|| Failure::not_found("checkpoint_not_found", "Nothing has been sealed yet."))?;
    Ok(cacheable("text/plain; charset=utf-8", ONE_SECOND, note))
}

fn no_tile() -> Failure {
    Failure::not_found(
        "tile_not_found",
        "No checkpoint covers a tile of this name. Use names of C2SP tlog-tiles, as in 0/x001/067 or 0/000.p/12.",
    )
}

fn cache_control(width: u16) -> &'static str {
    if width == FULL { IMMUTABLE } else { ONE_MINUTE }
}

/// The hash tile of a name, which is the path behind `tile/`.
pub(super) async fn tile(app: &App, name: &str) -> Result<Response, Failure> {
    let (id, width) = TileId::parse_path(&format!("tile/{name}")).ok_or_else(no_tile)?;
    let hashes = app.log.tile(id, width).await?.ok_or_else(no_tile)?;
    Ok(cacheable("application/octet-stream", cache_control(width), hashes))
}

/// The entry bundle of a name, which is the path behind `tile/entries/`.
pub(super) async fn entries(app: &App, name: &str) -> Result<Response, Failure> {
    let (id, width) = TileId::parse_path(&format!("tile/0/{name}")).ok_or_else(no_tile)?;
    let bundle = app.log.entries(id, width).await?.ok_or_else(no_tile)?;
    let mut response = cacheable("application/octet-stream", cache_control(width), bundle);
    // Private: a shared cache cannot distinguish auditors.
    let private = if width == FULL { "private, max-age=31536000, immutable" } else { "private, max-age=60" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(private));
    Ok(response)
}

/// The key log.
pub(super) fn keys(app: &App) -> Result<Response, Failure> {
    let body = serde_json::to_vec(&KeyLog::of(app)?).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(cacheable("application/json", FIVE_MINUTES, body))
}

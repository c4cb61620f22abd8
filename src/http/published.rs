//! What anybody may keep: the log's checkpoint, its tiles and its keys, as answers that caches may hold.
//!
//! The partner listener and the portal serve the same bytes. None of them says anything of a subject: a hash tile holds
//! hashes of salted commitments, and whoever has none of the salts learns nothing from them.

use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use super::key_log::KeyLog;
use crate::{app::App, domain::Failure, ledger, merkle::TileId};

/// A full tile never changes: the tree only grows.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// A partial tile does not change either, but a fuller one soon takes its place.
const A_MINUTE: &str = "public, max-age=60";
/// A checkpoint is signed about every second.
const A_SECOND: &str = "public, max-age=1";

/// Keys are made before they sign; who meets one it does not know asks again.
pub(super) const FIVE_MINUTES: &str = "public, max-age=300";

/// The width of a full tile.
const FULL: u16 = 256;

pub(super) fn cacheable(media_type: &'static str, cache: &'static str, body: impl Into<axum::body::Body>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    (headers, body.into()).into_response()
}

/// The newest checkpoint, a signed note.
pub(super) async fn checkpoint(app: &App) -> Result<Response, Failure> {
    let note = ledger::checkpoint(&app.env.db).await?;
    let note = note.ok_or_else(|| Failure::not_found("checkpoint_not_found", "Nothing has been sealed yet."))?;
    Ok(cacheable("text/plain; charset=utf-8", A_SECOND, note))
}

fn no_tile() -> Failure {
    Failure::not_found(
        "tile_not_found",
        "No checkpoint covers a tile of this name. Names are those of C2SP tlog-tiles, as in 0/x001/067 or 0/000.p/12.",
    )
}

fn for_how_long(width: u16) -> &'static str {
    if width == FULL { FOR_EVER } else { A_MINUTE }
}

/// A hash tile by what stands behind `tile/`.
pub(super) async fn tile(app: &App, name: &str) -> Result<Response, Failure> {
    let (id, width) = TileId::parse_path(&format!("tile/{name}")).ok_or_else(no_tile)?;
    let hashes = ledger::published_tile(&app.env.db, id, width).await?.ok_or_else(no_tile)?;
    Ok(cacheable("application/octet-stream", for_how_long(width), hashes))
}

/// An entry bundle by what stands behind `tile/entries/`.
pub(super) async fn entries(app: &App, name: &str) -> Result<Response, Failure> {
    let (id, width) = TileId::parse_path(&format!("tile/0/{name}")).ok_or_else(no_tile)?;
    let bundle = ledger::entry_bundle(&app.env.db, id, width).await?.ok_or_else(no_tile)?;
    let mut response = cacheable("application/octet-stream", for_how_long(width), bundle);
    // An auditor's own cache may keep it; a shared one does not know who is an auditor.
    let private = if width == FULL { "private, max-age=31536000, immutable" } else { "private, max-age=60" };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static(private));
    Ok(response)
}

/// The key log.
pub(super) fn keys(app: &App) -> Result<Response, Failure> {
    let body = serde_json::to_vec(&KeyLog::of(app)?).map_err(|error| Failure::internal(error.to_string()))?;
    Ok(cacheable("application/json", FIVE_MINUTES, body))
}

//! The stylesheet, served under a name that has its digest, so that browsers keep it for a year.

use std::sync::LazyLock;

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    extract::Path,
    response::{IntoResponse, Response},
};
use data_encoding::HEXLOWER;
use http::{HeaderValue, header};

use crate::http::problem::Problem;

/// The route of the assets.
pub const ROUTE: &str = "/assets/{name}";

const STYLESHEET: &str = include_str!("../../../templates/assets/style.css");

/// The path of the stylesheet.
pub fn stylesheet() -> &'static str {
    static PATH: LazyLock<String> = LazyLock::new(|| {
        let digest = HEXLOWER.encode(digest(&SHA256, STYLESHEET.as_bytes()).as_ref());
        format!("/assets/style.{}.css", digest.get(..16).unwrap_or_default())
    });
    &PATH
}

/// Serves an asset.
pub async fn handle(Path(name): Path<String>) -> Result<Response, Problem> {
    if stylesheet().strip_prefix("/assets/") != Some(&*name) {
        return Err(Problem::route_not_found());
    }
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("text/css; charset=utf-8")),
        // Another content has another name.
        (header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable")),
    ];
    Ok((headers, STYLESHEET).into_response())
}

//! The last parameter of a path, as the caller wrote it.

use std::{convert::Infallible, sync::Arc};

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;

use crate::app::App;

/// A path parameter that nobody has verified. One that does not decode is empty, and so gets the answer of an unknown id
/// (C7).
#[derive(Debug)]
pub struct PathValue(pub String);

impl FromRequestParts<Arc<App>> for PathValue {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Infallible> {
        let path = Path::<String>::from_request_parts(parts, app).await;
        Ok(Self(path.map(|path| path.0).unwrap_or_default()))
    }
}

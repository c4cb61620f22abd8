//! Surfaces: the partner listener's accept loop, its middleware, OAuth, and what banks call.
//!
//! Nothing is decided here: a handler extracts a proved caller and typed input, calls one use-case, and maps the result.
//! Status codes are `problem.rs`'s alone.

pub mod bank;
pub mod extract;
pub mod interaction;
pub mod listener;
pub mod oauth;
pub mod openapi;
pub mod problem;

use std::sync::Arc;

use axum::{Router, middleware};
use http::StatusCode;

use crate::app::App;
use problem::Problem;

/// Everything the partner listener serves.
pub fn partner(app: Arc<App>) -> Router {
    Router::new()
        .merge(oauth::router())
        .merge(bank::router())
        .fallback(async || {
            Problem::transport(StatusCode::NOT_FOUND, "route_not_found", "There is nothing at this path.")
        })
        .method_not_allowed_fallback(async || {
            Problem::transport(
                StatusCode::METHOD_NOT_ALLOWED,
                "method_not_allowed",
                "This path has other methods: see Allow.",
            )
        })
        .layer(middleware::from_fn_with_state(app.clone(), interaction::accompany))
        .with_state(app)
}

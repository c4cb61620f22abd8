//! Surfaces: the partner listener's accept loop, its middleware, OAuth, and what banks call.
//!
//! Nothing is decided here: a handler extracts a proved caller and typed input, calls one use-case, and maps the result.
//! Status codes are `problem.rs`'s alone.

pub mod bank;
pub mod extract;
pub mod integrity;
pub mod interaction;
pub mod listener;
pub mod oauth;
pub mod openapi;
pub mod problem;
mod published;
pub mod running;
pub mod signed;

use std::sync::Arc;

use axum::{Router, middleware, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::net::TcpListener;

use crate::{
    app::App,
    domain::{Failure, FailureKind},
};
use listener::{PartnerListener, Refusal, Settings};
use problem::Problem;

/// Everything the partner listener serves.
pub fn partner(app: Arc<App>) -> Router {
    Router::new()
        .merge(oauth::router().route_layer(middleware::from_fn_with_state(app.clone(), integrity::of_oauth)))
        .merge(bank::router().route_layer(middleware::from_fn_with_state(app.clone(), integrity::of_bank)))
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
        .layer(middleware::from_fn(integrity::as_wanted))
        .with_state(app)
}

/// Serves banks until `shutdown`, then lets what is under way finish.
pub async fn serve_partner(app: Arc<App>, socket: TcpListener, shutdown: impl Future<Output = ()> + Send) {
    let rendering = app.clone();
    let partner_listener = PartnerListener {
        settings: Settings::from(&app.config.partner),
        live: app.reloader.live(),
        clock: app.clock.clone(),
        render: Arc::new(move |headers, refusal| render(&rendering, headers, refusal)),
    };
    partner_listener.serve(socket, partner(app), shutdown).await;
}

/// A refusal of the listener's own: the request reached nobody else, so its id is given here.
fn render(app: &App, headers: &HeaderMap, refusal: Refusal) -> Response {
    let id = interaction::interaction_id(app, headers);
    let problem = match refusal {
        Refusal::Identity(_) => Failure::new(FailureKind::Unauthenticated, refusal.code(), refusal.detail()).into(),
        Refusal::OutOfDate | Refusal::TookTooLong => {
            let mut failure = Failure::unavailable(refusal.code(), "the listener refused the request");
            failure.public = refusal.detail().into();
            failure.into()
        }
        Refusal::BodyTooLarge | Refusal::BodyTooSlow => {
            Problem::transport(refusal.status(), refusal.code(), refusal.detail())
        }
    };
    let mut response = problem.render(Some(&id));
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(interaction::INTERACTION_ID, value);
    }
    response
}

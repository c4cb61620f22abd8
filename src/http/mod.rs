//! Surfaces: the partner listener's accept loop, its middleware, OAuth, and what banks call.
//!
//! Nothing is decided here: a handler extracts a proved caller and typed input, calls one use-case, and maps the result.
//! Status codes are `problem.rs`'s alone.

pub mod bank;
pub mod content_digest;
pub mod extract;
pub mod idempotency;
pub mod key_log;
pub mod listener;
pub mod oauth;
pub mod openapi;
pub mod portal;
pub mod problem;
mod published;
pub mod request_log;
pub mod request_signature;
mod segmented_body;
pub mod server;

use std::sync::Arc;

use axum::{Router, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode};
use tokio::net::TcpListener;

use crate::{
    app::App,
    domain::{Failure, FailureKind},
};
use listener::{Listener, ListenerKind, Refusal, Settings};
use problem::Problem;
use request_log::Api;

/// Everything the partner listener serves.
pub fn partner(app: Arc<App>) -> Api {
    let router = Router::new().merge(oauth::router()).merge(bank::router());
    Api::of_partners(app, router.fallback(no_route).method_not_allowed_fallback(no_method))
}

async fn no_route() -> Problem {
    Problem::transport(StatusCode::NOT_FOUND, "route_not_found", "There is nothing at this path.")
}

async fn no_method() -> Problem {
    let detail = "This path has other methods: see Allow.";
    Problem::transport(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
}

/// Serves banks until `shutdown`, then lets what is under way finish.
pub async fn serve_partner(app: Arc<App>, socket: TcpListener, shutdown: impl Future<Output = ()> + Send) {
    let larger = usize::try_from(app.config.imports.max_bytes).unwrap_or(0);
    let settings =
        Settings { larger_bodies: Some((bank::imports::PREFIX, larger)), ..Settings::from(&app.config.partner) };
    let door = ListenerKind::Partners(app.reloader.live());
    listener(&app, settings, door).serve(socket, partner(app), shutdown).await;
}

/// Serves the public on a door of its own until `shutdown`, then lets what is under way finish.
pub async fn serve_portal(
    app: Arc<App>,
    door: ListenerKind,
    socket: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) {
    let settings = Settings::of_portal(&app.config);
    listener(&app, settings, door).serve(socket, portal::surface(app), shutdown).await;
}

fn listener(app: &Arc<App>, settings: Settings, door: ListenerKind) -> Listener {
    let rendering = app.clone();
    Listener {
        settings,
        door,
        clock: app.env.clock.clone(),
        render: Arc::new(move |headers, refusal| render(&rendering, headers, refusal)),
    }
}

/// A refusal of the listener's own: the request reached nobody else, so its id is given here.
fn render(app: &App, headers: &HeaderMap, refusal: Refusal) -> Response {
    let id = request_log::interaction_id(app, headers);
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
        response.headers_mut().insert(request_log::INTERACTION_ID, value);
    }
    response
}

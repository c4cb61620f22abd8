//! The portal listener: what anybody may read without being known.
//!
//! Only what says nothing of a subject: checkpoints, hash tiles, keys. Callers are addresses, limited as such; the database
//! is asked by a few of them at a time, so that the public never keeps a bank waiting; and browsers are told that these
//! answers are for every page ([CORS](https://fetch.spec.whatwg.org/#http-cors-protocol)) and good for nothing but reading.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use tokio::sync::SemaphorePermit;

use super::{
    listener::{PublicPeer, network_of},
    oauth,
    problem::Problem,
    published,
    request_log::{Api, RequestLog},
};
use crate::{
    app::{App, Portal},
    domain::Failure,
};

/// What is here, for whoever comes without knowing.
const INDEX: &str = "Medcredit Gateway: what anybody may verify.

/ledger/checkpoint        the log's newest signed checkpoint (C2SP tlog-checkpoint)
/ledger/tile/...          its hash tiles (C2SP tlog-tiles)
/ledger/keys              every key that ever signed, with its times
/.well-known/jwks.json    the keys in force (RFC 7517)

The log holds hashes of salted commitments. Nothing here says anything of anybody.
";

/// Everything the portal serves without sign-in.
pub fn surface(app: Arc<App>) -> Api {
    let router = Router::new()
        .route("/", get(async || published::cacheable("text/plain; charset=utf-8", published::FIVE_MINUTES, INDEX)))
        .route("/ledger/checkpoint", get(checkpoint))
        .route("/ledger/tile/{*name}", get(tile))
        .route("/ledger/keys", get(keys))
        .route("/.well-known/jwks.json", get(oauth::metadata::jwks))
        .fallback(super::no_route)
        .method_not_allowed_fallback(super::no_method)
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    Api::of_public(app, router)
}

fn portal(app: &App) -> Result<&Portal, Failure> {
    app.portal.as_ref().ok_or_else(|| Failure::internal("the portal is served and was not opened"))
}

/// A turn at the database.
async fn turn(app: &App) -> Result<SemaphorePermit<'_>, Failure> {
    let turn = portal(app)?.turns.acquire().await;
    turn.map_err(|_| Failure::unavailable("state_unknown", "the portal's turns are closed"))
}

async fn checkpoint(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    let _turn = turn(&app).await?;
    Ok(published::checkpoint(&app).await?)
}

async fn tile(State(app): State<Arc<App>>, name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let _turn = turn(&app).await?;
    Ok(published::tile(&app, &name.map(|path| path.0).unwrap_or_default()).await?)
}

async fn keys(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    Ok(published::keys(&app)?)
}

/// Counts the address, answers browsers' questions before a request, and puts the fields on that every answer has.
async fn guard(
    State(app): State<Arc<App>>,
    Extension(PublicPeer(peer)): Extension<PublicPeer>,
    Extension(notes): Extension<RequestLog>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = portal(&app).and_then(|portal| {
        let (used, outcome) = portal.addresses.admit(network_of(peer.ip()));
        notes.limits(vec![used]);
        outcome
    });
    let preflight = request.method() == Method::OPTIONS;
    let mut response = match admitted {
        Err(failure) => Problem::from(failure).into_response(),
        Ok(()) if preflight => StatusCode::NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
    };
    let headers = response.headers_mut();
    put(headers, EVERY_ANSWER);
    if preflight {
        put(headers, PREFLIGHT);
    }
    // Said of a development's localhost, it would bind every other program there for a year.
    if !app.config.portal.public_origin.starts_with("https://localhost") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn put(headers: &mut HeaderMap, fields: &[(&'static str, &'static str)]) {
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

const EVERY_ANSWER: &[(&str, &str)] = &[
    ("access-control-allow-origin", "*"),
    ("access-control-expose-headers", "RateLimit, RateLimit-Policy, Retry-After, x-fapi-interaction-id"),
    ("cross-origin-resource-policy", "cross-origin"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
];

const PREFLIGHT: &[(&str, &str)] = &[
    ("access-control-allow-methods", "GET, HEAD"),
    ("access-control-allow-headers", "x-fapi-interaction-id"),
    ("access-control-max-age", "86400"),
    ("allow", "GET, HEAD, OPTIONS"),
];

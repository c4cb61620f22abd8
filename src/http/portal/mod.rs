//! The portal listener: what anybody may read without authentication.
//!
//! It serves checkpoints, hash tiles and keys, which identify no subject. Callers are limited by their address. Few requests
//! read the database at the same time, so that the public never delays a bank. Responses may be read by scripts of any web
//! page ([CORS](https://fetch.spec.whatwg.org/#http-cors-protocol)) and may not be rendered as one.

use std::sync::Arc;

use axum::{
    Extension, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::sync::SemaphorePermit;

use super::{
    api::{Api, method_not_allowed, route_not_found},
    listener::{
        caps::{network_of, site_of},
        peer::PublicPeer,
    },
    oauth,
    problem::{NO_CONTENT, Problem},
    published,
    request_log::RequestLog,
};
use crate::{
    app::{App, Portal},
    domain::Failure,
};

/// The page at `/`: what the portal serves.
const INDEX: &str = "Medcredit Gateway: what anybody may verify.

/ledger/checkpoint        the log's newest signed checkpoint (C2SP tlog-checkpoint)
/ledger/tile/...          its hash tiles (C2SP tlog-tiles)
/ledger/keys              every key that ever signed, with its times
/.well-known/jwks.json    the keys in force (RFC 7517)

The log has hashes of salted commitments. Nothing here identifies anybody.
";

/// The portal's API.
pub(super) fn api(app: Arc<App>) -> Api {
    let router = Router::new()
        .route("/", get(async || published::cacheable("text/plain; charset=utf-8", published::FIVE_MINUTES, INDEX)))
        .route("/ledger/checkpoint", get(checkpoint))
        .route("/ledger/tile/{*name}", get(tile))
        .route("/ledger/keys", get(keys))
        .route("/.well-known/jwks.json", get(oauth::jwks::handle))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), guard));
    Api::public(app, router)
}

fn portal(app: &App) -> Result<&Portal, Failure> {
    app.portal.as_ref().ok_or_else(|| Failure::internal("the portal is served but was not opened"))
}

/// Waits for a permit to read the database.
async fn read_permit(app: &App) -> Result<SemaphorePermit<'_>, Failure> {
    let permit = portal(app)?.reads.acquire().await;
    permit.map_err(|_| Failure::unavailable("state_unknown", "the portal's semaphore is closed"))
}

async fn checkpoint(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    // Held until the response is made from the database.
    let _permit = read_permit(&app).await?;
    Ok(published::checkpoint(&app).await?)
}

async fn tile(State(app): State<Arc<App>>, name: Result<Path<String>, PathRejection>) -> Result<Response, Problem> {
    let _permit = read_permit(&app).await?;
    // A name that is not UTF-8 is like one that no tile has.
    Ok(published::tile(&app, &name.map(|path| path.0).unwrap_or_default()).await?)
}

async fn keys(State(app): State<Arc<App>>) -> Result<Response, Problem> {
    // Without a permit: the keys are in memory.
    Ok(published::keys(&app)?)
}

/// Limits the address, answers CORS preflights, and adds the header fields of every response.
async fn guard(
    State(app): State<Arc<App>>,
    Extension(PublicPeer(peer)): Extension<PublicPeer>,
    Extension(log): Extension<RequestLog>,
    request: Request,
    next: Next,
) -> Response {
    let admitted = portal(&app).and_then(|portal| {
        let (used, outcome) = portal.addresses.admit(network_of(peer.ip()));
        log.add_limits(vec![used]);
        outcome?;
        let Some(site) = site_of(peer.ip()) else { return Ok(()) };
        let (used, outcome) = portal.sites.admit(site);
        // Named only where it refuses: the quota of the address says enough to others.
        if outcome.is_err() {
            log.add_limits(vec![used]);
        }
        outcome
    });
    let preflight = request.method() == Method::OPTIONS;
    let mut response = match admitted {
        Err(failure) => Problem::from(failure).into_response(),
        Ok(()) if preflight => NO_CONTENT.into_response(),
        Ok(()) => next.run(request).await,
    };
    // On refusals too: without these fields a browser hides even the status from a page.
    let headers = response.headers_mut();
    insert_all(headers, EVERY_RESPONSE);
    if preflight {
        insert_all(headers, PREFLIGHT);
    }
    // Not for localhost: it would bind every other program on a developer's machine for a year.
    if !app.config.portal.public_origin.starts_with("https://localhost") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
    response
}

fn insert_all(headers: &mut HeaderMap, fields: &[(&'static str, &'static str)]) {
    for (name, value) in fields {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
}

const EVERY_RESPONSE: &[(&str, &str)] = &[
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

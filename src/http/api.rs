//! An API: a router with the request log and the content checks around it.
//!
//! They are outside the router where they can be, because axum builds each layer of a router again, boxed, for every request.

use std::{
    future::{Ready, ready},
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    response::Response,
};
use futures_util::future::Either;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt as _};

use super::{
    content_digest,
    listener::kind::RequestHandler,
    problem::Problem,
    request_log::{InteractionId, Pending, RequestLog, interaction_id},
};
use crate::app::App;

/// A router with what surrounds every request to it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    app: Arc<App>,
    router: Router,
    /// Whether `Want-Content-Digest` is honoured.
    adds_digests: bool,
    /// Whether calls are counted for the overview of administrators.
    counts_calls: bool,
}

impl Api {
    /// The API of the partner listener: the content of requests is checked.
    pub fn partner(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        let layer = RouteLayer { checks_content: true };
        Self { router: router.layer(layer).with_state(app.clone()), app, adds_digests: true, counts_calls: true }
    }

    /// The API of a public listener.
    pub fn public(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        let layer = RouteLayer { checks_content: false };
        Self { router: router.layer(layer).with_state(app.clone()), app, adds_digests: false, counts_calls: false }
    }

    async fn handle_logged(self, mut request: Request) -> Response {
        let pending = Pending {
            id: interaction_id(&self.app, request.headers()),
            method: request.method().clone(),
            started: Instant::now(),
            log: RequestLog::default(),
        };
        // Before the router runs: handlers and extractors read both from the extensions.
        request.extensions_mut().insert(InteractionId(pending.id.clone()));
        request.extensions_mut().insert(pending.log.clone());
        // Infallible: the router answers everything.
        let response = self.router.oneshot(request).await.unwrap_or_else(|never| match never {});
        let (response, code) = pending.finish(response);
        if self.counts_calls {
            self.app.recent_calls.count(self.app.env.clock.now().seconds().div_euclid(60), code);
        }
        response
    }
}

impl RequestHandler for Api {
    async fn handle(self, request: Request) -> Response {
        match content_digest::requested_algorithm(request.headers()).filter(|_| self.adds_digests) {
            None => self.handle_logged(request).await,
            // Outermost: the digest covers the bytes as they are sent, after the request log has completed the
            // response.
            Some(algorithm) => content_digest::add_digest(self.handle_logged(request).await, algorithm).await,
        }
    }
}

/// The handler of paths that no route matches.
pub(super) async fn route_not_found() -> Problem {
    Problem::route_not_found()
}

/// The handler of methods that a path does not allow.
pub(super) async fn method_not_allowed() -> Problem {
    Problem::method_not_allowed()
}

/// The only layer inside the router, where the matched route is known: reports the route to the request log, and sets the
/// content of a request aside until its sender is proved.
#[derive(Debug, Clone, Copy)]
struct RouteLayer {
    /// Whether what a request says of its content is checked.
    checks_content: bool,
}

#[derive(Debug, Clone)]
struct RouteService<S> {
    inner: S,
    checks_content: bool,
}

impl<S> Layer<S> for RouteLayer {
    type Service = RouteService<S>;

    fn layer(&self, inner: S) -> RouteService<S> {
        RouteService { inner, checks_content: self.checks_content }
    }
}

impl<S> Service<Request> for RouteService<S>
where
    S: Service<Request, Response = Response>,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Ready<Result<Response, S::Error>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let extensions = request.extensions();
        if let (Some(log), Some(route)) = (extensions.get::<RequestLog>(), extensions.get::<MatchedPath>()) {
            log.set_route(route.clone());
        }
        if !self.checks_content || !content_digest::needs_check(request.headers()) {
            return Either::Left(self.inner.call(request));
        }
        match content_digest::check(request) {
            Ok(request) => Either::Left(self.inner.call(request)),
            Err(refusal) => Either::Right(ready(Ok(*refusal))),
        }
    }
}

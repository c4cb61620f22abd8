//! An API: a router with the request log and the content checks around it.
//!
//! They are outside the router where they can be, because axum builds each layer of a router again, boxed, for every request.

use std::{
    pin::Pin,
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
}

impl Api {
    /// The API of the partner listener: the content of requests is checked.
    pub fn partner(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        let layer = RouteLayer { checks_content: Some(app.clone()) };
        Self { router: router.layer(layer).with_state(app.clone()), app, adds_digests: true }
    }

    /// The API of a public listener.
    pub fn public(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        let layer = RouteLayer { checks_content: None };
        Self { router: router.layer(layer).with_state(app.clone()), app, adds_digests: false }
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
        pending.finish(response)
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

/// The only layer inside the router, where the matched route is known: reports the route to the request log, and checks the
/// request's content.
#[derive(Debug, Clone)]
struct RouteLayer {
    /// The gateway, when content is to be checked.
    checks_content: Option<Arc<App>>,
}

#[derive(Debug, Clone)]
struct RouteService<S> {
    inner: S,
    checks_content: Option<Arc<App>>,
}

impl<S> Layer<S> for RouteLayer {
    type Service = RouteService<S>;

    fn layer(&self, inner: S) -> RouteService<S> {
        RouteService { inner, checks_content: self.checks_content.clone() }
    }
}

/// Boxed, because its type cannot be named; made only for the few requests whose content needs a check.
type CheckedFuture<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<S> Service<Request> for RouteService<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, CheckedFuture<S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let extensions = request.extensions();
        if let (Some(log), Some(route)) = (extensions.get::<RequestLog>(), extensions.get::<MatchedPath>()) {
            log.set_route(route.clone());
        }
        match self.checks_content.clone().filter(|_| content_digest::needs_check(request.headers())) {
            None => Either::Left(self.inner.call(request)),
            Some(app) => {
                // The future outlives this borrow of the service, which has to wait for the check.
                let inner = self.inner.clone();
                Either::Right(Box::pin(async move {
                    match content_digest::check(request, &app).await {
                        Ok(request) => inner.oneshot(request).await,
                        Err(refusal) => Ok(refusal),
                    }
                }))
            }
        }
    }
}

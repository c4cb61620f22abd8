//! What is around a surface's router: the request's id, what handlers learned of it, its one line in the log, and the last
//! touch of a problem document.
//!
//! Around the router and not a layer of it: the router makes each layer anew, boxed, for every request.

use std::{
    collections::HashMap,
    pin::Pin,
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    extract::{MatchedPath, Request},
    response::Response,
};
use futures_util::future::Either;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use metrics::Histogram;
use tokio::time::Instant;
use tower::{Layer, Service, ServiceExt as _};

use super::{
    content_digest,
    listener::Answering,
    problem::{LoggedOnly, Problem},
};
use crate::{
    app::App,
    domain::{FailureKind, QuotaUse},
    telemetry,
};

/// `x-fapi-interaction-id`: echoed where it is one UUID, made otherwise (a malformed one is replaced, since it names
/// nothing that anybody could look for); on every answer (M10).
pub const INTERACTION_ID: HeaderName = HeaderName::from_static("x-fapi-interaction-id");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// The request's id, in its extensions.
#[derive(Debug, Clone)]
pub struct InteractionId(pub Arc<str>);

/// What handlers learned of a request, for its line in the log and the limit fields of its answer.
#[derive(Debug, Clone, Default)]
pub struct RequestLog(Arc<Mutex<Noted>>);

#[derive(Debug, Default)]
struct Noted {
    route: Option<MatchedPath>,
    client: Option<String>,
    limits: Vec<QuotaUse>,
}

impl RequestLog {
    fn with<T>(&self, read: impl FnOnce(&mut Noted) -> T) -> T {
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Peer is calling.
    pub fn client(&self, id: String) {
        self.with(|noted| noted.client = Some(id));
    }

    /// How the caller stands with its limits.
    pub fn limits(&self, uses: Vec<QuotaUse>) {
        self.with(|noted| noted.limits.extend(uses));
    }
}

/// A UUID, lower case, as the client sent it or made from the gateway's randomness (version 4).
pub(super) fn interaction_id(app: &App, headers: &HeaderMap) -> Arc<str> {
    let mut lines = headers.get_all(&INTERACTION_ID).iter();
    // Two of them name nothing.
    let sent = lines.next().filter(|_| lines.next().is_none()).and_then(|value| value.to_str().ok());
    let sent = sent.filter(|text| text.len() == 36).and_then(|text| uuid::Uuid::parse_str(text).ok());
    let id = sent.unwrap_or_else(|| {
        let mut random = [0; 16];
        app.env.entropy.fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid()
    });
    Arc::from(id.hyphenated().to_string())
}

/// The one layer of every router here: notes which route a request has come to, and, for banks, checks what is claimed of
/// its content.
#[derive(Debug, Clone)]
struct Arrival {
    /// Where content is checked.
    app: Option<Arc<App>>,
}

/// A service behind [`Arrival`].
#[derive(Debug, Clone)]
struct Arrived<S> {
    inner: S,
    app: Option<Arc<App>>,
}

impl<S> Layer<S> for Arrival {
    type Service = Arrived<S>;

    fn layer(&self, inner: S) -> Arrived<S> {
        Arrived { inner, app: self.app.clone() }
    }
}

/// An answer after the content was checked: made only for a request that claims something of it.
type Checked<E> = Pin<Box<dyn Future<Output = Result<Response, E>> + Send>>;

impl<S> Service<Request> for Arrived<S>
where
    S: Service<Request, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Either<S::Future, Checked<S::Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let extensions = request.extensions();
        if let (Some(notes), Some(route)) = (extensions.get::<RequestLog>(), extensions.get::<MatchedPath>()) {
            notes.with(|noted| noted.route = Some(route.clone()));
        }
        match self.app.clone().filter(|_| content_digest::claims(request.headers())) {
            None => Either::Left(self.inner.call(request)),
            Some(app) => {
                let inner = self.inner.clone();
                Either::Right(Box::pin(async move {
                    match content_digest::checked(request, &app).await {
                        Ok(request) => inner.oneshot(request).await,
                        Err(refused) => Ok(refused),
                    }
                }))
            }
        }
    }
}

/// A surface: a router and what accompanies every request to it. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Api {
    app: Arc<App>,
    router: Router,
    /// Whether an answer's digest may be asked for.
    digests: bool,
}

impl Api {
    /// What banks call.
    pub fn of_partners(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        let arrival = Arrival { app: Some(app.clone()) };
        Self { router: router.layer(arrival).with_state(app.clone()), app, digests: true }
    }

    /// What anybody may read.
    pub fn of_public(app: Arc<App>, router: Router<Arc<App>>) -> Self {
        Self { router: router.layer(Arrival { app: None }).with_state(app.clone()), app, digests: false }
    }

    async fn accompanied(self, mut request: Request) -> Response {
        let started = Instant::now();
        let id = interaction_id(&self.app, request.headers());
        let notes = RequestLog::default();
        let method = request.method().clone();
        request.extensions_mut().insert(InteractionId(id.clone()));
        request.extensions_mut().insert(notes.clone());
        // Infallible: the router answers everything.
        let response = self.router.oneshot(request).await.unwrap_or_else(|never| match never {});
        finished(response, (&method, started), &id, &notes)
    }
}

impl Answering for Api {
    async fn answer(self, request: Request) -> Response {
        match content_digest::wanted(request.headers()).filter(|_| self.digests) {
            None => self.accompanied(request).await,
            Some(algorithm) => content_digest::as_wanted(self.accompanied(request).await, algorithm).await,
        }
    }
}

/// The last touch of an answer, and its line in the log.
fn finished(mut response: Response, (method, started): (&Method, Instant), id: &str, notes: &RequestLog) -> Response {
    let problem = response.extensions_mut().remove::<Problem>();
    let logged = problem.clone().or_else(|| response.extensions_mut().remove::<LoggedOnly>().map(|logged| logged.0));
    if let Some(problem) = problem {
        // The document is made again with the request's id; the headers a handler added stay.
        let mut whole = problem.render(Some(id));
        for (name, value) in response.headers() {
            if !whole.headers().contains_key(name) && name != http::header::CONTENT_LENGTH {
                whole.headers_mut().append(name.clone(), value.clone());
            }
        }
        response = whole;
    }
    let Noted { route, client, limits } = notes.with(std::mem::take);
    finish(&mut response, id, &limits);
    let took = started.elapsed();
    let line = Line {
        method: method.as_str(),
        route: route.as_ref().map_or("unmatched", MatchedPath::as_str),
        status: response.status(),
        id,
        client: client.as_deref(),
        duration_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
    };
    line.write(logged.as_ref());
    line.time(took);
    response
}

/// The histogram of each status and route, found without making its labels once more. Of the process, as the recorder is.
static TIMES: LazyLock<RwLock<HashMap<u16, HashMap<String, Histogram>>>> = LazyLock::new(RwLock::default);

fn histogram(status: u16, route: &str) -> Histogram {
    let known = TIMES.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(histogram) = known.get(&status).and_then(|routes| routes.get(route)) {
        return histogram.clone();
    }
    drop(known);
    // Made before there is a recorder, it would count nothing for ever.
    telemetry::install_metrics();
    let made =
        metrics::histogram!("medcredit_request_seconds", "route" => route.to_owned(), "status" => status.to_string());
    let mut known = TIMES.write().unwrap_or_else(PoisonError::into_inner);
    known.entry(status).or_default().insert(route.to_owned(), made.clone());
    made
}

fn finish(response: &mut Response, id: &str, limits: &[QuotaUse]) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(INTERACTION_ID, value);
    }
    if !limits.is_empty() {
        let (policy, state) = crate::limits::render(limits);
        if let (Ok(policy), Ok(state)) = (HeaderValue::try_from(policy), HeaderValue::try_from(state)) {
            headers.insert(RATE_LIMIT_POLICY, policy);
            headers.insert(RATE_LIMIT, state);
        }
    }
    if !headers.contains_key(http::header::CACHE_CONTROL) {
        headers.insert(http::header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(http::header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// One request's line in the log. The route's pattern stands for the path: ids and codes in paths stay out (I8).
struct Line<'a> {
    method: &'a str,
    route: &'a str,
    status: StatusCode,
    id: &'a str,
    client: Option<&'a str>,
    duration_ms: u64,
}

impl Line<'_> {
    fn time(&self, took: Duration) {
        histogram(self.status.as_u16(), self.route).record(took.as_secs_f64());
    }

    fn write(&self, problem: Option<&Problem>) {
        let client = self.client.unwrap_or("-");
        let code = problem.map_or("-", |problem| problem.failure().code);
        let context = problem.and_then(|problem| problem.failure().context.as_deref()).unwrap_or("-");
        let status = self.status.as_u16();
        if problem.is_some_and(|problem| problem.failure().kind == FailureKind::Internal && status >= 500) {
            tracing::error!(
                http.method = self.method,
                http.route = self.route,
                http.status = status,
                interaction.id = self.id,
                client.id = client,
                code = code,
                reason = context,
                duration_ms = self.duration_ms,
                "a request failed inside"
            );
        } else if status >= 500 {
            tracing::warn!(
                http.method = self.method,
                http.route = self.route,
                http.status = status,
                interaction.id = self.id,
                client.id = client,
                code = code,
                reason = context,
                duration_ms = self.duration_ms,
                "a request was not answered"
            );
        } else {
            tracing::info!(
                http.method = self.method,
                http.route = self.route,
                http.status = status,
                interaction.id = self.id,
                client.id = client,
                code = code,
                reason = context,
                duration_ms = self.duration_ms,
                "answered a request"
            );
        }
        if let Some(problem) = problem {
            metrics::counter!("medcredit_problems_total", "code" => problem.failure().code).increment(1);
        }
    }
}

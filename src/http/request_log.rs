//! The request log: gives each request its id, collects what handlers report about it, completes its response and writes its
//! line in the log.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex, PoisonError, RwLock},
};

use axum::{
    extract::{FromRequestParts, MatchedPath},
    response::Response,
};
use http::{HeaderMap, HeaderValue, Method, header, request::Parts};
use metrics::Histogram;
use tokio::time::Instant;

use super::{
    header_names::{INTERACTION_ID, RATE_LIMIT, RATE_LIMIT_POLICY},
    problem::{LoggedOnly, Problem},
};
use crate::{
    app::App,
    domain::{Failure, FailureKind, QuotaUse},
    limits, telemetry,
};

/// The request's id, in its extensions.
#[derive(Debug, Clone)]
pub struct InteractionId(pub Arc<str>);

impl FromRequestParts<Arc<App>> for InteractionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Failure::internal("a request came without its id").into())
    }
}

/// Reads `x-fapi-interaction-id`, or makes an id (a random UUID, version 4). A value that is not one UUID is replaced: nobody
/// could search for it.
pub(super) fn interaction_id(app: &App, headers: &HeaderMap) -> Arc<str> {
    let mut lines = headers.get_all(&INTERACTION_ID).iter();
    // A repeated field identifies nothing either.
    let sent = lines.next().filter(|_| lines.next().is_none()).and_then(|value| value.to_str().ok());
    // `parse_str` also takes braces and URNs, which the answer would not repeat as sent (M10).
    let sent = sent.filter(|text| text.len() == 36).and_then(|text| uuid::Uuid::parse_str(text).ok());
    let id = sent.unwrap_or_else(|| {
        let mut random = [0; 16];
        app.env.entropy.fill(&mut random);
        uuid::Builder::from_random_bytes(random).into_uuid()
    });
    Arc::from(id.hyphenated().to_string())
}

/// What handlers report about a request: for its line in the log and the limit fields of its response. In the request's
/// extensions; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct RequestLog(Arc<Mutex<Reported>>);

#[derive(Debug, Default)]
struct Reported {
    route: Option<MatchedPath>,
    client: Option<String>,
    limits: Vec<QuotaUse>,
}

impl RequestLog {
    fn with<T>(&self, read: impl FnOnce(&mut Reported) -> T) -> T {
        // Used even if poisoned: after a panic the line in the log matters most.
        read(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sets the route that the request matched.
    pub(super) fn set_route(&self, route: MatchedPath) {
        self.with(|reported| reported.route = Some(route));
    }

    /// Sets the authenticated client.
    pub fn set_client(&self, id: String) {
        self.with(|reported| reported.client = Some(id));
    }

    /// Adds limits that the request counted against.
    pub fn add_limits(&self, uses: Vec<QuotaUse>) {
        self.with(|reported| reported.limits.extend(uses));
    }
}

/// A request that is being answered.
pub(super) struct Pending {
    pub(super) id: Arc<str>,
    /// The request's method.
    pub(super) method: Method,
    /// When the request arrived.
    pub(super) started: Instant,
    /// What handlers report.
    pub(super) log: RequestLog,
}

impl Pending {
    /// Completes the response and writes the request's line in the log. Returns the code of a refusal with it.
    pub(super) fn finish(self, mut response: Response) -> (Response, Option<&'static str>) {
        let problem = response.extensions_mut().remove::<Problem>();
        let logged =
            problem.clone().or_else(|| response.extensions_mut().remove::<LoggedOnly>().map(|logged| logged.0));
        if let Some(problem) = problem {
            response = with_id(&problem, &self.id, &response);
        }
        let Reported { route, client, limits } = self.log.with(std::mem::take);
        complete(&mut response, &self.id, &limits);
        let duration = self.started.elapsed();
        let line = Line {
            method: method_word(&self.method),
            route: route.as_ref().map_or("unmatched", MatchedPath::as_str),
            status: response.status().as_u16(),
            id: &self.id,
            client: client.as_deref().unwrap_or("-"),
            duration_ms: u64::try_from(duration.as_millis()).unwrap_or(u64::MAX),
        };
        line.write(logged.as_ref());
        histogram(line.status, line.route).record(duration.as_secs_f64());
        (response, logged.map(|problem| problem.failure().code))
    }
}

/// A method for the log. Any token may be sent as a method, even the number of a person (I8): only standard ones are
/// logged.
fn method_word(method: &Method) -> &str {
    const STANDARD: [Method; 9] = [
        Method::GET,
        Method::POST,
        Method::PUT,
        Method::DELETE,
        Method::HEAD,
        Method::OPTIONS,
        Method::PATCH,
        Method::CONNECT,
        Method::TRACE,
    ];
    if STANDARD.contains(method) { method.as_str() } else { "other" }
}

/// Renders a problem again, with the request's id in the document; headers that a handler added stay.
fn with_id(problem: &Problem, id: &str, response: &Response) -> Response {
    let mut rendered = problem.render(Some(id));
    for (name, value) in response.headers() {
        // The document with the id is longer, so its length is computed again.
        if !rendered.headers().contains_key(name) && name != header::CONTENT_LENGTH {
            rendered.headers_mut().append(name.clone(), value.clone());
        }
    }
    rendered
}

/// Adds the header fields of every response.
fn complete(response: &mut Response, id: &str, limits: &[QuotaUse]) {
    let headers = response.headers_mut();
    // A UUID is always a valid value.
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(INTERACTION_ID, value);
    }
    if !limits.is_empty() {
        let (policy, state) = limits::render(limits);
        if let (Ok(policy), Ok(state)) = (HeaderValue::try_from(policy), HeaderValue::try_from(state)) {
            headers.insert(RATE_LIMIT_POLICY, policy);
            headers.insert(RATE_LIMIT, state);
        }
    }
    // The safe default: caches store a response only where its handler allows it.
    if !headers.contains_key(header::CACHE_CONTROL) {
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
}

/// The histograms by status and route. Cached, because making one's labels costs more than recording; one map for the
/// process, because the process has one recorder.
static HISTOGRAMS: LazyLock<RwLock<HashMap<u16, HashMap<String, Histogram>>>> = LazyLock::new(RwLock::default);

fn histogram(status: u16, route: &str) -> Histogram {
    let cached = HISTOGRAMS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(histogram) = cached.get(&status).and_then(|routes| routes.get(route)) {
        return histogram.clone();
    }
    // Released first: the write lock below would wait for this reader for ever.
    drop(cached);
    // A histogram made before the recorder is installed would never count anything.
    telemetry::install_metrics();
    let made =
        metrics::histogram!("medcredit_request_seconds", "route" => route.to_owned(), "status" => status.to_string());
    let mut cached = HISTOGRAMS.write().unwrap_or_else(PoisonError::into_inner);
    // Two threads may both make it: their handles count in the same histogram.
    cached.entry(status).or_default().insert(route.to_owned(), made.clone());
    made
}

/// One request's line in the log. It has the route's pattern and not the path: ids and codes in paths stay out (I8).
struct Line<'a> {
    method: &'a str,
    route: &'a str,
    status: u16,
    id: &'a str,
    client: &'a str,
    duration_ms: u64,
}

/// Writes a line of the log. A macro, because the level of an event must be a constant.
macro_rules! log_line {
    ($level:ident, $line:expr, $code:expr, $reason:expr, $message:literal) => {
        tracing::event!(
            tracing::Level::$level,
            http.method = $line.method,
            http.route = $line.route,
            http.status = $line.status,
            interaction.id = $line.id,
            client.id = $line.client,
            code = $code,
            reason = $reason,
            duration_ms = $line.duration_ms,
            $message
        )
    };
}

impl Line<'_> {
    fn write(&self, problem: Option<&Problem>) {
        let failure = problem.map(Problem::failure);
        let code = failure.map_or("-", |failure| failure.code);
        let reason = failure.and_then(|failure| failure.context.as_deref()).unwrap_or("-");
        if self.status < 500 {
            log_line!(INFO, self, code, reason, "request answered");
        } else if failure.is_some_and(|failure| failure.kind == FailureKind::Internal) {
            log_line!(ERROR, self, code, reason, "request failed with an internal error");
        } else {
            log_line!(WARN, self, code, reason, "request failed");
        }
        if failure.is_some() {
            metrics::counter!("medcredit_problems_total", "code" => code).increment(1);
        }
    }
}

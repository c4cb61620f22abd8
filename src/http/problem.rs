//! Every status code of this room: maps a [`Failure`] to an RFC 9457 problem document, or to an RFC 6749 body under
//! `/oauth2/`, and names the few statuses of success.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::domain::{Failure, FailureKind};

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// The path prefix below which errors have RFC 6749's form.
pub(super) const OAUTH_PREFIX: &str = "/oauth2/";

/// 201, for a response that created something.
pub(super) const CREATED: StatusCode = StatusCode::CREATED;
/// 204, for a CORS preflight.
pub(super) const NO_CONTENT: StatusCode = StatusCode::NO_CONTENT;

/// The problem `type` that the RateLimit draft registers for 429.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// The problem `type` that the RateLimit draft registers for 503.
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// A problem document (RFC 9457). `code` is stable; docs/ERRORS.md lists what to do for each code.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// URI of the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:medcredit:problem:consent_not_found")]
    pub kind: String,
    /// Name of the status code.
    #[schema(example = "Not Found")]
    pub title: String,
    /// HTTP status code.
    #[schema(example = 404)]
    pub status: u16,
    /// Description of this occurrence. The text may change.
    pub detail: String,
    /// Stable code of the problem.
    #[schema(example = "consent_not_found")]
    pub code: String,
    /// Parameter or JSON pointer that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Names of the limits that were exceeded.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    pub violated_policies: Vec<String>,
    /// Request's `x-fapi-interaction-id`, as a `urn:uuid:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A failure with its status and headers, ready to be rendered. The request log adds the request's id and logs it once.
#[derive(Debug, Clone)]
pub struct Problem {
    // Boxed, as the headers are: every handler's `Result` has room for a problem, and few requests fail.
    failure: Box<Failure>,
    status: StatusCode,
    headers: Box<HeaderMap>,
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        let status = status_of(&failure.kind);
        let mut headers = HeaderMap::new();
        if let FailureKind::Limited { retry_after, .. }
        | FailureKind::Spent { retry_after: Some(retry_after), .. }
        | FailureKind::Unavailable { retry_after } = &failure.kind
        {
            // Rounded up, so that a client never returns too early (M7).
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
            // Zero would invite an immediate retry.
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        Self { failure: Box::new(failure), status, headers: Box::new(headers) }
    }
}

const fn status_of(kind: &FailureKind) -> StatusCode {
    match kind {
        FailureKind::Invalid { .. } => StatusCode::BAD_REQUEST,
        FailureKind::Unauthenticated => StatusCode::UNAUTHORIZED,
        FailureKind::Forbidden => StatusCode::FORBIDDEN,
        FailureKind::NotFound => StatusCode::NOT_FOUND,
        FailureKind::Conflict => StatusCode::CONFLICT,
        FailureKind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
        FailureKind::Limited { .. } | FailureKind::Spent { .. } => StatusCode::TOO_MANY_REQUESTS,
        FailureKind::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        FailureKind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl Problem {
    /// A problem of HTTP itself, for which there is no kind of failure.
    fn transport(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let failure = Failure::new(FailureKind::Internal, code, detail);
        Self { failure: Box::new(failure), status, headers: Box::default() }
    }

    /// 404: no route has this path.
    pub fn route_not_found() -> Self {
        Self::transport(StatusCode::NOT_FOUND, "route_not_found", "No operation has this path.")
    }

    /// 405: the path has other methods.
    pub fn method_not_allowed() -> Self {
        let detail = "The path does not allow this method. Use one that `Allow` names.";
        Self::transport(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// 408: the body did not arrive in time.
    pub fn body_too_slow() -> Self {
        Self::transport(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The request body did not arrive in time.")
    }

    /// 413: the body is larger than allowed.
    pub fn body_too_large() -> Self {
        Self::transport(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The request body is larger than allowed.")
    }

    /// 415: the operation does not accept this kind of content.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::transport(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 415: the body is compressed.
    pub fn content_encoding_refused() -> Self {
        let detail = "Send the body without `Content-Encoding`.";
        Self::transport(StatusCode::UNSUPPORTED_MEDIA_TYPE, "content_encoding_refused", detail)
            .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"))
    }

    /// 400: the body ended early. Where the listener cut it, the listener's own refusal replaces this one.
    pub fn unread_body() -> Self {
        Failure::invalid("body", "invalid_request", "The request body did not arrive completely.").into()
    }

    /// Adds a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The failure, with the context that only the log shows.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    fn document(&self, interaction_id: Option<&str>) -> ProblemDocument {
        let kind = match &self.failure.kind {
            FailureKind::Limited { .. } | FailureKind::Spent { .. } => QUOTA_EXCEEDED.into(),
            FailureKind::Unavailable { .. } => REDUCED_CAPACITY.into(),
            _ => format!("urn:medcredit:problem:{}", self.failure.code),
        };
        let (field, violated_policies) = match &self.failure.kind {
            FailureKind::Invalid { field } => (Some(field.clone()), Vec::new()),
            FailureKind::Limited { policies, .. } => (None, policies.clone()),
            FailureKind::Spent { quotas, .. } => {
                let reached = quotas.iter().filter(|quota| quota.remaining == 0);
                (None, reached.map(|quota| quota.name.clone()).collect())
            }
            _ => (None, Vec::new()),
        };
        ProblemDocument {
            kind,
            title: self.status.canonical_reason().unwrap_or("Error").into(),
            status: self.status.as_u16(),
            detail: self.failure.public.clone(),
            code: self.failure.code.into(),
            field,
            violated_policies,
            instance: interaction_id.map(|id| format!("urn:uuid:{id}")),
        }
    }

    /// The response, with the request's id in the document.
    pub fn render(&self, interaction_id: Option<&str>) -> Response {
        // A document of texts and numbers always serializes.
        let body = serde_json::to_vec(&self.document(interaction_id)).unwrap_or_default();
        response(self.status, PROBLEM_JSON, &self.headers, body)
    }
}

fn response(status: StatusCode, media_type: &'static str, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers.clone());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl IntoResponse for Problem {
    /// Also puts the problem into the response's extensions, where the request log finds it, writes the request's id into
    /// the document and logs it once.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// A failure rendered as an error of the OAuth endpoints (RFC 6749 section 5.2).
#[derive(Debug, Clone)]
pub struct OauthProblem(pub Failure);

/// The body of an OAuth error.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OauthErrorDocument {
    /// Code of RFC 6749 section 5.2 or its extensions.
    #[schema(example = "invalid_scope")]
    pub error: String,
    /// Description for the developer of the client.
    pub error_description: String,
}

impl From<Problem> for OauthProblem {
    fn from(problem: Problem) -> Self {
        Self(*problem.failure)
    }
}

impl IntoResponse for OauthProblem {
    fn into_response(self) -> Response {
        let mut problem = Problem::from(self.0);
        let error = match &problem.failure.kind {
            FailureKind::Limited { .. } | FailureKind::Spent { .. } | FailureKind::Unavailable { .. } => {
                "temporarily_unavailable"
            }
            FailureKind::Internal => "server_error",
            _ => problem.failure.code,
        };
        // RFC 6749 section 5.2: 401 for client authentication, 400 for every other error of the client.
        if matches!(
            problem.failure.kind,
            FailureKind::Forbidden | FailureKind::NotFound | FailureKind::Conflict | FailureKind::Unprocessable
        ) {
            problem.status = StatusCode::BAD_REQUEST;
        }
        // RFC 6749 limits error_description to printable ASCII without quote and backslash.
        let error_description = problem
            .failure
            .public
            .chars()
            .map(|c| if (' '..='~').contains(&c) && c != '"' && c != '\\' { c } else { '\'' })
            .collect();
        let document = OauthErrorDocument { error: error.into(), error_description };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = response(problem.status, "application/json", &problem.headers, body);
        response.extensions_mut().insert(LoggedOnly(problem));
        response
    }
}

/// A problem whose response is final: the request log only logs it.
#[derive(Debug, Clone)]
pub struct LoggedOnly(pub Problem);

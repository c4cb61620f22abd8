//! The only place with status codes: one mapping from [`Failure`] to RFC 9457 problem documents, and to RFC 6749 bodies
//! under `/oauth2`.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::domain::{Failure, FailureKind};

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Registered by the RateLimit draft: the one code whose `type` is not ours.
const QUOTA_EXCEEDED: &str = "https://iana.org/assignments/http-problem-types#quota-exceeded";
/// Registered by the RateLimit draft for 503.
const REDUCED_CAPACITY: &str = "https://iana.org/assignments/http-problem-types#temporary-reduced-capacity";

/// A problem document (RFC 9457). `code` is stable; docs/ERRORS.md says what to do for each.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ProblemDocument {
    /// A URI that names the kind of problem.
    #[serde(rename = "type")]
    #[schema(example = "urn:medcredit:problem:consent_not_found")]
    pub kind: String,
    /// The kind in words.
    #[schema(example = "Not Found")]
    pub title: String,
    /// The status code, again.
    #[schema(example = 404)]
    pub status: u16,
    /// What is wrong this time.
    pub detail: String,
    /// The stable code.
    #[schema(example = "consent_not_found")]
    pub code: String,
    /// Where it is wrong: the parameter or JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// The limits that were exceeded.
    #[serde(rename = "violated-policies", skip_serializing_if = "Vec::is_empty")]
    pub violated_policies: Vec<String>,
    /// The request, as `urn:uuid:` of its `x-fapi-interaction-id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

/// A failure on its way out. The middleware adds the request's id and logs it once.
#[derive(Debug, Clone)]
pub struct Problem {
    /// Behind boxes: every function that can fail carries a problem, and few do.
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
            // Rounded up: never an invitation to come back too early (M7).
            let seconds = retry_after.as_secs() + u64::from(retry_after.subsec_nanos() > 0);
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
    /// A problem of the transport alone, which no use-case knows.
    pub fn transport(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let failure = Failure::new(FailureKind::Internal, code, detail);
        Self { failure: Box::new(failure), status, headers: Box::default() }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The failure inside.
    pub fn failure(&self) -> &Failure {
        &self.failure
    }

    /// The status it will have.
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    /// The document, for a request.
    pub fn document(&self, interaction_id: Option<&str>) -> ProblemDocument {
        let kind = match &self.failure.kind {
            FailureKind::Limited { .. } | FailureKind::Spent { .. } => QUOTA_EXCEEDED.into(),
            FailureKind::Unavailable { .. } => REDUCED_CAPACITY.into(),
            _ => format!("urn:medcredit:problem:{}", self.failure.code),
        };
        let (field, violated_policies) = match &self.failure.kind {
            FailureKind::Invalid { field } => (Some(field.clone()), Vec::new()),
            FailureKind::Limited { policies, .. } => (None, policies.clone()),
            FailureKind::Spent { quotas, .. } => {
                let reached = quotas.iter().filter(|of| of.remaining == 0);
                (None, reached.map(|of| of.name.clone()).collect())
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

    /// The finished response.
    pub fn render(&self, interaction_id: Option<&str>) -> Response {
        let body = serde_json::to_vec(&self.document(interaction_id)).unwrap_or_default();
        finish(self.status, PROBLEM_JSON, &self.headers, body)
    }
}

fn finish(status: StatusCode, media_type: &'static str, headers: &HeaderMap, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().extend(headers.clone());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl IntoResponse for Problem {
    /// Leaves the failure in the response's extensions, where the outermost middleware finds it, writes the request's id
    /// into the document and logs it once.
    fn into_response(self) -> Response {
        let mut response = self.render(None);
        response.extensions_mut().insert(self);
        response
    }
}

/// An error of the OAuth endpoints (RFC 6749 section 5.2): the second rendering of the same failure.
#[derive(Debug, Clone)]
pub struct OauthProblem(pub Failure);

/// The body of an OAuth error.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct OauthErrorDocument {
    /// The code of RFC 6749 section 5.2 or its extensions.
    #[schema(example = "invalid_scope")]
    pub error: String,
    /// A sentence for the developer.
    pub error_description: String,
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
        // RFC 6749 section 5.2: 401 for the client's authentication, 400 for everything else that is the client's fault.
        if matches!(
            problem.failure.kind,
            FailureKind::Forbidden | FailureKind::NotFound | FailureKind::Conflict | FailureKind::Unprocessable
        ) {
            problem.status = StatusCode::BAD_REQUEST;
        }
        // error_description is limited to printable ASCII without quote and backslash.
        let error_description = problem
            .failure
            .public
            .chars()
            .map(|c| if (' '..='~').contains(&c) && c != '"' && c != '\\' { c } else { '\'' })
            .collect();
        let document = OauthErrorDocument { error: error.into(), error_description };
        let body = serde_json::to_vec(&document).unwrap_or_default();
        let mut response = finish(problem.status, "application/json", &problem.headers, body);
        response.extensions_mut().insert(LoggedOnly(problem));
        response
    }
}

/// A failure whose response is already in its final form and only needs its line in the log.
#[derive(Debug, Clone)]
pub struct LoggedOnly(pub Problem);

//! Checks the content of a request before a handler reads it: no content coding, and the digest that `Content-Digest` claims
//! (RFC 9530, M4). Adds a digest to a response when `Want-Content-Digest` asks for one.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody as _},
    extract::{DefaultBodyLimit, MatchedPath, Request},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;

use super::{
    header_names::{CONTENT_DIGEST, SIGNATURE_INPUT, WANT_CONTENT_DIGEST},
    input::body,
    problem::{OAUTH_PREFIX, OauthProblem, Problem},
};
use crate::{
    app::App,
    domain::Failure,
    identity::signature::{
        combined_value,
        digest::{DigestAlgorithm, DigestRefusal, SUPPORTED, verify_digest},
    },
};

/// What was found out about a request's content, in the request's extensions.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// The `Content-Digest` field, verified against the content.
    pub digest: Option<Arc<str>>,
    /// Whether the request has content.
    pub present: bool,
}

/// Whether a request's content has to be checked. Others are not buffered.
pub(super) fn needs_check(headers: &HeaderMap) -> bool {
    [header::CONTENT_ENCODING, CONTENT_DIGEST, SIGNATURE_INPUT].iter().any(|name| headers.contains_key(name))
}

/// Checks a request's content. A request that no route matches passes unchecked; a refusal at an OAuth endpoint has
/// RFC 6749's form.
pub(super) async fn check(request: Request, app: &Arc<App>) -> Result<Request, Response> {
    // It is answered with 404, whatever its content is.
    if request.extensions().get::<MatchedPath>().is_none() {
        return Ok(request);
    }
    let oauth = request.uri().path().starts_with(OAUTH_PREFIX);
    check_content(request, app).await.map_err(|problem| {
        if !oauth {
            return problem.into_response();
        }
        let detail = problem.failure().public.clone();
        OauthProblem(Failure::invalid("content", "invalid_request", detail)).into_response()
    })
}

async fn check_content(request: Request, app: &Arc<App>) -> Result<Request, Problem> {
    let headers = request.headers();
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::content_encoding_refused());
    }
    // A signature needs the body too: whether there is content decides what it must cover (M1).
    if !headers.contains_key(&CONTENT_DIGEST) && !headers.contains_key(&SIGNATURE_INPUT) {
        return Ok(request);
    }
    let (mut parts, content) = request.into_parts();
    let mut buffered = Request::new(content);
    // The listener limits the size of bodies already.
    DefaultBodyLimit::disable().apply(&mut buffered);
    let content = body(buffered, app).await?;
    let mut digest = None;
    if parts.headers.contains_key(&CONTENT_DIGEST) {
        let field = combined_value(&parts.headers, &CONTENT_DIGEST).unwrap_or_default();
        verify_digest(&field, &content).map_err(digest_refused)?;
        digest = Some(Arc::from(field));
    }
    // By the bytes and not by `Content-Length`, which an HTTP/2 request need not have.
    parts.extensions.insert(Content { digest, present: !content.is_empty() });
    Ok(Request::from_parts(parts, Body::from(content)))
}

fn digest_refused(refusal: DigestRefusal) -> Problem {
    let detail = format!("{refusal}; sha-256 and sha-512 are supported.");
    let refuse = |code| Problem::from(Failure::invalid("content-digest", code, detail.clone()));
    match refusal {
        DigestRefusal::Malformed => refuse("content_digest_malformed"),
        DigestRefusal::Mismatch => refuse("content_digest_mismatch"),
        DigestRefusal::Unsupported => {
            refuse("content_digest_unsupported").with_header(WANT_CONTENT_DIGEST, HeaderValue::from_static(SUPPORTED))
        }
    }
}

/// The algorithm of the digest that `Want-Content-Digest` prefers; none when it names no supported one.
pub(super) fn requested_algorithm(headers: &HeaderMap) -> Option<DigestAlgorithm> {
    if !headers.contains_key(&WANT_CONTENT_DIGEST) {
        return None;
    }
    combined_value(headers, &WANT_CONTENT_DIGEST).as_deref().and_then(DigestAlgorithm::preferred)
}

/// Adds `Content-Digest` to a response that has none. Runs last, because the digest covers the final bytes.
pub(super) async fn add_digest(response: Response, algorithm: DigestAlgorithm) -> Response {
    // A streamed body has no digest yet when its headers are sent.
    if response.headers().contains_key(&CONTENT_DIGEST) || response.body().size_hint().exact().is_none() {
        return response;
    }
    let (mut parts, content) = response.into_parts();
    let content = match content.collect().await {
        Ok(content) => content.to_bytes(),
        Err(error) => return Problem::from(Failure::internal(error.to_string())).into_response(),
    };
    // A digest in base64 is always a valid value.
    if let Ok(value) = HeaderValue::try_from(algorithm.field(&content)) {
        parts.headers.insert(CONTENT_DIGEST, value);
    }
    Response::from_parts(parts, Body::from(content))
}

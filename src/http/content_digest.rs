//! Content as it came: no content coding, and the digest it claims, checked before anything reads it (M4); and the
//! digest of an answer where one was asked for. A request that claims nothing passes untouched.

use std::sync::Arc;

use axum::{
    body::{Body, HttpBody as _},
    extract::{DefaultBodyLimit, MatchedPath, Request},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::BodyExt as _;

use super::{
    extract::body,
    oauth,
    problem::{OauthProblem, Problem},
};
use crate::{
    app::App,
    domain::Failure,
    identity::signature::{
        digest::{DigestAlgorithm, DigestRefusal, SUPPORTED, verify_digest},
        joined,
    },
};

/// `Content-Digest` (RFC 9530).
pub const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
/// `Want-Content-Digest` (RFC 9530).
pub const WANT_CONTENT_DIGEST: HeaderName = HeaderName::from_static("want-content-digest");
/// `Signature-Input` (RFC 9421).
pub const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");
/// `Signature` (RFC 9421).
pub const SIGNATURE: HeaderName = HeaderName::from_static("signature");

/// What is known of a request's content, in its extensions.
#[derive(Debug, Clone, Default)]
pub struct Content {
    /// Its `Content-Digest`, which the content has.
    pub digest: Option<Arc<str>>,
    /// Whether there is any.
    pub present: bool,
}

/// Whether anything is claimed of a request's content.
pub(super) fn claims(headers: &HeaderMap) -> bool {
    [header::CONTENT_ENCODING, CONTENT_DIGEST, SIGNATURE_INPUT].iter().any(|name| headers.contains_key(name))
}

/// Checks the content of a request of which something is claimed. What is nowhere claims nothing that matters; a refusal at
/// an OAuth endpoint has RFC 6749's form.
pub(super) async fn checked(request: Request, app: &Arc<App>) -> Result<Request, Response> {
    if request.extensions().get::<MatchedPath>().is_none() {
        return Ok(request);
    }
    let oauth = request.uri().path().starts_with(oauth::PREFIX);
    checked_content(request, app).await.map_err(|problem| {
        if !oauth {
            return problem.into_response();
        }
        let detail = problem.failure().public.clone();
        OauthProblem(Failure::invalid("content", "invalid_request", detail)).into_response()
    })
}

async fn checked_content(request: Request, app: &Arc<App>) -> Result<Request, Problem> {
    let headers = request.headers();
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::transport(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_encoding_refused",
            "A body is sent as it is, without Content-Encoding.",
        )
        .with_header(header::ACCEPT_ENCODING, HeaderValue::from_static("identity")));
    }
    if !headers.contains_key(&CONTENT_DIGEST) && !headers.contains_key(&SIGNATURE_INPUT) {
        return Ok(request);
    }
    let (mut parts, content) = request.into_parts();
    let mut whole = Request::new(content);
    // The listener bounds what is delivered.
    DefaultBodyLimit::disable().apply(&mut whole);
    let content = body(whole, app).await?;
    let mut digest = None;
    if parts.headers.contains_key(&CONTENT_DIGEST) {
        let field = joined(&parts.headers, &CONTENT_DIGEST).unwrap_or_default();
        verify_digest(&field, &content).map_err(refused)?;
        digest = Some(Arc::from(field));
    }
    parts.extensions.insert(Content { digest, present: !content.is_empty() });
    Ok(Request::from_parts(parts, Body::from(content)))
}

fn refused(refusal: DigestRefusal) -> Problem {
    let detail = format!("{refusal}; supported are sha-256 and sha-512.");
    let refuse = |code| Problem::from(Failure::invalid("content-digest", code, detail.clone()));
    match refusal {
        DigestRefusal::Malformed => refuse("content_digest_malformed"),
        DigestRefusal::Mismatch => refuse("content_digest_mismatch"),
        DigestRefusal::Unsupported => {
            refuse("content_digest_unsupported").with_header(WANT_CONTENT_DIGEST, HeaderValue::from_static(SUPPORTED))
        }
    }
}

/// The digest a request wants of its answer; none where it names no algorithm of ours.
pub(super) fn wanted(headers: &HeaderMap) -> Option<DigestAlgorithm> {
    if !headers.contains_key(&WANT_CONTENT_DIGEST) {
        return None;
    }
    joined(headers, &WANT_CONTENT_DIGEST).as_deref().and_then(DigestAlgorithm::wanted)
}

/// Adds `Content-Digest` to an answer whose request wanted one, unless the answer has its own. Last of all, since it needs
/// the final bytes.
pub(super) async fn as_wanted(response: Response, algorithm: DigestAlgorithm) -> Response {
    // What is still being made has no digest yet that a header could carry.
    if response.headers().contains_key(&CONTENT_DIGEST) || response.body().size_hint().exact().is_none() {
        return response;
    }
    let (mut parts, content) = response.into_parts();
    let content = match content.collect().await {
        Ok(content) => content.to_bytes(),
        Err(error) => return Problem::from(Failure::internal(error.to_string())).into_response(),
    };
    if let Ok(value) = HeaderValue::try_from(algorithm.field(&content)) {
        parts.headers.insert(CONTENT_DIGEST, value);
    }
    Response::from_parts(parts, Body::from(content))
}

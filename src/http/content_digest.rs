//! The content of requests: no content coding, and the digest that `Content-Digest` claims (RFC 9530, M4). Adds a digest to a
//! response when `Want-Content-Digest` asks for one.
//!
//! The content of a request is set aside until its sender is proved, and its digest is verified while it passes: nothing is
//! in memory for the sake of a digest or a signature.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use axum::{
    body::{Body, HttpBody as _},
    extract::{MatchedPath, Request},
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use http_body_util::BodyExt as _;

use super::{
    header_names::{CONTENT_DIGEST, SIGNATURE_INPUT, WANT_CONTENT_DIGEST},
    problem::{OAUTH_PREFIX, OauthProblem, Problem},
};
use crate::{
    domain::Failure,
    identity::signature::{
        combined_value,
        digest::{DigestAlgorithm, DigestCheck, DigestRefusal, SUPPORTED},
    },
};

/// Content that nobody has read.
pub(super) struct Unread {
    body: Body,
    /// The first bytes, if they were looked at.
    first: Option<Bytes>,
    check: Option<DigestCheck>,
}

impl Unread {
    pub(super) const fn of(body: Body) -> Self {
        Self { body, first: None, check: None }
    }

    /// The length that the request states.
    pub(super) fn stated_length(&self) -> usize {
        usize::try_from(self.body.size_hint().lower()).unwrap_or(usize::MAX)
    }

    /// The next bytes. At the end, the digest of all of them is verified.
    pub(super) async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        if let Some(first) = self.first.take() {
            return Ok(Some(first));
        }
        while let Some(frame) = self.body.frame().await {
            let data = frame.map_err(|_| Problem::unread_body())?.into_data().unwrap_or_default();
            if !data.is_empty() {
                if let Some(check) = &mut self.check {
                    check.update(&data);
                }
                return Ok(Some(data));
            }
        }
        self.check.take().map_or(Ok(()), DigestCheck::finish).map_err(digest_refused)?;
        Ok(None)
    }

    /// Whether there is any content. By the bytes, where the request states no length: over HTTP/2 it need not.
    async fn is_present(&mut self) -> Result<bool, Problem> {
        if self.first.is_none() && self.stated_length() == 0 && !self.body.is_end_stream() {
            self.first = self.next().await?;
        }
        Ok(self.first.is_some() || self.stated_length() > 0)
    }
}

/// What became of content that was set aside.
enum Aside {
    Unread(Unread),
    Read { present: bool },
}

/// The content of a request whose header has a digest or a signature, in the request's extensions.
#[derive(Clone)]
pub struct Content {
    /// The `Content-Digest` field. It is verified when the content has been read.
    pub digest: Option<Arc<str>>,
    /// Behind a mutex only because extensions are shared: the extractors of a request run one after the other.
    aside: Arc<Mutex<Option<Aside>>>,
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("digest", &self.digest).finish_non_exhaustive()
    }
}

impl Content {
    fn replace(&self, aside: Option<Aside>) -> Option<Aside> {
        std::mem::replace(&mut *self.aside.lock().unwrap_or_else(PoisonError::into_inner), aside)
    }

    /// Takes the content out, to read it.
    pub(super) fn take(&self) -> Result<Unread, Failure> {
        match self.replace(Some(Aside::Read { present: true })) {
            Some(Aside::Unread(unread)) => Ok(unread),
            _ => Err(Failure::internal("the content of a request is read twice")),
        }
    }

    /// Whether there is content. Reads its first bytes at most.
    pub(super) async fn is_present(&self) -> Result<bool, Problem> {
        let mut unread = match self.replace(None) {
            Some(Aside::Unread(unread)) => unread,
            Some(Aside::Read { present }) => {
                self.replace(Some(Aside::Read { present }));
                return Ok(present);
            }
            None => return Err(Failure::internal("the content of a request is read twice").into()),
        };
        let present = unread.is_present().await?;
        self.replace(Some(Aside::Unread(unread)));
        Ok(present)
    }

    /// Reads the content to its end and drops it as it arrives, for a handler that takes none: a digest is verified also
    /// then.
    pub(super) async fn discard(&self) -> Result<(), Problem> {
        let mut unread = self.take()?;
        let mut present = false;
        while unread.next().await?.is_some() {
            present = true;
        }
        self.replace(Some(Aside::Read { present }));
        Ok(())
    }
}

/// Whether the header of a request says something of its content that has to be checked.
pub(super) fn needs_check(headers: &HeaderMap) -> bool {
    [header::CONTENT_ENCODING, CONTENT_DIGEST, SIGNATURE_INPUT].iter().any(|name| headers.contains_key(name))
}

/// Checks what a request's header says of its content, and sets the content aside. A request that no route matches passes
/// unchecked; a refusal at an OAuth endpoint has RFC 6749's form.
pub(super) fn check(request: Request) -> Result<Request, Box<Response>> {
    // It is answered with 404, whatever its content is.
    if request.extensions().get::<MatchedPath>().is_none() {
        return Ok(request);
    }
    let oauth = request.uri().path().starts_with(OAUTH_PREFIX);
    set_aside(request).map_err(|problem| {
        if !oauth {
            return Box::new(problem.into_response());
        }
        let detail = problem.failure().public.clone();
        Box::new(OauthProblem(Failure::invalid("content", "invalid_request", detail)).into_response())
    })
}

fn set_aside(request: Request) -> Result<Request, Problem> {
    let headers = request.headers();
    if headers.get_all(header::CONTENT_ENCODING).iter().any(|value| !value.as_bytes().eq_ignore_ascii_case(b"identity"))
    {
        return Err(Problem::content_encoding_refused());
    }
    // A signature needs the body too: whether there is content decides what it must cover (M1).
    if !headers.contains_key(&CONTENT_DIGEST) && !headers.contains_key(&SIGNATURE_INPUT) {
        return Ok(request);
    }
    let (mut parts, body) = request.into_parts();
    let mut unread = Unread::of(body);
    let mut digest = None;
    if parts.headers.contains_key(&CONTENT_DIGEST) {
        let field = combined_value(&parts.headers, &CONTENT_DIGEST).unwrap_or_default();
        unread.check = Some(DigestCheck::of(&field).map_err(digest_refused)?);
        digest = Some(Arc::from(field));
    }
    parts.extensions.insert(Content { digest, aside: Arc::new(Mutex::new(Some(Aside::Unread(unread)))) });
    Ok(Request::from_parts(parts, Body::empty()))
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

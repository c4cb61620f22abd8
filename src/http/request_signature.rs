//! Requests signed by their bank (M1): looked at once the caller is proved, and only where the client opted in.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderName, HeaderValue, Method, request::Parts};
use serde::Serialize;

use super::{content_digest::Content, extract::Peer, problem::Problem};
use crate::{
    access::{Caller, Client, SignedRequests},
    app::App,
    domain::{Failure, FailureKind},
    identity::signature::{
        Message,
        request::{ACCEPT_SIGNATURE, Inspection, RequestRefusal, SignedRequest, verify_request},
    },
};

/// What a signature should look like (RFC 9421 section 5.1), on every refusal of one.
const ACCEPT: HeaderName = HeaderName::from_static("accept-signature");

/// What the codes of such refusals begin with.
const CODES: &str = "request_signature";

/// The request's target under the public origin: what a signature covers as `@target-uri`.
pub fn target_uri(app: &App, parts: &Parts) -> String {
    let path_and_query = parts.uri.path_and_query().map_or("/", |text| text.as_str());
    format!("{}{path_and_query}", app.config.gateway.public_origin)
}

/// Looks at a request's signature with a client's keys, whatever the client's way with signatures.
pub fn inspect(app: &App, parts: &Parts, client: &Client) -> Inspection {
    let message = Message {
        method: parts.method.as_str(),
        target_uri: &target_uri(app, parts),
        headers: &parts.headers,
        has_content: parts.extensions.get::<Content>().is_some_and(|content| content.present),
    };
    verify_request(&message, &client.keys, app.env.clock.now())
}

/// Requires of a proved caller's request the signature its registration asks for, and uses up its nonce. What was verified
/// is in the request's extensions afterwards, for the answer's signature to cover (M2).
pub async fn require(app: &App, parts: &mut Parts, caller: &Caller) -> Result<(), Failure> {
    let way = caller.client().signed_requests;
    if way == SignedRequests::Ignored {
        return Ok(());
    }
    let signed = match inspect(app, parts, caller.client()).outcome {
        Ok(signed) => signed,
        Err(RequestRefusal::Missing) if way == SignedRequests::Allowed => return Ok(()),
        Err(refusal) => return Err(refused(&refusal)),
    };
    if let Some(nonce) = &signed.nonce {
        let changes_state = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        Box::pin(app.access.use_nonce(caller, nonce, signed.until, changes_state)).await?;
    }
    parts.extensions.insert(Arc::new(signed));
    Ok(())
}

/// The signature of a request that was verified.
pub fn verified(parts: &Parts) -> Option<Arc<SignedRequest>> {
    parts.extensions.get::<Arc<SignedRequest>>().cloned()
}

/// What `whoami` tells of a request's signature: the gateway's view of it, for whoever sets up a client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignatureView {
    /// The client's way: `ignored`, `allowed` or `required`.
    #[schema(example = "required")]
    requests: String,
    /// Whether this request has one.
    present: bool,
    /// Whether it is good.
    valid: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The name of the key that signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// The text that the signature should be over (RFC 9421 section 2.5), as the gateway makes it of this request; the token
    /// in it is left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_base: Option<String>,
    /// The SHA-256 of that text with the token in it, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_base_sha256: Option<String>,
}

impl FromRequestParts<Arc<App>> for SignatureView {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Peer(peer) = Peer::from_request_parts(parts, app).await?;
        let client = app.access.client_of(peer.identity())?;
        let Inspection { base, outcome } = inspect(app, parts, &client);
        let present = !matches!(outcome, Err(RequestRefusal::Missing));
        let shown = |base: &String| {
            let lines = base.lines().map(|line| {
                if line.starts_with("\"authorization\":") { "\"authorization\": (left out)" } else { line }
            });
            lines.collect::<Vec<_>>().join("\n")
        };
        let sha256 = |base: &String| {
            data_encoding::HEXLOWER
                .encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, base.as_bytes()).as_ref())
        };
        Ok(Self {
            requests: client.signed_requests.to_string(),
            present,
            valid: outcome.is_ok(),
            problem: outcome.as_ref().err().filter(|_| present).map(ToString::to_string),
            key_id: outcome.ok().map(|signed| signed.key_id),
            signature_base: base.as_ref().map(shown),
            signature_base_sha256: base.as_ref().map(sha256),
        })
    }
}

fn refused(refusal: &RequestRefusal) -> Failure {
    let public = format!("This client signs its requests (RFC 9421, tag fapi-2-request): {refusal}.");
    Failure::new(FailureKind::Unauthenticated, refusal.code(), public)
}

/// Adds to a refusal what a signature should look like.
pub fn with_what_is_wanted(problem: Problem) -> Problem {
    if problem.failure().code.starts_with(CODES) {
        return problem.with_header(ACCEPT, HeaderValue::from_static(ACCEPT_SIGNATURE));
    }
    problem
}

//! Verifies the signatures of requests (RFC 9421, M1): after the caller is authenticated, and only for clients that opted in.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::{HeaderValue, Method, request::Parts};
use serde::Serialize;

use super::{content_digest::Content, header_names, peer::PeerIdentity, problem::Problem};
use crate::{
    access::{Caller, Client, SignedRequests},
    app::App,
    domain::{Failure, FailureKind},
    identity::signature::{
        Message,
        request::{ACCEPT_SIGNATURE, Inspection, RequestRefusal, SignedRequest, verify_request},
    },
};

/// The common prefix of the codes of refused signatures.
const CODE_PREFIX: &str = "request_signature";

/// The request's target under the public origin, as a signature covers it by `@target-uri`.
pub fn target_uri(app: &App, parts: &Parts) -> String {
    let path_and_query = parts.uri.path_and_query().map_or("/", |text| text.as_str());
    // Not from the `Host` header, which the client chooses: what is signed must name this gateway.
    format!("{}{path_and_query}", app.config.gateway.public_origin)
}

/// Verifies a request's signature with a client's keys, whether or not the client has to sign. Of the content only its
/// first bytes are read: the signature covers the digest, which is verified while the content is read later.
async fn inspect(app: &App, parts: &Parts, client: &Client) -> Result<Inspection, Problem> {
    let has_content = match parts.extensions.get::<Content>() {
        Some(content) => content.is_present().await?,
        None => false,
    };
    let message = Message {
        method: parts.method.as_str(),
        target_uri: &target_uri(app, parts),
        headers: &parts.headers,
        has_content,
    };
    Ok(verify_request(&message, &client.keys, app.env.clock.now()))
}

/// Requires the signature that the caller's registration demands, and consumes its nonce. Puts the verified signature into
/// the request's extensions, for the response's signature to cover (M2).
pub async fn require(app: &App, parts: &mut Parts, caller: &Caller) -> Result<(), Problem> {
    let policy = caller.client().signed_requests;
    if policy == SignedRequests::Ignored {
        return Ok(());
    }
    // Boxed, as below: few clients sign, and the future of every request has room for what this awaits.
    let signed = match Box::pin(inspect(app, parts, caller.client())).await?.outcome {
        Ok(signed) => signed,
        Err(RequestRefusal::Missing) if policy == SignedRequests::Allowed => return Ok(()),
        Err(refusal) => return Err(refused(&refusal).into()),
    };
    if let Some(nonce) = &signed.nonce {
        // Only these are worth a write in the database; for others the nonces of this gateway suffice.
        let changes_state = !matches!(parts.method, Method::GET | Method::HEAD | Method::OPTIONS);
        Box::pin(app.access.use_nonce(caller, nonce, signed.until, changes_state)).await?;
    }
    parts.extensions.insert(Arc::new(signed));
    Ok(())
}

/// The verified signature of a request, if it has one.
pub fn verified(parts: &Parts) -> Option<Arc<SignedRequest>> {
    parts.extensions.get::<Arc<SignedRequest>>().cloned()
}

/// The gateway's view of a request's signature, for the developer of a client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct SignatureView {
    /// Registered policy of the client: `ignored`, `allowed` or `required`.
    #[schema(example = "required")]
    requests: String,
    /// Presence of a signature on this request.
    present: bool,
    /// Validity of the signature.
    valid: bool,
    /// Reason why the signature is not valid.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// Identifier of the signing key (`keyid`).
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    /// Signature base of this request (RFC 9421 section 2.5) as the gateway computes it, with the token removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_base: Option<String>,
    /// SHA-256 of the signature base with the token in it, hex.
    #[serde(skip_serializing_if = "Option::is_none")]
    signature_base_sha256: Option<String>,
}

impl FromRequestParts<Arc<App>> for SignatureView {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let PeerIdentity(peer) = PeerIdentity::from_request_parts(parts, app).await?;
        let client = app.access.client_of(peer.identity())?;
        let Inspection { base, outcome } = inspect(app, parts, &client).await?;
        // A missing signature is no problem of a request that need not have one.
        let present = !matches!(outcome, Err(RequestRefusal::Missing));
        let shown = |base: &String| {
            // Developers paste this response elsewhere, and the token is a credential.
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
    let public = format!("This client must sign its requests (RFC 9421, tag fapi-2-request): {refusal}.");
    Failure::new(FailureKind::Unauthenticated, refusal.code(), public)
}

/// Adds `Accept-Signature` (RFC 9421 section 5.1) to the refusal of a signature: the components that it must cover.
pub fn with_accept_signature(problem: Problem) -> Problem {
    if problem.failure().code.starts_with(CODE_PREFIX) {
        return problem.with_header(header_names::ACCEPT_SIGNATURE, HeaderValue::from_static(ACCEPT_SIGNATURE));
    }
    problem
}

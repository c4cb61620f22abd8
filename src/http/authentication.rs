//! Authenticates callers: the client by its certificate, and by an access token with the scopes that the handler's signature
//! requires.

use std::{marker::PhantomData, sync::Arc};

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::{HeaderValue, header, request::Parts};

use super::{
    listener::{peer::ConnectionIdentity, refusal::Refusal},
    peer::PeerIdentity,
    problem::Problem,
    request_body,
    request_log::RequestLog,
    request_signature,
};
use crate::{
    access::{Caller, Client},
    app::App,
    domain::{Failure, FailureKind, permission::Scope},
    identity::ClientIdentity,
    ledger::Step,
};

/// The scopes that a handler requires, as a type in its signature.
pub trait RequiredScope: Send + Sync + 'static {
    /// The scopes of which the token must have at least one.
    const ONE_OF: &'static [Scope];
}

/// One type for each scope.
pub mod scope {
    use super::{RequiredScope, Scope};

    macro_rules! scopes {
        ($($name:ident),+) => {$(
            #[doc = concat!("A token with the scope `", stringify!($name), "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;
            impl RequiredScope for $name {
                const ONE_OF: &'static [Scope] = &[Scope::$name];
            }
        )+};
    }
    scopes!(
        ConsentsWrite,
        ConsentsRead,
        GradeRead,
        GradeHistoryRead,
        ScorecardRead,
        SettlementsRead,
        DeliveriesRead,
        DisclosuresRead,
        ImportsWrite,
        ReceiptsWrite,
        LedgerAudit
    );

    /// A token with a scope for at least one section of a report.
    #[derive(Debug, Clone, Copy)]
    pub struct ReportRead;
    impl RequiredScope for ReportRead {
        const ONE_OF: &'static [Scope] =
            &[Scope::GradeRead, Scope::GradeHistoryRead, Scope::ScorecardRead, Scope::SettlementsRead];
    }
}

/// An active client, authenticated by the certificate of its connection. Extraction counts the request against its limits.
#[derive(Debug, Clone)]
pub struct Connected {
    pub client: Arc<Client>,
    /// The connection that its certificate authenticated.
    pub peer: Arc<ConnectionIdentity>,
}

impl FromRequestParts<Arc<App>> for Connected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let PeerIdentity(peer) = PeerIdentity::from_request_parts(parts, app).await?;
        app.access.follow(peer.identity()).await?;
        let client = app.access.client_of(peer.identity());
        let client = client.map_err(|failure| failed(app, peer.identity(), Proof::Certificate, failure))?;
        count(app, parts, &client)?;
        request_body::admit(parts, &client).await?;
        Ok(Self { client, peer })
    }
}

/// What a caller proves itself with. The failures of each are counted on their own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Proof {
    Certificate,
    Token,
    Assertion,
    Signature,
}

impl Proof {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Certificate => "certificate",
            Self::Token => "token",
            Self::Assertion => "assertion",
            Self::Signature => "signature",
        }
    }
}

/// The refusal of a failed proof. After too many failures of the same kind over one certificate, failing ones are answered
/// with a pause that says nothing of the proof.
///
/// Only failures come here: a proof that is valid is never delayed by others that are not, such as those of a job of the
/// same bank with an old key. An attempt costs less than the request that brings it, so verifying each is no gift to a
/// guesser, who cannot guess a signature.
pub(super) fn failed(app: &App, identity: &ClientIdentity, proof: Proof, failure: Failure) -> Failure {
    if failure.kind != FailureKind::Unauthenticated {
        return failure;
    }
    let key = format!("{} {}", identity.thumbprint(), proof.as_str());
    if let Err(pause) = app.limits.may_authenticate(&key) {
        return pause;
    }
    app.limits.note_failure(&key);
    failure
}

fn count(app: &App, parts: &Parts, client: &Client) -> Result<(), Failure> {
    let id = client.id.to_string();
    let (uses, outcome) = app.limits.admit(&id, &client.limits.0);
    // Also when the outcome is a refusal: a 429 needs its `RateLimit` fields (M7).
    if let Some(log) = parts.extensions.get::<RequestLog>() {
        log.set_client(id);
        log.add_limits(uses);
    }
    outcome
}

/// A caller whose token has the scope `S`. Extraction counts the request against the client's limits.
#[derive(Debug, Clone)]
pub struct Authorized<S> {
    /// The client and its token.
    pub caller: Caller,
    scope: PhantomData<S>,
}

/// The access token of a request, from the `Authorization` header and nowhere else (K15).
fn bearer(parts: &Parts) -> Result<&str, Failure> {
    // Refused even beside a good header: a token in a URL ends up in logs and browser histories.
    let in_query = parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("access_token")));
    if in_query {
        return Err(Failure::invalid(
            "access_token",
            "invalid_request",
            "Send the token in the `Authorization` header, never in the query string.",
        ));
    }
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let missing = || {
        Failure::new(
            FailureKind::Unauthenticated,
            "token_required",
            "Send an access token: `Authorization: Bearer <token>`.",
        )
    };
    let value = values.next().and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    // Of two headers, a proxy could check one and the gateway use the other.
    if values.next().is_some() {
        return Err(Failure::invalid("authorization", "invalid_request", "Send one `Authorization` header."));
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(missing()),
    }
}

/// Adds `WWW-Authenticate` to a refusal (RFC 6750 section 3), with the URL of the resource metadata (RFC 9728).
fn challenge(app: &App, failure: Failure, one_of: &[Scope]) -> Problem {
    let metadata = format!("{}/.well-known/oauth-protected-resource", app.config.gateway.public_origin);
    let challenge = match (&failure.kind, failure.code) {
        (FailureKind::Unauthenticated, "invalid_token") => {
            format!("Bearer error=\"invalid_token\", resource_metadata=\"{metadata}\"")
        }
        (FailureKind::Unauthenticated, _) => format!("Bearer resource_metadata=\"{metadata}\""),
        (FailureKind::Forbidden, "insufficient_scope") => {
            let scope = one_of.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
            format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\", resource_metadata=\"{metadata}\"")
        }
        _ => return failure.into(),
    };
    // An origin that no header can hold costs the challenge, not the refusal.
    match HeaderValue::from_str(&challenge) {
        Ok(value) => Problem::from(failure).with_header(header::WWW_AUTHENTICATE, value),
        Err(_) => failure.into(),
    }
}

/// Verifies the certificate again, under trust anchors that are at least as new as the caller's epoch.
///
/// The append compares the epoch. With trust from before a revocation and an epoch read after it, that comparison would
/// find no difference, and the revoked certificate would pass (I3).
async fn require_trusted(app: &App, peer: &ConnectionIdentity, caller: &Caller) -> Result<(), Failure> {
    let live = app.reloader.live();
    let unknown = || Failure::unavailable("state_unknown", "the trusted certificates may be out of date");
    let mut material = live.fresh(&*app.env.clock).ok_or_else(unknown)?;
    if material.change < caller.seen_at_change() {
        // Boxed: few requests refresh, and the future of every request has room for what this awaits.
        let refresh = Box::pin(app.reloader.refresh()).await;
        refresh.map_err(|error| Failure::unavailable("state_unknown", error.to_string()))?;
        material = live.fresh(&*app.env.clock).ok_or_else(unknown)?;
    }
    peer.identity().recheck(&material.trust, app.env.clock.now()).map_err(|error| {
        let refusal = Refusal::Identity(error);
        Failure::new(FailureKind::Unauthenticated, refusal.code(), refusal.detail()).because(refusal.reason())
    })
}

impl<S: RequiredScope> FromRequestParts<Arc<App>> for Authorized<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let PeerIdentity(peer) = PeerIdentity::from_request_parts(parts, app).await?;
        // A suspension reaches these calls as it reaches data, whose append compares the client's epoch.
        app.access.follow(peer.identity()).await?;
        Self::for_data(parts, app).await
    }
}

impl<S: RequiredScope> Authorized<S> {
    /// Authenticates a call whose answer is recorded. Changes of this moment are not looked for: the append would find them.
    pub(super) async fn for_data(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let PeerIdentity(peer) = PeerIdentity::from_request_parts(parts, app).await?;
        let token = bearer(parts).map_err(|failure| challenge(app, failure, &[]))?;
        app.faults.at(Step::Caller).await.map_err(Failure::from)?;
        let caller = app.access.authenticate(peer.identity(), token).await.map_err(|refused| {
            if refused.failure.kind == FailureKind::Unauthenticated
                && let Err(untrusted) = app.env.require_clock()
            {
                // By a wrong clock a good token is expired, or not valid yet: the client is not at fault.
                return untrusted.into();
            }
            // A token of its own that has ended is no guess: a client that renews late must not be paused.
            let failure = if refused.ended {
                refused.failure
            } else {
                failed(app, peer.identity(), Proof::Token, refused.failure)
            };
            challenge(app, failure, &[])
        })?;
        require_trusted(app, &peer, &caller).await?;
        app.faults.at(Step::Limits).await.map_err(Failure::from)?;
        // After authentication, so that nobody can use up another client's quota; before the signature is verified,
        // so that even this work is bounded.
        count(app, parts, caller.client())?;
        caller.require(S::ONE_OF).map_err(|failure| challenge(app, failure, S::ONE_OF))?;
        request_signature::require(app, parts, &caller).await.map_err(|problem| {
            let failure = problem.failure();
            if failure.kind != FailureKind::Unauthenticated {
                return problem;
            }
            if let Err(untrusted) = app.env.require_clock() {
                return untrusted.into();
            }
            let failure = match failure.code {
                // A signature that is missing, malformed or late is no attempt at another's key.
                "request_signature_invalid" => failed(app, peer.identity(), Proof::Signature, failure.clone()),
                _ => failure.clone(),
            };
            request_signature::with_accept_signature(challenge(app, failure, &[]))
        })?;
        // Last: until here, nothing of the body is in memory.
        request_body::admit(parts, caller.client()).await?;
        Ok(Self { caller, scope: PhantomData })
    }
}

/// The bearer token as it was sent. Only `whoami` reads it, to explain why a token is not accepted.
#[derive(Debug, Clone)]
pub struct UnverifiedToken(pub String);

impl OptionalFromRequestParts<Arc<App>> for UnverifiedToken {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Option<Self>, Problem> {
        match bearer(parts) {
            Ok(token) => Ok(Some(Self(token.to_owned()))),
            Err(failure) if failure.code == "token_required" => Ok(None),
            Err(failure) => Err(failure.into()),
        }
    }
}

//! What handlers take: callers that are proved, and inputs whose errors are problems.

use std::{marker::PhantomData, sync::Arc};

use axum::{
    extract::{FromRequest, FromRequestParts, OptionalFromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, Uri, header, request::Parts};
use serde::de::DeserializeOwned;

use super::{
    listener::{ConnectionIdentity, Refusal},
    problem::Problem,
    request_log::{InteractionId, RequestLog},
    request_signature,
};
use crate::{
    access::{Caller, Client},
    app::App,
    domain::{Failure, FailureKind, permission::Scope},
    ledger::Step,
};

/// The scopes a token may have, in a handler's signature.
pub trait Needs: Send + Sync + 'static {
    /// One of these is enough.
    const ONE_OF: &'static [Scope];
}

/// The scopes as types.
pub mod scope {
    use super::{Needs, Scope};

    macro_rules! scopes {
        ($($name:ident),+) => {$(
            #[doc = concat!("A token with the scope `", stringify!($name), "`.")]
            #[derive(Debug, Clone, Copy)]
            pub struct $name;
            impl Needs for $name {
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
        LedgerAudit
    );

    /// A token with a scope for at least one section of a report.
    #[derive(Debug, Clone, Copy)]
    pub struct ReportRead;
    impl Needs for ReportRead {
        const ONE_OF: &'static [Scope] =
            &[Scope::GradeRead, Scope::GradeHistoryRead, Scope::ScorecardRead, Scope::SettlementsRead];
    }
}

/// What the connection proved.
#[derive(Debug, Clone)]
pub struct Peer(pub Arc<ConnectionIdentity>);

impl FromRequestParts<Arc<App>> for Peer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Arc<ConnectionIdentity>>().cloned();
        peer.map(Self).ok_or_else(|| Failure::internal("a request came without the identity of its connection").into())
    }
}

/// The active client whose certificate is on the connection; its request is counted.
#[derive(Debug, Clone)]
pub struct Connected {
    /// The client.
    pub client: Arc<Client>,
    /// Its connection.
    pub peer: Arc<ConnectionIdentity>,
}

impl FromRequestParts<Arc<App>> for Connected {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Peer(peer) = <Peer as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let thumbprint = peer.identity().thumbprint().to_owned();
        // Not paused by failed tokens: the certificate alone proves it, and a leaked token must be revocable at any time.
        let client = app.access.client_of(peer.identity()).inspect_err(|failure| {
            if failure.kind == FailureKind::Unauthenticated {
                app.limits.note_failure(&thumbprint);
            }
        })?;
        count(app, parts, &client)?;
        Ok(Self { client, peer })
    }
}

fn count(app: &App, parts: &Parts, client: &Client) -> Result<(), Failure> {
    let id = client.id.to_string();
    let (uses, outcome) = app.limits.admit(&id, &client.limits.0);
    if let Some(notes) = parts.extensions.get::<RequestLog>() {
        notes.client(id);
        notes.limits(uses);
    }
    outcome
}

/// A caller whose token has the scope `S`, its request counted.
#[derive(Debug, Clone)]
pub struct Authorized<S> {
    /// Peer is calling.
    pub caller: Caller,
    scope: PhantomData<S>,
}

/// The token of a request: from the `Authorization` header and nowhere else (K15).
fn bearer(parts: &Parts) -> Result<&str, Failure> {
    let in_query = parts
        .uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("access_token")));
    if in_query {
        return Err(Failure::invalid(
            "access_token",
            "invalid_request",
            "A token belongs in the Authorization header, never in the query.",
        ));
    }
    let mut values = parts.headers.get_all(header::AUTHORIZATION).iter();
    let missing = || {
        Failure::new(
            FailureKind::Unauthenticated,
            "token_required",
            "Send an access token: Authorization: Bearer <token>.",
        )
    };
    let value = values.next().and_then(|value| value.to_str().ok()).ok_or_else(missing)?;
    if values.next().is_some() {
        return Err(Failure::invalid("authorization", "invalid_request", "More than one Authorization header."));
    }
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(token.trim()),
        _ => Err(missing()),
    }
}

/// RFC 6750 section 3, with the metadata of RFC 9728.
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
    match HeaderValue::from_str(&challenge) {
        Ok(value) => Problem::from(failure).with_header(header::WWW_AUTHENTICATE, value),
        Err(_) => failure.into(),
    }
}

/// Proves the certificate once more, under a trust that is not older than the epoch the caller was read with.
///
/// The append compares the epoch. Were the certificate judged by what was known before its revocation and the epoch read
/// after it, the comparison would find nothing (I3).
async fn require_trusted(app: &App, peer: &ConnectionIdentity, caller: &Caller) -> Result<(), Failure> {
    let live = app.reloader.live();
    let unknown = || Failure::unavailable("state_unknown", "the trust in certificates may be out of date");
    let mut material = live.fresh(app.env.clock.now()).ok_or_else(unknown)?;
    if material.change < caller.seen_at_change() {
        // Boxed, with all that few requests need: none carries it about for the others.
        let refresh = Box::pin(app.reloader.refresh()).await;
        refresh.map_err(|error| Failure::unavailable("state_unknown", error.to_string()))?;
        material = live.fresh(app.env.clock.now()).ok_or_else(unknown)?;
    }
    peer.identity().recheck(&material.trust, app.env.clock.now()).map_err(|error| {
        let refusal = Refusal::Identity(error);
        Failure::new(FailureKind::Unauthenticated, refusal.code(), refusal.detail()).because(refusal.reason())
    })
}

impl<S: Needs> FromRequestParts<Arc<App>> for Authorized<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Peer(peer) = <Peer as FromRequestParts<Arc<App>>>::from_request_parts(parts, app).await?;
        let thumbprint = peer.identity().thumbprint();
        app.limits.may_authenticate(thumbprint)?;
        let token = bearer(parts).map_err(|failure| challenge(app, failure, &[]))?;
        app.faults.at(Step::Caller).await.map_err(Failure::from)?;
        let caller = app.access.authenticate(peer.identity(), token).await.map_err(|refused| {
            if refused.failure.kind == FailureKind::Unauthenticated && !refused.ended {
                app.limits.note_failure(thumbprint);
            }
            challenge(app, refused.failure, &[])
        })?;
        require_trusted(app, &peer, &caller).await?;
        app.faults.at(Step::Limits).await.map_err(Failure::from)?;
        count(app, parts, caller.client())?;
        request_signature::require(app, parts, &caller).await.map_err(|failure| {
            if failure.code == "request_signature_invalid" {
                app.limits.note_failure(thumbprint);
            }
            request_signature::with_what_is_wanted(challenge(app, failure, &[]))
        })?;
        caller.require(S::ONE_OF).map_err(|failure| challenge(app, failure, S::ONE_OF))?;
        Ok(Self { caller, scope: PhantomData })
    }
}

/// The request's id, for handlers.
impl FromRequestParts<Arc<App>> for InteractionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| Failure::internal("a request came without its id").into())
    }
}

/// The raw bearer token, where one was sent: for `whoami`, which tells what is wrong with it.
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

/// A query string whose every parameter is known: an unknown or doubled one is named in the error.
#[derive(Debug, Clone, Copy)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> Query<T> {
    /// Reads the query string of a request's target.
    pub fn of(uri: &Uri) -> Result<Self, Failure> {
        axum::extract::Query::<T>::try_from_uri(uri).map(|query| Self(query.0)).map_err(|rejection| {
            let mut text = rejection.body_text();
            if let Some(at) = text.rfind("query string: ") {
                text.drain(..at + "query string: ".len());
            }
            Failure::invalid("query", "invalid_request", format!("The query string: {text}."))
        })
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<App>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        Self::of(&parts.uri).map_err(Problem::from)
    }
}

/// A JSON body: its media type, its size and its shape checked, an error naming where.
#[derive(Debug, Clone)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        require_json(request.headers())?;
        let body = body(request, app).await?;
        from_json(&body).map(Self)
    }
}

/// Refuses a body that does not say it is JSON.
pub fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("application/json") {
        return Err(Problem::transport(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "unsupported_media_type",
            "The body is JSON: Content-Type: application/json.",
        ));
    }
    Ok(())
}

/// A value from JSON; an error names where.
pub fn from_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(body).map_err(|error| {
        let place = format!("line {}, column {}", error.line(), error.column());
        Failure::invalid(place, "invalid_request", format!("The body: {error}.")).into()
    })
}

/// A whole body, within the limit the listener set.
pub async fn body(request: Request, app: &Arc<App>) -> Result<Bytes, Problem> {
    Bytes::from_request(request, app).await.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::transport(
            StatusCode::PAYLOAD_TOO_LARGE,
            "body_too_large",
            "The body is larger than the gateway takes.",
        ),
        StatusCode::REQUEST_TIMEOUT => {
            Problem::transport(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")
        }
        _ => Failure::invalid("body", "invalid_request", "The body did not arrive whole.").into(),
    })
}

/// JSON on its way out, where no subject's data is in it.
#[derive(Debug, Clone)]
pub struct Reply<T>(pub StatusCode, pub T);

impl<T: serde::Serialize> IntoResponse for Reply<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.1) {
            Ok(body) => {
                (self.0, [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))], body).into_response()
            }
            Err(error) => {
                Problem::from(Failure::internal(format!("an answer does not serialise: {error}"))).into_response()
            }
        }
    }
}

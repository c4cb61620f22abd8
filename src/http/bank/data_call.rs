//! What every operation that gives subject data has in common: its input, how it is mounted, and how its answer leaves.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{FromRequest, FromRequestParts},
    response::{IntoResponse, Response},
    routing::on,
};
use http::{HeaderValue, Method, Uri, header, request::Parts};
use serde::de::DeserializeOwned;

use super::path_value::PathValue;
use crate::{
    access::Caller,
    app::App,
    disclosure::{DataRequest, Reading},
    domain::{Failure, FailureKind, clock::SharedClock},
    http::{
        authentication::{Authorized, RequiredScope},
        content_digest::Content,
        input::Query,
        operations::{Route, Routes},
        problem::Problem,
        request_log::{InteractionId, RequestLog},
        request_signature,
        segmented_body::SegmentedBody,
    },
    identity::signature::{RequestFacts, request::SignedRequest},
    ledger::Disclosed,
};

/// An authenticated request for data under a consent: everything a data handler takes.
#[derive(Debug)]
pub struct DataCall<S> {
    pub(super) app: Arc<App>,
    authorized: Authorized<S>,
    unverified_consent: String,
    interaction_id: Arc<str>,
    target_uri: String,
    method: Method,
    uri: Uri,
    log: Option<RequestLog>,
    digest: Option<Arc<str>>,
    signed: Option<Arc<SignedRequest>>,
}

impl<S: RequiredScope> FromRequestParts<Arc<App>> for DataCall<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        // First: nothing else of the request is parsed for a caller that is not authenticated.
        let authorized = Authorized::<S>::for_data(parts, app).await?;
        // A delivery has no consent in its path; its handler does not use it.
        let Ok(PathValue(unverified_consent)) = PathValue::from_request_parts(parts, app).await;
        let InteractionId(interaction_id) = InteractionId::from_request_parts(parts, app).await?;
        Ok(Self {
            app: app.clone(),
            authorized,
            unverified_consent,
            interaction_id,
            target_uri: request_signature::target_uri(app, parts),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            log: parts.extensions.get::<RequestLog>().cloned(),
            digest: parts.extensions.get::<Content>().and_then(|content| content.digest.clone()),
            signed: request_signature::verified(parts),
        })
    }
}

impl<S> DataCall<S> {
    /// The caller.
    pub(super) fn caller(&self) -> &Caller {
        &self.authorized.caller
    }

    /// Parses the query string, and refuses unknown parameters.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        Query::of(&self.uri).map(|query| query.0)
    }

    /// The request, in the form the disclosure room takes.
    pub(super) fn request<'a>(&'a self, purpose: Option<&'a str>) -> DataRequest<'a> {
        DataRequest {
            unverified_consent: &self.unverified_consent,
            purpose,
            request: RequestFacts {
                method: self.method.as_str(),
                target_uri: &self.target_uri,
                digest: self.digest.as_deref(),
                signature: self.signed.as_deref().map(SignedRequest::fields),
            },
            interaction_id: &self.interaction_id,
        }
    }

    /// Discloses one reading under the consent in the path.
    pub(super) async fn disclose(&self, purpose: Option<&str>, reading: impl Reading) -> Result<Disclosed, Failure> {
        self.app.disclosures.disclose(self.caller(), &self.request(purpose), reading).await
    }

    /// Counts expensive work under its named policy, besides the request itself.
    pub(super) fn count_heavy(&self, policy: &str) -> Result<(), Failure> {
        let client = self.caller().client();
        let (uses, outcome) = self.app.limits.admit_heavy(policy, &client.id.to_string(), &client.limits.0);
        if let Some(log) = &self.log {
            log.add_limits(uses);
        }
        outcome
    }

    /// What the answer needs after the handler has consumed the call.
    fn responder(&self) -> Responder {
        // Cloned, because the handler consumes the call.
        Responder { log: self.log.clone(), clock: self.app.env.clock.clone() }
    }
}

/// Mounts a data handler: it can succeed with a [`Disclosed`] and with nothing else (I1).
pub(super) fn disclosing<S, F, Fut>(routes: Routes, route: &Route, handler: F) -> Routes
where
    S: RequiredScope,
    F: Fn(DataCall<S>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Disclosed, Failure>> + Send,
{
    let handler = move |call: DataCall<S>| async move {
        let responder = call.responder();
        responder.respond(handler(call).await)
    };
    // HEAD and the rest alike, because axum names a method in `Allow` that has a handler of its own.
    routes.route(&route.path, on(route.method, handler).head(only_get).fallback(only_get))
}

/// Every method but GET on data. For HEAD, axum would run the handler for GET and drop the body: a disclosure would be
/// recorded, and the consent's budget spent, for an answer that nobody gets.
async fn only_get() -> Problem {
    Problem::method_not_allowed().with_header(header::ALLOW, HeaderValue::from_static("GET"))
}

/// Mounts a data handler that also takes a body. The caller is authenticated before the body is read.
pub(super) fn disclosing_body<S, B, F, Fut>(routes: Routes, route: &Route, handler: F) -> Routes
where
    S: RequiredScope,
    B: FromRequest<Arc<App>, Rejection = Problem> + Send + 'static,
    F: Fn(DataCall<S>, B) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Disclosed, Failure>> + Send,
{
    let handler = move |call: DataCall<S>, body: B| async move {
        let responder = call.responder();
        responder.respond(handler(call, body).await)
    };
    routes.route(&route.path, on(route.method, handler))
}

/// Makes the HTTP response of a data handler. The consent's budget is known only after the append, so its `RateLimit`
/// fields are added here.
struct Responder {
    log: Option<RequestLog>,
    clock: SharedClock,
}

impl Responder {
    fn respond(self, outcome: Result<Disclosed, Failure>) -> Response {
        let quotas = match &outcome {
            Ok(disclosed) => disclosed.budget().map(|of| of.quotas(self.clock.now())),
            Err(Failure { kind: FailureKind::Spent { quotas, .. }, .. }) => Some(quotas.clone()),
            Err(_) => None,
        };
        if let (Some(log), Some(quotas)) = (self.log, quotas) {
            log.add_limits(quotas);
        }
        match outcome {
            Ok(disclosed) => release(disclosed),
            Err(failure) => Problem::from(failure).into_response(),
        }
    }
}

/// Step 8 of the disclosure cycle: sends the bytes that were recorded, and no others.
fn release(disclosed: Disclosed) -> Response {
    let answer = disclosed.into_answer();
    // Not copied into one buffer: these are the segments that were recorded.
    (answer.headers, Body::new(SegmentedBody::from(answer.body))).into_response()
}

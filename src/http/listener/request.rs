//! One request: who is calling is proved again, what claims an identity is taken out, and everything has a bound.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, Version, header};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Notify;

use super::{
    Answering, Listener, ListenerKind,
    activity::Activity,
    body::{Bounded, Cut, Sending, Verdict},
    peer::Peer,
};
use crate::{http::request_log::INTERACTION_ID, identity::IdentityError};

/// Why the listener itself refuses a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The certificate proves nothing any more.
    Identity(IdentityError),
    /// Changes may have been missed, so nobody can be proved (I3).
    OutOfDate,
    /// The body is larger than it may be.
    BodyTooLarge,
    /// The body took longer than it may.
    BodyTooSlow,
    /// The answer took longer than it may.
    TookTooLong,
}

impl Refusal {
    /// The status code.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Identity(_) => StatusCode::UNAUTHORIZED,
            Self::OutOfDate | Self::TookTooLong => StatusCode::SERVICE_UNAVAILABLE,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// The stable code of its problem document, also its reason in the metrics.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Identity(_) => "certificate_refused",
            Self::OutOfDate => "state_unknown",
            Self::BodyTooLarge => "body_too_large",
            Self::BodyTooSlow => "body_too_slow",
            Self::TookTooLong => "request_timeout",
        }
    }

    /// The reason in one word, for the log.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Identity(error) => error.reason(),
            other => other.code(),
        }
    }

    /// A sentence the caller may read.
    pub const fn detail(self) -> &'static str {
        match self {
            Self::Identity(_) => {
                "The certificate of this connection is not accepted any more. The connection is closed."
            }
            Self::OutOfDate => "The gateway cannot answer this safely at the moment. Try again shortly.",
            Self::BodyTooLarge => "The request's body is larger than it may be.",
            Self::BodyTooSlow => "The request's body took longer than it may.",
            Self::TookTooLong => "The gateway could not answer in time. Try again shortly.",
        }
    }
}

/// What the requests of one connection share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) listener: Arc<Listener>,
    pub(super) who: Peer,
    pub(super) activity: Arc<Activity>,
    /// Told when the connection is to end.
    pub(super) end: Notify,
}

impl Shared {
    /// Proves the connection's identity under the trust of this moment, where it has one (T4).
    pub(super) fn check(&self) -> Result<(), Refusal> {
        let (ListenerKind::Partners(live), Peer::Client(identity)) = (&self.listener.door, &self.who) else {
            return Ok(());
        };
        let now = self.listener.clock.now();
        let material = live.fresh(now).ok_or(Refusal::OutOfDate)?;
        identity.identity().recheck(&material.trust, now).map_err(Refusal::Identity)
    }
}

/// Answers a request.
pub(super) async fn answer(
    shared: Arc<Shared>,
    service: impl Answering,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    let under_way = shared.activity.begin();
    let (named, version) = (naming(request.headers()), request.version());
    let (answer, refused) = match answer_or_refuse(&shared, service, request).await {
        Ok(answer) => (answer, None),
        Err(refusal) => ((shared.listener.render)(&named, refusal), Some(refusal)),
    };
    let (mut parts, body) = answer.into_parts();
    if let Some(refusal) = refused {
        let listener = shared.listener.door.name();
        metrics::counter!("medcredit_refused_total", "listener" => listener, "reason" => refusal.code()).increment(1);
        let address = shared.who.peer();
        let (code, reason) = (refusal.code(), refusal.reason());
        tracing::info!(listener, %address, code, reason, "a request was refused");
        // What is left of the request is not worth reading, or its sender not worth keeping.
        if refusal != Refusal::OutOfDate {
            if version <= Version::HTTP_11 {
                parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            if matches!(refusal, Refusal::Identity(_)) {
                shared.end.notify_one();
            }
        }
    }
    Ok(Response::from_parts(parts, Body::new(Sending::new(body, under_way))))
}

async fn answer_or_refuse(
    shared: &Shared,
    service: impl Answering,
    request: Request<Incoming>,
) -> Result<Response, Refusal> {
    shared.check()?;
    let settings = &shared.listener.settings;
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    let most = settings.max_body_bytes_at(parts.uri.path());
    if body.size_hint().lower() > u64::try_from(most).unwrap_or(u64::MAX) {
        return Err(Refusal::BodyTooLarge);
    }
    remove_claims(&mut parts.headers);
    shared.who.tell(&mut parts.extensions);
    let verdict = Arc::new(Verdict::default());
    let body = if body.is_end_stream() {
        verdict.was_empty();
        Body::empty()
    } else {
        Body::new(Bounded::new(body, most, settings.body_timeout, Arc::clone(&verdict)))
    };
    let answer = tokio::time::timeout(settings.request_timeout, service.answer(Request::from_parts(parts, body)));
    let Ok(mut answer) = answer.await else {
        return Err(Refusal::TookTooLong);
    };
    match verdict.get() {
        Some(Cut::TooLarge) => Err(Refusal::BodyTooLarge),
        Some(Cut::TooSlow) => Err(Refusal::BodyTooSlow),
        None => {
            // The library closes a connection on which a body was left unread. Told so, the client does not send its next
            // request into the closing.
            if version <= Version::HTTP_11 && !verdict.is_read() {
                answer.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(answer)
        }
    }
}

/// The fields by which a request is named: all that a refusal needs of it.
fn naming(headers: &HeaderMap) -> HeaderMap {
    let lines = headers.get_all(&INTERACTION_ID).iter();
    lines.map(|value| (INTERACTION_ID, value.clone())).collect()
}

/// Headers by which proxies tell whom they speak for. There is no proxy here: the TLS peer is the caller (T6).
fn remove_claims(headers: &mut HeaderMap) {
    let claims: Vec<HeaderName> = headers.keys().filter(|name| is_claim(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

fn is_claim(name: &str) -> bool {
    const NAMES: [&str; 10] = [
        "forwarded",
        "x-real-ip",
        "true-client-ip",
        "cf-connecting-ip",
        // RFC 9440.
        "client-cert",
        "client-cert-chain",
        "psd2-cert",
        "tpp-signature-certificate",
        "x-arr-clientcert",
        "x-remote-user",
    ];
    const PREFIXES: [&str; 8] = [
        "x-forwarded-",
        "x-client-",
        "x-ssl-",
        "ssl-",
        "x-tls-",
        "x-amzn-mtls-",
        "x-amzn-oidc-",
        "x-goog-authenticated-",
    ];
    NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_that_claim_an_identity_are_taken_out() {
        // T6.
        let mut headers = HeaderMap::new();
        for name in [
            "x-client-cert",
            "x-forwarded-client-cert",
            "x-forwarded-for",
            "x-ssl-client-cert",
            "x-ssl-client-s-dn",
            "ssl-client-verify",
            "psd2-cert",
            "client-cert",
            "forwarded",
            "x-amzn-mtls-clientcert",
        ] {
            headers.append(name, HeaderValue::from_static("a"));
            headers.append(name, HeaderValue::from_static("b"));
        }
        for name in ["authorization", "content-digest", "x-fapi-interaction-id", "signature", "idempotency-key"] {
            headers.insert(name, HeaderValue::from_static("c"));
        }
        remove_claims(&mut headers);
        assert_eq!(headers.len(), 5);
    }
}

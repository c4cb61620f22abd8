//! Handles one request: verifies the peer again, removes headers that claim an identity, and bounds body and time.

use std::{convert::Infallible, sync::Arc};

use axum::{body::Body, response::Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Version, header};
use hyper::body::{Body as _, Incoming};
use tokio::sync::Notify;

use super::{
    activity::Activity,
    body::{BodyOutcome, CutBody, LimitedBody, TrackedBody},
    kind::{Listener, ListenerKind, RequestHandler},
    peer::Peer,
    refusal::Refusal,
};
use crate::{http::header_names::INTERACTION_ID, telemetry::names_one_host};

/// The state that the requests of one connection share.
#[derive(Debug)]
pub(super) struct ConnectionState {
    pub(super) listener: Arc<Listener>,
    pub(super) peer: Peer,
    pub(super) activity: Arc<Activity>,
    /// Notified when the connection must end.
    pub(super) end: Notify,
}

impl ConnectionState {
    /// Verifies the peer's certificate, if it has one, under the trust of this moment (T4).
    pub(super) fn verify_peer(&self) -> Result<(), Refusal> {
        let (ListenerKind::Partners(live), Peer::Client(identity)) = (&self.listener.kind, &self.peer) else {
            return Ok(());
        };
        let now = self.listener.clock.now();
        let material = live.fresh(&*self.listener.clock).ok_or(Refusal::TrustOutOfDate)?;
        identity.identity().recheck(&material.trust, now).map_err(|error| {
            // By a wrong clock a good certificate, or its list, has expired or is not valid yet.
            match self.listener.clock_trust.check(&*self.listener.clock) {
                Ok(()) => Refusal::Identity(error),
                Err(_) => Refusal::ClockUntrusted,
            }
        })
    }
}

/// Returns the response to a request; a refusal is rendered and logged.
pub(super) async fn handle(
    connection: Arc<ConnectionState>,
    service: impl RequestHandler,
    request: Request<Incoming>,
) -> Result<Response, Infallible> {
    // Active until its response is sent, refusals included.
    let active = connection.activity.begin();
    // Copied: the request is consumed, and a refusal still needs them.
    let (id_headers, version) = (interaction_id_headers(request.headers()), request.version());
    let head = request.method() == Method::HEAD;
    let (response, refused) = match handle_or_refuse(&connection, service, request).await {
        Ok(response) => (response, None),
        Err(refusal) => ((connection.listener.render)(&id_headers, refusal), Some(refusal)),
    };
    let (mut parts, body) = response.into_parts();
    if let Some(refusal) = refused {
        log_refusal(&connection, refusal);
        // The rest of the request is not worth reading, or its sender not worth keeping. Out-of-date trust and a wrong clock
        // pass.
        if !matches!(refusal, Refusal::TrustOutOfDate | Refusal::ClockUntrusted) {
            if version <= Version::HTTP_11 {
                connection.activity.set_body_unread();
                parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            if matches!(refusal, Refusal::Identity(_)) {
                // The whole connection ends, not only this request (T4).
                connection.end.notify_one();
            }
        }
    }
    // Routes drop the body themselves, and problems are rendered after them. Over HTTP/2 hyper would send it, and a client
    // would have to end the connection.
    let body = if head { Body::empty() } else { body };
    Ok(Response::from_parts(parts, Body::new(TrackedBody::new(body, active))))
}

fn log_refusal(connection: &ConnectionState, refusal: Refusal) {
    let listener = connection.listener.kind.name();
    metrics::counter!("medcredit_refused_total", "listener" => listener, "reason" => refusal.code()).increment(1);
    let address = connection.peer.address();
    let (code, reason) = (refusal.code(), refusal.reason());
    tracing::info!(listener, %address, code, reason, "request refused");
}

async fn handle_or_refuse(
    connection: &ConnectionState,
    service: impl RequestHandler,
    request: Request<Incoming>,
) -> Result<Response, Refusal> {
    // On every request: the certificate may have been revoked since the handshake (T4).
    connection.verify_peer()?;
    let settings = &connection.listener.settings;
    let (mut parts, body) = request.into_parts();
    let version = parts.version;
    if !names_one_host(&parts) {
        return Err(Refusal::Host);
    }
    let max_bytes = settings.max_body_bytes_at(parts.uri.path());
    // By the length that it states, before any of it is read.
    if body.size_hint().lower() > u64::try_from(max_bytes).unwrap_or(u64::MAX) {
        return Err(Refusal::BodyTooLarge);
    }
    remove_identity_headers(&mut parts.headers);
    connection.peer.insert_into(&mut parts.extensions);
    let outcome = Arc::new(BodyOutcome::default());
    let body = if body.is_end_stream() {
        outcome.set_read();
        Body::empty()
    } else {
        Body::new(LimitedBody::new(body, max_bytes, settings.body_timeout, Arc::clone(&outcome)))
    };
    let response = tokio::time::timeout(settings.request_timeout, service.handle(Request::from_parts(parts, body)));
    let Ok(mut response) = response.await else {
        return Err(Refusal::RequestTimeout);
    };
    // Only after the handler, which may have reported a cut body as an error of its own or ignored it.
    match outcome.cut() {
        Some(CutBody::TooLarge) => Err(Refusal::BodyTooLarge),
        Some(CutBody::TooSlow) => Err(Refusal::BodyTooSlow),
        None => {
            // Hyper closes an HTTP/1 connection whose body was not read to its end. The header keeps the client from sending
            // its next request into that close.
            if version <= Version::HTTP_11 && !outcome.is_read() {
                connection.activity.set_body_unread();
                response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    }
}

/// The header fields that identify a request: a refusal needs no others.
fn interaction_id_headers(headers: &HeaderMap) -> HeaderMap {
    let lines = headers.get_all(&INTERACTION_ID).iter();
    lines.map(|value| (INTERACTION_ID, value.clone())).collect()
}

/// Removes the headers with which proxies name the client that they forward for. There is no proxy here: the TLS peer is the
/// caller (T6).
fn remove_identity_headers(headers: &mut HeaderMap) {
    // Collected first: the map cannot be changed while its names are read.
    let claims: Vec<HeaderName> = headers.keys().filter(|name| claims_identity(name.as_str())).cloned().collect();
    for name in claims {
        headers.remove(name);
    }
}

fn claims_identity(name: &str) -> bool {
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
    fn headers_that_claim_an_identity_are_removed() {
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
        remove_identity_headers(&mut headers);
        assert_eq!(headers.len(), 5);
    }
}

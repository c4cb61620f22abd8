//! The telemetry listener: `/metrics`, `/healthz` and `/readyz`, plain HTTP/1.1 on the operator's own network.

use std::{convert::Infallible, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::{net::TcpListener, sync::Semaphore};

use super::{Health, Metrics, host::names_one_host};

/// The most open connections. Probes and scrapes need few, and the descriptors of these are set apart from those of banks.
pub const MAX_CONNECTIONS: usize = 32;
/// How long a connection may exist.
const MAX_AGE: Duration = Duration::from_mins(1);

/// How long a client may take to send a request header.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
/// How long active responses may take once the listener stops.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(2);
/// How long the loop pauses when the system cannot accept a connection, such as when it is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// How often samples are moved out of their buffers, even if nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// What the listener serves.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// The metrics, for `/metrics`.
    pub metrics: Metrics,
    /// The checks, for `/readyz`.
    pub health: Health,
}

/// Serves until `shutdown` resolves, then finishes active responses.
pub async fn serve(listener: TcpListener, telemetry: Telemetry, shutdown: impl Future<Output = ()> + Send) {
    let graceful = GracefulShutdown::new();
    let mut shutdown = std::pin::pin!(shutdown);
    let mut upkeep = tokio::time::interval(UPKEEP_INTERVAL);
    let slots = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = upkeep.tick() => {
                telemetry.metrics.upkeep();
                continue;
            }
            () = &mut shutdown => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(error = %error, listener = "telemetry", "a connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        // The stream is dropped where there is none: the client tries again, and the others end within their time.
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let telemetry = telemetry.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = respond(&telemetry, &request.into_parts().0);
            async move { Ok::<_, Infallible>(response) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that disconnects is no error, and one that does not read the response is cut off.
            let _ = tokio::time::timeout(MAX_AGE, connection).await;
            drop(slot);
        });
    }
    drop(listener);
    // A response that takes longer is given up: probes and scrapes are repeated anyway.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
}

fn respond(telemetry: &Telemetry, request: &Parts) -> Response<Full<Bytes>> {
    if !names_one_host(request) {
        let text = "Name the gateway in one `Host` header.\n";
        return plain(StatusCode::BAD_REQUEST, "text/plain; charset=utf-8", text.into());
    }
    if request.method != Method::GET && request.method != Method::HEAD {
        let mut refused = plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "GET only\n".into());
        refused.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refused;
    }
    match request.uri.path() {
        "/metrics" => plain(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", telemetry.metrics.render()),
        // The process responds, so it is alive. Whether it can work is what `/readyz` reports.
        "/healthz" => plain(StatusCode::OK, "text/plain; charset=utf-8", "ok\n".into()),
        "/readyz" => {
            let readiness = telemetry.health.readiness();
            let status = if readiness.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            // Infallible: a map of strings is always valid JSON.
            plain(status, "application/json", serde_json::to_string(&readiness).unwrap_or_default())
        }
        _ => plain(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "/metrics, /healthz, /readyz\n".into()),
    }
}

fn plain(status: StatusCode, content_type: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

//! The telemetry listener: `/metrics`, `/healthz` and `/readyz`, plain HTTP/1.1 on the operator's own network.

use std::{convert::Infallible, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
};
use tokio::net::TcpListener;

use super::{Health, Metrics};

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
        let telemetry = telemetry.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let response = respond(&telemetry, request.method(), request.uri().path());
            async move { Ok::<_, Infallible>(response) }
        });
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
        let connection = graceful.watch(builder.serve_connection(TokioIo::new(stream), service));
        tokio::spawn(async move {
            // A client that disconnects is no error.
            let _ = connection.await;
        });
    }
    drop(listener);
    // A response that takes longer is given up: probes and scrapes are repeated anyway.
    let _ = tokio::time::timeout(DRAIN_TIMEOUT, graceful.shutdown()).await;
}

fn respond(telemetry: &Telemetry, method: &Method, path: &str) -> Response<Full<Bytes>> {
    if method != Method::GET && method != Method::HEAD {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", "GET only\n".into());
    }
    match path {
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
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    response
}

//! Serves a connection from its handshake to its end.

use std::{pin::pin, sync::Arc, time::Duration};

use hyper::{
    body::Incoming,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::graceful::GracefulConnection,
};
use tokio::{net::TcpStream, sync::watch, time::Instant};
use tokio_rustls::server::TlsStream;

use super::{
    framing::Framing,
    kind::RequestHandler,
    monitored_io::MonitoredIo,
    refusal::Refusal,
    request::{self, ConnectionState},
    settings::Settings,
};

/// How often a connection is checked.
const TICK: Duration = Duration::from_millis(250);
/// After how many streams a connection is closed that the client resets before they are accepted, or that fail with errors:
/// the defence against rapid reset (CVE-2023-44487) and its successors. Hyper's defaults, pinned.
const MAX_PENDING_ACCEPT_RESETS: usize = 20;
const MAX_LOCAL_ERROR_RESETS: usize = 256;
/// How much of a response is buffered for a client that does not read.
const MAX_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// How much of the bodies of a connection a client may send that nobody reads: what an HTTP/2 connection can hold in memory
/// before its client is proved. Of an upload, this much is sent in a round trip.
const WINDOW_BYTES: u32 = 128 * 1024;
/// How often a silent HTTP/2 client is pinged, and how long it has to reply.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);

/// Serves a connection to its end, with the protocol that ALPN negotiated.
pub(super) async fn serve(
    connection: Arc<ConnectionState>,
    stream: TlsStream<TcpStream>,
    service: impl RequestHandler,
    stopping: watch::Receiver<bool>,
) {
    let settings = &connection.listener.settings;
    // A client that negotiates no protocol gets HTTP/1.1.
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let state = Arc::clone(&connection);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        request::handle(Arc::clone(&state), service.clone(), request)
    });
    let framing = (!h2).then(|| Framing::new(usize::try_from(settings.max_header_bytes).unwrap_or(usize::MAX)));
    let name = connection.listener.kind.name();
    let stream = TokioIo::new(MonitoredIo::new(stream, framing, Arc::clone(&connection.activity), name));
    if h2 {
        drive(http2_builder(settings).serve_connection(stream, service), &connection, stopping).await;
    } else {
        drive(http1_builder(settings).serve_connection(stream, service), &connection, stopping).await;
    }
}

fn http1_builder(settings: &Settings) -> http1::Builder {
    let max = usize::try_from(settings.max_header_bytes).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // Hyper counts the idle time before a header too, so this bounds both together; `drive` bounds each alone.
        .header_read_timeout(settings.idle_timeout + settings.header_timeout)
        .max_header_size(max)
        // Hyper panics on a maximum below 8192.
        .max_buf_size(max.max(8192) + 8192)
        .half_close(false)
        .keep_alive(true);
    builder
}

fn http2_builder(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_concurrent_streams)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(settings.max_header_bytes)
        .max_pending_accept_reset_streams(MAX_PENDING_ACCEPT_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_ERROR_RESETS)
        .max_send_buf_size(MAX_SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_INTERVAL)
        .keep_alive_timeout(PING_TIMEOUT);
    builder
}

/// What a check of a connection decides.
enum Decision {
    /// The connection stays open.
    Keep,
    /// The connection takes no more requests and ends after the active ones.
    Drain(&'static str),
    /// The connection is closed immediately.
    Close(&'static str),
}

fn check(connection: &ConnectionState, since: Instant, draining_since: Option<Instant>) -> Decision {
    let (settings, activity, now) = (&connection.listener.settings, &connection.activity, Instant::now());
    // First: no activity extends the drain time.
    if draining_since.is_some_and(|since| now.duration_since(since) >= settings.drain_timeout) {
        return Decision::Close("drained");
    }
    if activity.header_for(now).is_some_and(|time| time >= settings.header_timeout) {
        return Decision::Close("slow_header");
    }
    // The response is due within the request's time, and the drain time is for reading it. Of what is buffered already, the
    // client must read something within the request's time.
    let reading = settings.request_timeout + settings.drain_timeout;
    if activity.oldest_request(now).is_some_and(|time| time >= reading)
        || activity.unread_for(now).is_some_and(|time| time >= settings.request_timeout)
    {
        return Decision::Close("slow_reader");
    }
    if now.duration_since(since) >= settings.max_connection_age {
        return Decision::Drain("age");
    }
    if activity.idle_for(now).is_some_and(|time| time >= settings.idle_timeout) {
        return Decision::Drain("idle");
    }
    match connection.verify_peer() {
        Err(Refusal::Identity(_)) => Decision::Drain("identity"),
        // Out-of-date trust passes: requests are refused while it lasts, and the connection stays.
        _ => Decision::Keep,
    }
}

async fn drive<C: GracefulConnection>(driven: C, connection: &ConnectionState, mut stopping: watch::Receiver<bool>) {
    let mut driven = pin!(driven);
    let name = connection.listener.kind.name();
    let since = Instant::now();
    let mut draining_since: Option<Instant> = None;
    let mut ticks = tokio::time::interval(TICK);
    // After a stall one check is enough: the missed ones would only repeat it.
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let decision = tokio::select! {
            // The result is ignored: a client can cause any error of its connection.
            _ = driven.as_mut() => return,
            () = connection.end.notified(), if draining_since.is_none() => Decision::Drain("identity"),
            // An error means that the sender is gone, and then the gateway is stopping too.
            _ = stopping.wait_for(|stopping| *stopping), if draining_since.is_none() => Decision::Drain("shutdown"),
            _ = ticks.tick() => check(connection, since, draining_since),
        };
        match decision {
            Decision::Close(reason) => {
                metrics::counter!("medcredit_connections_ended_total", "listener" => name, "reason" => reason)
                    .increment(1);
                return;
            }
            Decision::Drain(reason) if draining_since.is_none() => {
                metrics::counter!("medcredit_connections_ended_total", "listener" => name, "reason" => reason)
                    .increment(1);
                draining_since = Some(Instant::now());
                driven.as_mut().graceful_shutdown();
            }
            Decision::Drain(_) | Decision::Keep => {}
        }
    }
}

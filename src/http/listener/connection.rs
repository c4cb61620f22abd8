//! A connection from its handshake to its end.

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
    Answering, Settings,
    framing::Framing,
    monitored_io::Watched,
    request::{self, Shared},
};

/// How often a connection is looked at.
const TICK: Duration = Duration::from_millis(250);
/// Streams that were reset before they were accepted, and that we reset for their errors, before the connection is given
/// up: what is left of a rapid reset (CVE-2023-44487) and of its successors. The library's own defaults, pinned.
const MAX_PENDING_ACCEPT_RESETS: usize = 20;
const MAX_LOCAL_ERROR_RESETS: usize = 256;
/// How much of a stream's answer waits for a client that does not read.
const MAX_SEND_BUFFER_BYTES: usize = 64 * 1024;
/// A client that is silent is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// Serves a connection to its end, by the protocol ALPN agreed on.
pub(super) async fn serve(
    shared: Arc<Shared>,
    stream: TlsStream<TcpStream>,
    service: impl Answering,
    stopping: watch::Receiver<bool>,
) {
    let settings = &shared.listener.settings;
    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
    let answering = Arc::clone(&shared);
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        request::answer(Arc::clone(&answering), service.clone(), request)
    });
    let framing = (!h2).then(|| Framing::new(usize::try_from(settings.max_header_bytes).unwrap_or(usize::MAX)));
    let stream = TokioIo::new(Watched::new(stream, framing, Arc::clone(&shared.activity), shared.listener.door.name()));
    if h2 {
        drive(http2_builder(settings).serve_connection(stream, service), &shared, stopping).await;
    } else {
        drive(http1_builder(settings).serve_connection(stream, service), &shared, stopping).await;
    }
}

fn http1_builder(settings: &Settings) -> http1::Builder {
    let most = usize::try_from(settings.max_header_bytes).unwrap_or(usize::MAX);
    let mut builder = http1::Builder::new();
    builder
        .timer(TokioTimer::new())
        // The library counts the silence before a header too, so this bounds both together; each has its own bound in
        // `drive`.
        .header_read_timeout(settings.idle_timeout + settings.header_timeout)
        .max_header_size(most)
        .max_buf_size(most.max(8192) + 8192)
        .half_close(false)
        .keep_alive(true);
    builder
}

fn http2_builder(settings: &Settings) -> http2::Builder<TokioExecutor> {
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(settings.max_concurrent_streams)
        .max_header_list_size(settings.max_header_bytes)
        .max_pending_accept_reset_streams(MAX_PENDING_ACCEPT_RESETS)
        .max_local_error_reset_streams(MAX_LOCAL_ERROR_RESETS)
        .max_send_buf_size(MAX_SEND_BUFFER_BYTES)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN);
    builder
}

/// What a look at a connection says.
enum Look {
    /// It goes on.
    Keep,
    /// It takes no more requests and ends with those it has.
    End(&'static str),
    /// It ends now.
    Cut(&'static str),
}

fn look(shared: &Shared, since: Instant, ending_since: Option<Instant>) -> Look {
    let (settings, activity, now) = (&shared.listener.settings, &shared.activity, Instant::now());
    if ending_since.is_some_and(|since| now.duration_since(since) >= settings.drain_timeout) {
        return Look::Cut("drained");
    }
    if activity.header_for(now).is_some_and(|time| time >= settings.header_timeout) {
        return Look::Cut("slow_header");
    }
    // The answer was due within the request's time; the rest is the client's for reading it. Of what the library holds
    // already, it must read something all the time.
    let reading = settings.request_timeout + settings.drain_timeout;
    if activity.oldest_request(now).is_some_and(|time| time >= reading)
        || activity.unread_for(now).is_some_and(|time| time >= settings.request_timeout)
    {
        return Look::Cut("slow_reader");
    }
    if now.duration_since(since) >= settings.max_connection_age {
        return Look::End("age");
    }
    if activity.idle_for(now).is_some_and(|time| time >= settings.idle_timeout) {
        return Look::End("idle");
    }
    match shared.check() {
        Err(request::Refusal::Identity(_)) => Look::End("identity"),
        // Out of date is a state that passes; requests are refused while it lasts.
        _ => Look::Keep,
    }
}

async fn drive<C: GracefulConnection>(connection: C, shared: &Shared, mut stopping: watch::Receiver<bool>) {
    let mut connection = pin!(connection);
    let name = shared.listener.door.name();
    let since = Instant::now();
    let mut ending_since: Option<Instant> = None;
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let look = tokio::select! {
            _ = connection.as_mut() => return,
            () = shared.end.notified(), if ending_since.is_none() => Look::End("identity"),
            // The sender outlives every connection; were it gone, the gateway would be stopping too.
            _ = stopping.wait_for(|stopping| *stopping), if ending_since.is_none() => Look::End("shutdown"),
            _ = ticks.tick() => look(shared, since, ending_since),
        };
        match look {
            Look::Cut(reason) => {
                metrics::counter!("medcredit_connections_ended_total", "listener" => name, "reason" => reason)
                    .increment(1);
                return;
            }
            Look::End(reason) if ending_since.is_none() => {
                metrics::counter!("medcredit_connections_ended_total", "listener" => name, "reason" => reason)
                    .increment(1);
                ending_since = Some(Instant::now());
                connection.as_mut().graceful_shutdown();
            }
            Look::End(_) | Look::Keep => {}
        }
    }
}

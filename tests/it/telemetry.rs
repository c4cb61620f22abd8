//! The telemetry listener, as a monitoring system calls it.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use medcredit::telemetry::{Health, MAX_CONNECTIONS, Telemetry, install_metrics, serve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::block_on;

/// The status and body of an answer.
async fn get(address: std::net::SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn a_monitoring_system_reads_metrics_and_health() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, metrics) = (Health::new(), install_metrics());
        let healthy = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&healthy);
        health.require("changes", move || {
            state.load(Ordering::SeqCst).then_some(()).ok_or_else(|| "no changes read for 1.2 s".into())
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let telemetry = Telemetry { metrics, health: health.clone() };
        let served = tokio::spawn(serve(listener, telemetry, async move { drop(stopped.await) }));

        metrics::counter!("medcredit_test_events_total", "code" => "x").increment(3);
        metrics::histogram!("medcredit_test_seconds").record(0.004);
        let (status, body) = get(address, "GET /metrics").await;
        assert_eq!(status, 200);
        assert!(body.contains("medcredit_build_info{version="), "{body}");
        assert!(body.contains(r#"medcredit_test_events_total{code="x"} 3"#), "{body}");
        assert!(body.contains(r#"medcredit_test_seconds_bucket{le="0.005"} 1"#), "{body}");

        assert_eq!(get(address, "GET /healthz").await, (200, "ok\n".into()));
        assert_eq!(get(address, "GET /readyz").await, (200, r#"{"ready":true,"checks":{"changes":"ok"}}"#.into()));
        healthy.store(false, Ordering::SeqCst);
        let (status, body) = get(address, "GET /readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (503, r#"{"ready":false,"checks":{"changes":"no changes read for 1.2 s"}}"#)
        );
        healthy.store(true, Ordering::SeqCst);
        health.drain();
        let (status, body) = get(address, "GET /readyz").await;
        assert!(status == 503 && body.contains("shutting down"), "a draining process is not ready: {body}");
        assert_eq!(get(address, "GET /healthz").await.0, 200, "but it is alive");

        assert_eq!(get(address, "GET /secrets").await.0, 404);
        assert_eq!(get(address, "POST /metrics").await.0, 405);
        stop.send(()).unwrap();
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
    });
}

#[test]
fn a_request_names_one_host_there_too() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let telemetry = Telemetry { metrics: install_metrics(), health: Health::new() };
        let served = tokio::spawn(serve(listener, telemetry, std::future::pending()));
        for (hosts, expected) in
            [("", 400), ("Host: a\r\nHost: a\r\n", 400), ("Host: a, b\r\n", 400), ("Host: 127.0.0.1:9464\r\n", 200)]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{hosts:?}: {answer}");
        }
        served.abort();
    });
}

#[test]
fn connections_are_few_and_a_silent_one_ends() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let telemetry = Telemetry { metrics: install_metrics(), health: Health::new() };
        let served = tokio::spawn(serve(listener, telemetry, std::future::pending()));
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut beyond = TcpStream::connect(address).await.unwrap();
        assert_eq!(beyond.read(&mut [0]).await.unwrap_or(0), 0, "closed without an answer");
        // Those before it end by the time that a header may take, and make room.
        for mut stream in silent {
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(std::time::Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "a silent connection ends");
        }
        assert_eq!(get(address, "GET /healthz").await.0, 200);
        served.abort();
    });
}

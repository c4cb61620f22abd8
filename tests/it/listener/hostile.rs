//! Hostile clients (T6; negative test 39).

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use medcredit::http::listener::settings::Settings;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::test_listener::{TestListener, read_to_end, settings, socket_from, status};
use crate::support::{
    block_on,
    pki::{TestCa, TestCertificate},
};

const SHORT: Duration = Duration::from_millis(300);

async fn open(settings: Settings) -> (TestListener, TestCertificate) {
    let ca = TestCa::root("Bank CA");
    let bank = ca.bank("bank-a", 7);
    (TestListener::open(settings, vec![ca.anchor(vec![ca.list(&[])])]).await, bank)
}

#[test]
fn headers_that_claim_an_identity_reach_no_handler() {
    // A bank that names another bank in the headers of proxies (T6).
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let text = "GET /headers HTTP/1.1\r\nhost: a\r\nX-Client-Cert: x\r\nX-Forwarded-Client-Cert: x\r\nPSD2-CERT: x\r\n\
            X-SSL-Client-S-DN: CN=other\r\nForwarded: for=192.0.2.1\r\nx-fapi-interaction-id: x\r\nconnection: close\r\n\r\n";
        let answer = listener.send(Some(&bank), text).await.unwrap();
        assert!(answer.ends_with("\r\n\r\nconnection,host,x-fapi-interaction-id"), "{answer}");
    });
}

#[test]
fn smuggled_requests_are_refused_and_never_handled() {
    // Requests that another parser could read as two.
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let hidden = "GET /hidden HTTP/1.1\r\nhost: a\r\n\r\n";
        let cases = [
            format!(
                "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"
            ),
            format!(
                "POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\ncontent-length: 4\r\n\r\n0\r\n\r\n{hidden}"
            ),
            format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 38\r\n\r\n{hidden}"),
            format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\ncontent-length: 0\r\n\r\n{hidden}"),
            format!("GET / HTTP/1.1\nhost: a\n\n{hidden}"),
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: b\ncontent-length: 0\r\n\r\n{hidden}"),
            format!("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
            format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length : 0\r\n\r\n{hidden}"),
            format!("GET / HTTP/1.1\r\nhost: a\r\n folded: b\r\n\r\n{hidden}"),
            format!("GET / HTTP/1.1\r\nhost: a\r\nx: a\0b\r\n\r\n{hidden}"),
        ];
        for text in cases {
            let answer = listener.send(Some(&bank), &text).await.unwrap();
            assert_eq!(status(&answer), 400, "{text:?}\n{answer}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{text:?}\n{answer}");
        }
        // A chunk whose framing is not strict ends the request that it belongs to.
        let chunk =
            format!("POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\nabc\r\n0\r\n\r\n{hidden}");
        let answer = listener.send(Some(&bank), &chunk).await.unwrap_or_default();
        assert!(answer.is_empty() || status(&answer) >= 400, "{answer}");
        assert_eq!(listener.handlers.hidden.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn a_request_that_names_no_host_or_two_is_refused() {
    // What another parser could route by the other name.
    block_on(async {
        let (listener, bank) = open(settings()).await;
        for hosts in
            ["", "host: a\r\nhost: a\r\n", "host: a\r\nHost: b\r\n", "host:\r\n", "host: a, b\r\n", "host: b@a\r\n"]
        {
            let text = format!("GET / HTTP/1.1\r\n{hosts}\r\n");
            let answer = listener.send(Some(&bank), &text).await.unwrap();
            assert_eq!(status(&answer), 400, "{text:?}\n{answer}");
            assert!(answer.ends_with("host_invalid"), "{text:?}\n{answer}");
        }
        let h2 = listener.h2(&bank).await;
        let mut send = h2.send.clone().ready().await.unwrap();
        let request = http::Request::get("https://localhost/").header("host", "other").body(()).unwrap();
        let (response, _) = send.send_request(request, true).unwrap();
        assert_eq!(response.await.unwrap().status(), 400);
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 0);
        assert_eq!(h2.get("/").await.unwrap().0, 200, "other requests of the connection still work");
    });
}

#[test]
fn pipelined_requests_are_each_answered() {
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let text = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\na\nb\
            POST /echo HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3\r\nc\nd\r\n0\r\n\r\n\
            GET /hidden HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let answer = listener.send(Some(&bank), text).await.unwrap();
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 3, "{answer}");
        assert_eq!(listener.handlers.hidden.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_body_that_is_too_large_is_refused() {
    // Too large with and without Content-Length, over both protocols.
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let announced = "POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 1001\r\n\r\n";
        let answer = listener.send(Some(&bank), announced).await.unwrap();
        assert_eq!(status(&answer), 413, "{answer}");
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 0);
        // `/read` ignores the error of the cut body: the listener refuses all the same.
        let unannounced = format!(
            "POST /read HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n{}\r\n0\r\n\r\n",
            "x".repeat(1001)
        );
        let answer = listener.send(Some(&bank), &unannounced).await.unwrap();
        assert_eq!(status(&answer), 413, "{answer}");
        assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
        let largest = format!(
            "POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n{}",
            "x".repeat(1000)
        );
        assert!(listener.send(Some(&bank), &largest).await.unwrap().ends_with("\r\n\r\n1000"));
        let h2 = listener.h2(&bank).await;
        let mut send = h2.send.clone().ready().await.unwrap();
        let request = http::Request::post("https://localhost/read").body(()).unwrap();
        let (response, mut body) = send.send_request(request, false).unwrap();
        body.send_data(vec![b'x'; 1001].into(), true).unwrap();
        assert_eq!(response.await.unwrap().status(), 413);
        assert_eq!(h2.get("/").await.unwrap().0, 200, "other requests of the connection still work");
    });
}

#[test]
fn a_response_to_an_unread_body_announces_the_close() {
    // A request that is refused before its body is read: the next one must not meet a closing connection.
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let last = "GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        let unread = format!("POST /whoami HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc{last}");
        let answer = listener.send(Some(&bank), &unread).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 405") && answer.matches("HTTP/1.1").count() == 1, "{answer}");
        assert!(answer.contains("connection: close"), "{answer}");
        let read = format!("POST /echo HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\n\r\nabc{last}");
        let answer = listener.send(Some(&bank), &read).await.unwrap();
        assert_eq!(answer.matches("HTTP/1.1 200").count(), 2, "{answer}");
        assert_eq!(answer.matches("connection: close").count(), 1, "{answer}");
    });
}

#[test]
fn a_slow_body_is_refused() {
    // A bank that sends a byte now and then, and one that stops.
    block_on(async {
        let (listener, bank) = open(Settings { body_timeout: SHORT, ..settings() }).await;
        let head = b"POST /read HTTP/1.1\r\nhost: a\r\ncontent-length: 500\r\n\r\n";
        let mut stops = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        stops.write_all(head).await.unwrap();
        let answer = read_to_end(&mut stops).await.unwrap();
        assert_eq!(status(&answer), 408, "{answer}");
        let (mut reads, mut drips) = tokio::io::split(listener.connect(Some(&bank), &["http/1.1"]).await.unwrap());
        drips.write_all(head).await.unwrap();
        let dripping = tokio::spawn(async move {
            while drips.write_all(b"x").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        let mut answer = vec![0; 12];
        reads.read_exact(&mut answer).await.unwrap();
        assert_eq!(answer, b"HTTP/1.1 408");
        dripping.abort();
    });
}

#[test]
fn a_slow_header_ends_the_connection() {
    // A client that sends a header byte by byte (slowloris), on a new and on a kept connection.
    block_on(async {
        let (listener, bank) = open(Settings { header_timeout: SHORT, ..settings() }).await;
        for before in ["", "GET / HTTP/1.1\r\nhost: a\r\n\r\n"] {
            let (mut reads, mut drips) = tokio::io::split(listener.connect(Some(&bank), &["http/1.1"]).await.unwrap());
            drips.write_all(before.as_bytes()).await.unwrap();
            drips.write_all(b"GET / HTTP/1.1\r\nx: ").await.unwrap();
            let dripping = tokio::spawn(async move {
                while drips.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            });
            let mut answer = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(5), reads.read_to_end(&mut answer)).await;
            assert!(ended.is_ok(), "the connection ends");
            dripping.abort();
        }
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn a_request_that_takes_too_long_is_refused() {
    block_on(async {
        let (listener, bank) = open(Settings { request_timeout: SHORT, ..settings() }).await;
        assert_eq!(listener.h2(&bank).await.get("/wait").await.unwrap(), (503, "request_timeout".into()));
    });
}

#[test]
fn a_response_that_is_not_read_is_cut() {
    block_on(async {
        let (listener, bank) = open(Settings { request_timeout: SHORT, drain_timeout: SHORT, ..settings() }).await;
        let mut connection = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        connection.write_all(b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let mut bytes = Vec::new();
        let _ = connection.read_to_end(&mut bytes).await;
        assert!(bytes.len() < 64 << 20, "it was cut");
    });
}

#[test]
fn a_header_that_is_too_large_is_refused() {
    // A bank with a header of 20 KiB, and one with a thousand of them.
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let large = format!("GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n", "x".repeat(20_000));
        assert_eq!(status(&listener.send(Some(&bank), &large).await.unwrap()), 431);
        let many = "x-many: 1\r\n".repeat(1000);
        let answer = listener.send(Some(&bank), &format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n")).await.unwrap();
        assert_eq!(status(&answer), 431);
        let h2 = listener.h2(&bank).await;
        let mut send = h2.send.clone().ready().await.unwrap();
        let request = http::Request::get("https://localhost/").header("x", "x".repeat(20_000)).body(()).unwrap();
        let (response, _) = send.send_request(request, true).unwrap();
        match response.await {
            Ok(response) => assert_eq!(response.status(), 431),
            Err(error) => assert!(error.is_remote(), "{error}"),
        }
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 0);
    });
}

#[test]
fn unfinished_handshakes_are_capped_and_time_out() {
    // Connections from one address that send nothing; a bank at another address.
    block_on(async {
        let limits = Settings {
            handshake_timeout: Duration::from_secs(2),
            max_handshakes: 300,
            max_handshakes_per_address: 200,
            ..settings()
        };
        let (listener, bank) = open(limits).await;
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(socket_from(2, listener.address).await);
        }
        let mut one_more = socket_from(2, listener.address).await;
        assert!(closes(&mut one_more).await, "beyond the cap a connection is closed immediately");
        assert_eq!(status(&listener.get(Some(&bank), "/").await.unwrap()), 200, "a bank can still connect");
        for socket in &mut idle {
            assert!(closes(socket).await, "an unfinished handshake times out");
        }
        let mut again = socket_from(2, listener.address).await;
        let waits = tokio::time::timeout(Duration::from_millis(200), closes(&mut again)).await;
        assert!(waits.is_err(), "the slots were released");
    });
}

async fn closes(socket: &mut TcpStream) -> bool {
    let mut byte = [0];
    let read = tokio::time::timeout(Duration::from_secs(10), socket.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[test]
fn connections_are_capped_in_all_and_per_certificate() {
    // A bank with too many connections, and another bank.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let limits = Settings { max_connections_per_client: 2, max_connections: 4, ..settings() };
        let listener = TestListener::open(limits, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let (greedy, other) = (ca.bank("bank-a", 7), ca.bank("bank-b", 8));
        let (first, second) = (listener.h2(&greedy).await, listener.h2(&greedy).await);
        assert_eq!((first.get("/").await.unwrap().0, second.get("/").await.unwrap().0), (200, 200));
        assert!(listener.get(Some(&greedy), "/").await.map_or(true, |answer| answer.is_empty()));
        let (third, fourth) = (listener.h2(&other).await, listener.h2(&other).await);
        assert_eq!((third.get("/").await.unwrap().0, fourth.get("/").await.unwrap().0), (200, 200));
        assert!(listener.connect(Some(&ca.bank("bank-c", 9)), &["h2"]).await.is_err(), "no slot is left");
        drop(first.send);
        // The client ends the connection: how does not matter.
        let _ = first.ended.await.unwrap();
        let free = Arc::new(listener);
        for _ in 0..100 {
            if free.get(Some(&greedy), "/").await.is_ok_and(|answer| answer.contains(" 200 ")) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the slot was not released");
    });
}

#[test]
fn streams_of_a_connection_are_capped() {
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let h2 = listener.h2(&bank).await;
        assert_eq!(h2.get("/").await.unwrap().0, 200);
        assert_eq!(h2.send.current_max_send_streams(), 64);
    });
}

#[test]
fn a_rapid_reset_ends_the_connection() {
    // A client that opens requests only to reset them (CVE-2023-44487).
    block_on(async {
        let (listener, bank) = open(settings()).await;
        let h2 = listener.h2(&bank).await;
        let mut reset = 0_usize;
        for _ in 0..20_000 {
            let Ok(mut send) = h2.send.clone().ready().await else { break };
            let request = http::Request::get("https://localhost/wait").body(()).unwrap();
            let Ok((_, mut stream)) = send.send_request(request, true) else { break };
            stream.send_reset(h2::Reason::CANCEL);
            reset += 1;
            if reset.is_multiple_of(50) {
                tokio::task::yield_now().await;
            }
        }
        let ended =
            tokio::time::timeout(Duration::from_secs(10), h2.ended).await.expect("the connection ends").unwrap();
        // ENHANCE_YOUR_CALM, unless the connection is gone before the client reads it.
        ended.expect_err("not gracefully");
        assert!(reset < 20_000, "it ended before the client had finished");
        assert_eq!(status(&listener.get(Some(&bank), "/").await.unwrap()), 200, "others are still served");
    });
}

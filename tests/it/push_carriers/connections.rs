//! Connections that are not made, break off, or take too long.

use std::time::Duration;

use medcredit::push::{
    carrier::{FailureReason, https::Https},
    platform::HttpsSettings,
};
use tokio::net::TcpListener;

use super::{
    package, rows,
    sink::{Act, Sink, deliver},
};
use crate::support::block_on;

async fn failure(sink: &Sink, settings: HttpsSettings) -> (FailureReason, String) {
    let failed = deliver(&sink.carrier_with(settings), &package(1, 1), &rows(0..1)).await.unwrap_err();
    assert!(!failed.permanent, "{failed}");
    (failed.reason, failed.detail)
}

#[test]
fn an_address_outside_the_networks_gets_no_connection() {
    block_on(async {
        let sink = Sink::open().await;
        let outside = vec!["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let settings = HttpsSettings { allow: outside.clone(), ..sink.settings() };
        let (reason, detail) = failure(&sink, settings).await;
        assert_eq!(reason, FailureReason::Network);
        assert!(detail.contains("127.0.0.1") && detail.contains("10.0.0.0/8, 2001:db8::/32"), "{detail}");
        // An address in the URL passes no resolver.
        for host in ["127.0.0.1", "0x7f.1"] {
            let url = format!("https://{host}:{}/credit", sink.address.port());
            let settings = HttpsSettings { url: url.parse().unwrap(), allow: outside.clone(), ..sink.settings() };
            let key = sink.key.clone();
            let refused =
                Https::new(settings, std::sync::Arc::new(move || key.clone()), sink.clock.clone()).unwrap_err();
            assert!(refused.to_string().contains("127.0.0.1"), "{refused}");
        }
        assert_eq!(sink.connections(), 0, "not even a connection was made");
    });
}

#[test]
fn an_address_in_the_url_is_connected_to_where_it_is_allowed() {
    block_on(async {
        let sink = Sink::open_for(&["127.0.0.1"]).await;
        let url = format!("https://127.0.0.1:{}/credit", sink.address.port());
        let settings = HttpsSettings { url: url.parse().unwrap(), ..sink.settings() };
        deliver(&sink.carrier_with(settings), &package(1, 1), &rows(0..1)).await.unwrap();
    });
}

#[test]
fn a_receiver_that_is_not_there_refuses() {
    block_on(async {
        let sink = Sink::open().await;
        // A port that was free a moment ago.
        let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
        let settings = HttpsSettings { url: format!("https://localhost:{free}").parse().unwrap(), ..sink.settings() };
        let (reason, detail) = failure(&sink, settings).await;
        assert_eq!(reason, FailureReason::Refused, "{detail}");
        // RFC 6761: the top-level domain .invalid has no names.
        let settings = HttpsSettings { url: "https://platform.invalid".parse().unwrap(), ..sink.settings() };
        let (reason, detail) = failure(&sink, settings).await;
        assert_eq!(reason, FailureReason::Name, "{detail}");
        assert!(detail.contains("platform.invalid"), "{detail}");
    });
}

#[test]
fn a_receiver_that_hangs_is_given_up_in_time() {
    block_on(async {
        let sink = Sink::open().await;
        sink.script([Act::Hang]);
        let settings = HttpsSettings { timeout: Duration::from_millis(300), ..sink.settings() };
        let (reason, detail) = failure(&sink, settings).await;
        assert_eq!(reason, FailureReason::Timeout, "{detail}");
        assert!(detail.contains("same key"), "{detail}");
        // Accepted by the kernel, and never by a program: the handshake has no end.
        let deaf = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", deaf.local_addr().unwrap().port());
        let settings =
            HttpsSettings { url: url.parse().unwrap(), timeout: Duration::from_millis(300), ..sink.settings() };
        let (reason, detail) = failure(&sink, settings).await;
        assert_eq!(reason, FailureReason::Timeout, "{detail}");
    });
}

#[test]
fn an_answer_that_breaks_off_is_no_answer() {
    block_on(async {
        let sink = Sink::open().await;
        sink.script([Act::Half, Act::Close]);
        let carrier = sink.carrier();
        for status in [Some(200), None] {
            let failed = deliver(&carrier, &package(1, 1), &rows(0..1)).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Closed, false), "{failed}");
            assert_eq!(failed.receipt.status, status);
        }
    });
}

#[test]
fn a_port_that_speaks_no_tls_is_said_to() {
    block_on(async {
        let sink = Sink::open().await;
        let plain = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", plain.local_addr().unwrap().port());
        tokio::spawn(async move {
            loop {
                let (mut socket, _) = plain.accept().await.unwrap();
                let _ = tokio::io::AsyncWriteExt::write_all(&mut socket, b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
            }
        });
        let (reason, detail) = failure(&sink, HttpsSettings { url: url.parse().unwrap(), ..sink.settings() }).await;
        assert_eq!(reason, FailureReason::Tls, "{detail}");
        assert!(detail.contains("does not speak TLS"), "{detail}");
    });
}

//! Open connections while trust, certificates and the gateway change (T4; negative tests 10 and 12).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use medcredit::{
    authority::Live,
    domain::{Clock as _, ManualClock},
    http::listener::settings::Settings,
};
use tokio::io::AsyncWriteExt as _;

use super::test_listener::{TestListener, eventually, material, read_to_end, settings, status};
use crate::support::{
    block_on,
    pki::{DAY, NOW, TestCa, trust},
};

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_certificate_revoked_while_http_2_is_open_ends_the_connection() {
    // A bank whose certificate is revoked between two requests (negative test 10), and one whose certificate is not.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let (leaked, other) = (listener.h2(&ca.bank("bank-a", 7)).await, listener.h2(&ca.bank("bank-b", 8)).await);
        assert_eq!(leaked.get("/").await.unwrap().0, 200);
        assert_eq!(other.get("/").await.unwrap().0, 200);
        listener.trust(trust(2, vec![ca.anchor(vec![ca.list(&[7])])]));
        // The next request may meet the 401 or, a moment later, the end of the connection; never a 200.
        if let Ok((status, text)) = leaked.get("/").await {
            assert_eq!((status, text.as_str()), (401, "certificate_refused"));
        }
        leaked.ends().await;
        assert_eq!(other.get("/").await.unwrap().0, 200);
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 3, "the refused request reached no handler");
    });
}

#[test]
fn a_refused_request_closes_an_http_1_connection() {
    // A bank on a keep-alive connection, revoked between two requests.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let mut connection = listener.connect(Some(&ca.bank("bank-a", 7)), &["http/1.1"]).await.unwrap();
        connection.write_all(REQUEST).await.unwrap();
        eventually(|| listener.handlers.handled.load(Ordering::SeqCst) == 1).await;
        listener.trust(trust(2, vec![ca.anchor(vec![ca.list(&[7])])]));
        let _ = connection.write_all(REQUEST).await;
        let answers = read_to_end(&mut connection).await.unwrap();
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        assert!(answers.matches("HTTP/1.1 200").count() == 1, "{answers}");
        assert_eq!(listener.handlers.handled.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_idle_connection_ends_when_its_certificate_or_list_does() {
    // Idle banks: one is revoked, the authority of one is removed, the list of one goes stale by time alone.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let anchors = |revoked: &[u64]| vec![ca.anchor(vec![ca.list(revoked)])];
        let listener = TestListener::open(settings(), anchors(&[])).await;
        let revoked = listener.h2(&bank).await;
        assert_eq!(revoked.get("/").await.unwrap().0, 200);
        listener.trust(trust(2, anchors(&[7])));
        revoked.ends().await;
        listener.trust(trust(3, anchors(&[])));
        let removed = listener.h2(&bank).await;
        assert_eq!(removed.get("/").await.unwrap().0, 200);
        listener.trust(trust(4, Vec::new()));
        removed.ends().await;
        listener.trust(trust(5, anchors(&[])));
        let stale = listener.h2(&bank).await;
        assert_eq!(stale.get("/").await.unwrap().0, 200);
        listener.clock.advance(DAY * 8);
        stale.ends().await;
    });
}

#[test]
fn requests_are_refused_while_changes_may_be_missed() {
    // A bank that calls a gateway whose database is unavailable, and again when it is back (I3).
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let (server_ca, clock) = (TestCa::root("server root"), ManualClock::new(NOW));
        let trusted = trust(1, vec![ca.anchor(vec![ca.list(&[])])]);
        let live = Arc::new(Live::new(material(&server_ca, &clock, trusted), Duration::ZERO));
        let listener = TestListener::open_with(settings(), live, clock, server_ca).await;
        let bank = listener.h2(&ca.bank("bank-a", 7)).await;
        assert_eq!(bank.get("/").await.unwrap().0, 200);
        listener.clock.advance(Duration::from_millis(1001));
        assert_eq!(bank.get("/").await.unwrap(), (503, "state_unknown".into()));
        listener.live.confirm(listener.clock.monotonic());
        assert_eq!(bank.get("/").await.unwrap().0, 200, "the connection is still open");
    });
}

#[test]
fn lists_and_certificates_are_swapped_under_load_without_a_lost_request() {
    // Banks that call without pause, on open and on new connections, while everything is replaced (negative test 12).
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let anchors = || vec![ca.anchor(vec![ca.list(&[1000])])];
        let listener = Arc::new(TestListener::open(settings(), anchors()).await);
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = Vec::new();
        for number in 0..4 {
            let bank = ca.bank(&format!("bank-{number}"), number);
            let (listener, stop, answered) = (listener.clone(), stop.clone(), answered.clone());
            callers.push(tokio::spawn(async move {
                let reused = listener.h2(&bank).await;
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(reused.get("/").await.unwrap().0, 200);
                    assert_eq!(status(&listener.get(Some(&bank), "/").await.unwrap()), 200);
                    answered.fetch_add(2, Ordering::SeqCst);
                }
            }));
        }
        for generation in 2..40 {
            let before = answered.load(Ordering::SeqCst);
            listener.trust(trust(generation, anchors()));
            eventually(|| answered.load(Ordering::SeqCst) > before).await;
        }
        stop.store(true, Ordering::SeqCst);
        for caller in callers {
            caller.await.unwrap();
        }
    });
}

#[test]
fn a_new_server_certificate_is_shown_to_new_connections() {
    // A bank with an open connection, and one that connects after the replacement.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let anchors = || vec![ca.anchor(vec![ca.list(&[])])];
        let listener = TestListener::open(settings(), anchors()).await;
        let bank = ca.bank("bank-a", 7);
        let certificate = async |listener: &TestListener| {
            let connection = listener.connect(Some(&bank), &["h2"]).await.unwrap();
            connection.get_ref().1.peer_certificates().unwrap()[0].to_vec()
        };
        let open = listener.h2(&bank).await;
        let first = certificate(&listener).await;
        listener.trust(trust(2, anchors()));
        assert_ne!(certificate(&listener).await, first);
        assert_eq!(certificate(&listener).await, listener.live.material().certificate.to_vec());
        assert_eq!(open.get("/").await.unwrap().0, 200);
    });
}

#[test]
fn a_connection_of_maximum_age_ends_gracefully() {
    // Banks with an active request when their connection reaches its maximum age.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let young = Settings { max_connection_age: Duration::from_millis(300), ..settings() };
        let listener = Arc::new(TestListener::open(young, vec![ca.anchor(vec![ca.list(&[])])]).await);
        let bank = ca.bank("bank-a", 7);
        let h2 = Arc::new(listener.h2(&bank).await);
        let request = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        listener.handlers.waiting.notified().await;
        // The connection then takes no more requests, and the active one is finished.
        let mut refused = false;
        for _ in 0..100 {
            refused = h2.get("/").await.is_err();
            if refused {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(refused);
        listener.handlers.resume.notify_one();
        assert_eq!(request.await.unwrap().unwrap(), (200, "waited".into()));
        Arc::into_inner(h2).unwrap().ends().await;
        // An HTTP/1.1 response announces the close.
        let mut connection = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        connection.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        listener.handlers.waiting.notified().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        listener.handlers.resume.notify_one();
        let answer = read_to_end(&mut connection).await.unwrap();
        assert!(answer.to_lowercase().contains("connection: close") && answer.ends_with("waited"), "{answer}");
    });
}

#[test]
fn an_idle_connection_is_closed() {
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let short = Settings { idle_timeout: Duration::from_millis(300), ..settings() };
        let listener = TestListener::open(short, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let bank = ca.bank("bank-a", 7);
        let h2 = listener.h2(&bank).await;
        assert_eq!(h2.get("/").await.unwrap().0, 200);
        h2.ends().await;
        let mut connection = listener.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        connection.write_all(REQUEST).await.unwrap();
        assert_eq!(status(&read_to_end(&mut connection).await.unwrap()), 200);
    });
}

#[test]
fn a_shutdown_finishes_active_requests_and_accepts_no_new_ones() {
    // Banks with active requests when the gateway stops.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let mut listener = TestListener::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let bank = ca.bank("bank-a", 7);
        let h2 = Arc::new(listener.h2(&bank).await);
        let request = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        listener.handlers.waiting.notified().await;
        let idle = listener.h2(&bank).await;
        assert_eq!(idle.get("/").await.unwrap().0, 200);
        listener.close();
        idle.ends().await;
        assert!(listener.connect(Some(&bank), &["h2"]).await.is_err());
        listener.handlers.resume.notify_one();
        assert_eq!(request.await.unwrap().unwrap(), (200, "waited".into()));
        listener.closed().await;
    });
}

#[test]
fn a_shutdown_ends_at_the_end_of_the_drain_time() {
    // A bank whose request does not end.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let short = Settings { drain_timeout: Duration::from_millis(200), ..settings() };
        let mut listener = TestListener::open(short, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let h2 = Arc::new(listener.h2(&ca.bank("bank-a", 7)).await);
        let request = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        listener.handlers.waiting.notified().await;
        listener.close();
        tokio::time::timeout(Duration::from_secs(5), listener.closed()).await.expect("it ends");
        assert!(request.await.unwrap().is_err());
    });
}

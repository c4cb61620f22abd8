//! Who stays in: open connections while trust, certificates and the gateway itself change (T4; negative tests 10 and 12).

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
    http::listener::Settings,
};
use tokio::io::AsyncWriteExt as _;

use super::test_listener::{ListenerKind, eventually, material, read_to_end, settings, status};
use crate::support::{
    block_on,
    pki::{DAY, NOW, TestCa, trust},
};

const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";

#[test]
fn a_certificate_revoked_while_http_2_is_open_ends_the_connection() {
    // A bank whose certificate is revoked between two requests (negative test 10), beside one that stays.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let door = ListenerKind::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let (leaked, other) = (door.h2(&ca.bank("bank-a", 7)).await, door.h2(&ca.bank("bank-b", 8)).await);
        assert_eq!(leaked.get("/").await.unwrap().0, 200);
        assert_eq!(other.get("/").await.unwrap().0, 200);
        door.trust(trust(2, vec![ca.anchor(vec![ca.list(&[7])])]));
        // The next request may meet the 401 or, a moment later, the end of the connection; never a 200.
        if let Ok((status, text)) = leaked.get("/").await {
            assert_eq!((status, text.as_str()), (401, "certificate_refused"));
        }
        leaked.ends().await;
        assert_eq!(other.get("/").await.unwrap().0, 200);
        assert_eq!(door.seen.handled.load(Ordering::SeqCst), 3, "the refused request reached nobody");
    });
}

#[test]
fn a_refused_request_closes_an_http_1_connection() {
    // A bank on a connection that is kept alive, revoked between two requests.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let door = ListenerKind::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let mut connection = door.connect(Some(&ca.bank("bank-a", 7)), &["http/1.1"]).await.unwrap();
        connection.write_all(ASK).await.unwrap();
        eventually(|| door.seen.handled.load(Ordering::SeqCst) == 1).await;
        door.trust(trust(2, vec![ca.anchor(vec![ca.list(&[7])])]));
        let _ = connection.write_all(ASK).await;
        let answers = read_to_end(&mut connection).await.unwrap();
        assert!(answers.starts_with("HTTP/1.1 200"), "{answers}");
        assert!(answers.matches("HTTP/1.1 200").count() == 1, "{answers}");
        assert_eq!(door.seen.handled.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn an_idle_connection_ends_when_its_certificate_or_list_does() {
    // Banks that say nothing: one is revoked, one's authority is removed, one's list goes stale by the clock alone.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let bank = ca.bank("bank-a", 7);
        let anchors = |revoked: &[u64]| vec![ca.anchor(vec![ca.list(revoked)])];
        let door = ListenerKind::open(settings(), anchors(&[])).await;
        let revoked = door.h2(&bank).await;
        assert_eq!(revoked.get("/").await.unwrap().0, 200);
        door.trust(trust(2, anchors(&[7])));
        revoked.ends().await;
        door.trust(trust(3, anchors(&[])));
        let removed = door.h2(&bank).await;
        assert_eq!(removed.get("/").await.unwrap().0, 200);
        door.trust(trust(4, Vec::new()));
        removed.ends().await;
        door.trust(trust(5, anchors(&[])));
        let stale = door.h2(&bank).await;
        assert_eq!(stale.get("/").await.unwrap().0, 200);
        door.clock.advance(DAY * 8);
        stale.ends().await;
    });
}

#[test]
fn nobody_is_answered_while_changes_may_be_missed() {
    // A bank that calls a gateway whose database is away, and again when it is back (I3).
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let (server_ca, clock) = (TestCa::root("server root"), ManualClock::new(NOW));
        let trusted = trust(1, vec![ca.anchor(vec![ca.list(&[])])]);
        let live = Arc::new(Live::new(material(&server_ca, &clock, trusted), NOW));
        let door = ListenerKind::open_with(settings(), live, clock, server_ca).await;
        let bank = door.h2(&ca.bank("bank-a", 7)).await;
        assert_eq!(bank.get("/").await.unwrap().0, 200);
        door.clock.advance(Duration::from_millis(1001));
        assert_eq!(bank.get("/").await.unwrap(), (503, "state_unknown".into()));
        door.live.confirm(door.clock.now());
        assert_eq!(bank.get("/").await.unwrap().0, 200, "the connection has lived on");
    });
}

#[test]
fn lists_and_certificates_are_swapped_under_load_without_a_lost_request() {
    // Banks that call without pause, on kept and on new connections, while everything is replaced (negative test 12).
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let anchors = || vec![ca.anchor(vec![ca.list(&[1000])])];
        let door = Arc::new(ListenerKind::open(settings(), anchors()).await);
        let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let mut callers = Vec::new();
        for number in 0..4 {
            let bank = ca.bank(&format!("bank-{number}"), number);
            let (door, stop, answered) = (door.clone(), stop.clone(), answered.clone());
            callers.push(tokio::spawn(async move {
                let kept = door.h2(&bank).await;
                while !stop.load(Ordering::SeqCst) {
                    assert_eq!(kept.get("/").await.unwrap().0, 200);
                    assert_eq!(status(&door.get(Some(&bank), "/").await.unwrap()), 200);
                    answered.fetch_add(2, Ordering::SeqCst);
                }
            }));
        }
        for generation in 2..40 {
            let before = answered.load(Ordering::SeqCst);
            door.trust(trust(generation, anchors()));
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
        let door = ListenerKind::open(settings(), anchors()).await;
        let bank = ca.bank("bank-a", 7);
        let shown = async |door: &ListenerKind| {
            let connection = door.connect(Some(&bank), &["h2"]).await.unwrap();
            connection.get_ref().1.peer_certificates().unwrap()[0].to_vec()
        };
        let open = door.h2(&bank).await;
        let first = shown(&door).await;
        door.trust(trust(2, anchors()));
        assert_ne!(shown(&door).await, first);
        assert_eq!(shown(&door).await, door.live.material().certificate.to_vec());
        assert_eq!(open.get("/").await.unwrap().0, 200);
    });
}

#[test]
fn a_connection_that_is_old_ends_gracefully() {
    // Banks whose request is under way when their connection comes of age.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let young = Settings { max_connection_age: Duration::from_millis(300), ..settings() };
        let door = Arc::new(ListenerKind::open(young, vec![ca.anchor(vec![ca.list(&[])])]).await);
        let bank = ca.bank("bank-a", 7);
        let h2 = Arc::new(door.h2(&bank).await);
        let asking = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        door.seen.waiting.notified().await;
        // Past its age the connection takes no more requests, and the one under way is finished.
        let mut refused = false;
        for _ in 0..100 {
            refused = h2.get("/").await.is_err();
            if refused {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert!(refused);
        door.seen.go_on.notify_one();
        assert_eq!(asking.await.unwrap().unwrap(), (200, "waited".into()));
        Arc::into_inner(h2).unwrap().ends().await;
        // HTTP/1.1 says that it is going to close.
        let mut connection = door.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        connection.write_all(b"GET /wait HTTP/1.1\r\nhost: a\r\n\r\n").await.unwrap();
        door.seen.waiting.notified().await;
        tokio::time::sleep(Duration::from_millis(700)).await;
        door.seen.go_on.notify_one();
        let answer = read_to_end(&mut connection).await.unwrap();
        assert!(answer.to_lowercase().contains("connection: close") && answer.ends_with("waited"), "{answer}");
    });
}

#[test]
fn an_idle_connection_is_closed() {
    // Banks that stay connected and say nothing.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let short = Settings { idle_timeout: Duration::from_millis(300), ..settings() };
        let door = ListenerKind::open(short, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let bank = ca.bank("bank-a", 7);
        let h2 = door.h2(&bank).await;
        assert_eq!(h2.get("/").await.unwrap().0, 200);
        h2.ends().await;
        let mut connection = door.connect(Some(&bank), &["http/1.1"]).await.unwrap();
        connection.write_all(ASK).await.unwrap();
        assert_eq!(status(&read_to_end(&mut connection).await.unwrap()), 200);
    });
}

#[test]
fn a_shutdown_finishes_what_is_under_way_and_takes_nothing_new() {
    // Banks with requests under way when the gateway is told to stop.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let mut door = ListenerKind::open(settings(), vec![ca.anchor(vec![ca.list(&[])])]).await;
        let bank = ca.bank("bank-a", 7);
        let h2 = Arc::new(door.h2(&bank).await);
        let asking = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        door.seen.waiting.notified().await;
        let idle = door.h2(&bank).await;
        assert_eq!(idle.get("/").await.unwrap().0, 200);
        door.close();
        idle.ends().await;
        assert!(door.connect(Some(&bank), &["h2"]).await.is_err());
        door.seen.go_on.notify_one();
        assert_eq!(asking.await.unwrap().unwrap(), (200, "waited".into()));
        door.closed().await;
    });
}

#[test]
fn a_shutdown_ends_at_the_end_of_the_drain_time() {
    // A bank whose request does not end.
    block_on(async {
        let ca = TestCa::root("Bank CA");
        let short = Settings { drain_timeout: Duration::from_millis(200), ..settings() };
        let mut door = ListenerKind::open(short, vec![ca.anchor(vec![ca.list(&[])])]).await;
        let h2 = Arc::new(door.h2(&ca.bank("bank-a", 7)).await);
        let asking = tokio::spawn({
            let h2 = h2.clone();
            async move { h2.get("/wait").await }
        });
        door.seen.waiting.notified().await;
        door.close();
        tokio::time::timeout(Duration::from_secs(5), door.closed()).await.expect("it ends");
        assert!(asking.await.unwrap().is_err());
    });
}

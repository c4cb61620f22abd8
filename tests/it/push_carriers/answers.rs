//! What the receiver answers, and what the carrier makes of it.

use std::time::Duration;

use medcredit::{
    outbox::FailedAttempt,
    push::carrier::{Carrier as _, FailureReason, Held, RejectReason, RowReceipt, Verdict},
};

use super::{
    package, rows,
    sink::{Act, Sink, deliver},
};
use crate::support::block_on;

#[test]
fn refusals_are_final_and_overload_is_tried_again_after_the_requested_time() {
    block_on(async {
        let sink = Sink::open().await;
        let (carrier, package, rows) = (sink.carrier(), package(1, 1), rows(0..1));
        for (act, permanent, wait) in [
            (Act::status(429, Some(("retry-after", "120"))), false, Some(120)),
            (Act::status(503, Some(("retry-after", "Wed, 01 Apr 2026 01:01:00 GMT"))), false, Some(60)),
            (Act::status(500, None), false, None),
            (Act::status(409, None), false, None),
            (Act::status(422, Some(("retry-after", "120"))), true, None),
            (Act::status(404, None), true, None),
        ] {
            sink.script([act.clone()]);
            let failed = deliver(&carrier, &package, &rows).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::Status, permanent), "{act:?}");
            assert_eq!(failed.retry_after, wait.map(Duration::from_secs), "{act:?}");
            let attempt = FailedAttempt::from(failed);
            assert_eq!(attempt.reason, "status");
            assert!(attempt.receipt.status.is_some() && attempt.receipt.body_sha256.is_some());
            let detail = attempt.receipt.detail.unwrap();
            assert!(detail.contains(&format!("localhost:{}", sink.address.port())), "{detail}");
        }
    });
}

#[test]
fn a_redirect_is_a_failure_and_is_not_followed() {
    block_on(async {
        let (sink, other) = (Sink::open().await, Sink::open().await);
        let to = format!("https://localhost:{}/elsewhere", other.address.port());
        for status in [301, 302, 303, 307, 308] {
            sink.script([Act::status(status, Some(("location", &to)))]);
            let failed = deliver(&sink.carrier(), &package(1, 1), &rows(0..1)).await.unwrap_err();
            assert_eq!(failed.reason, FailureReason::Redirect);
            assert!(failed.detail.contains("redirect") && failed.detail.contains(&to), "{failed}");
        }
        assert_eq!((sink.received().len(), other.connections()), (5, 0));
    });
}

#[test]
fn an_answer_that_is_too_large_is_not_read_to_its_end() {
    block_on(async {
        let sink = Sink::open().await;
        let settings = sink.settings();
        let large = |bytes| Act::Reply(200, Vec::new(), vec![b' '; bytes]);
        sink.script([large(settings.largest_answer), large(settings.largest_answer + 1), large(50 << 20)]);
        let (carrier, package, rows) = (sink.carrier_with(settings), package(1, 1), rows(0..1));
        deliver(&carrier, &package, &rows).await.unwrap();
        for _ in 0..2 {
            let failed = deliver(&carrier, &package, &rows).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (FailureReason::TooLarge, false));
            assert_eq!(failed.receipt.status, Some(200));
        }
    });
}

#[test]
fn receipts_of_rows_come_page_by_page_with_their_faults() {
    block_on(async {
        let sink = Sink::open().await;
        sink.script([
            Act::json(
                200,
                r#"{"receipts": [{"record_id": "r:1", "version": 1, "verdict": "accepted"}, {"record_id": "r:2"}], "next": "r:2&x"}"#,
            ),
            Act::json(
                200,
                r#"{"receipts": [{"record_id": "r:3", "version": 2, "verdict": "rejected", "reason": "R02", "note": "名称不一致"}]}"#,
            ),
        ]);
        let (carrier, package) = (sink.carrier(), package(1, 3));
        let first = carrier.receipts(&package, None).await.unwrap();
        let accepted = RowReceipt { record_id: "r:1".into(), version: 1, verdict: Verdict::Accepted };
        assert_eq!((first.entries, first.next.as_deref()), (vec![accepted], Some("r:2&x")));
        assert_eq!(first.faults[0].at, "/credit/packages/12/receipts receipts[1]");
        let second = carrier.receipts(&package, first.next.as_deref()).await.unwrap();
        let verdict = Verdict::Rejected { reason: RejectReason::SubjectUnknown, note: Some("名称不一致".into()) };
        let rejected = RowReceipt { record_id: "r:3".into(), version: 2, verdict };
        assert_eq!((second.entries, second.next), (vec![rejected], None));
        let targets: Vec<_> = sink.received().into_iter().map(|request| (request.method, request.target)).collect();
        let get = |target: &str| ("GET".to_owned(), target.to_owned());
        assert_eq!(targets, [get("/credit/packages/12/receipts"), get("/credit/packages/12/receipts?after=r%3A2%26x")]);
        assert!(sink.received().iter().all(|request| request.headers.contains_key("signature")));
    });
}

#[test]
fn the_inventory_is_what_the_receiver_holds() {
    block_on(async {
        let sink = Sink::open().await;
        let digest = super::row(1).digest();
        sink.script([
            Act::json(200, &format!(r#"{{"records": [{{"record_id": "r:1", "version": 3, "digest": "{digest}"}}]}}"#)),
            Act::json(200, "not JSON"),
            Act::json(200, r#"{"records": {}}"#),
            Act::status(404, None),
        ]);
        let carrier = sink.carrier();
        let page = carrier.inventory(Some("r:0")).await.unwrap();
        assert_eq!(page.entries, [Held { record_id: "r:1".into(), version: 3, digest }]);
        assert_eq!(
            (page.faults.len(), page.next, sink.received()[0].target.as_str()),
            (0, None, "/credit/records?after=r%3A0")
        );
        for reason in [FailureReason::Answer, FailureReason::Answer, FailureReason::Status] {
            assert_eq!(carrier.inventory(None).await.unwrap_err().reason, reason);
        }
    });
}

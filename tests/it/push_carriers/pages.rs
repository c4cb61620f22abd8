//! Pages over HTTPS, and their signature, which the receiver verifies with nothing but the published key.

use data_encoding::BASE64;
use medcredit::push::carrier::{Carrier as _, Delivery, FailureReason};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    package, row, rows,
    sink::{Act, Received, Sink, deliver, key_id},
};
use crate::support::block_on;

/// Verifies the signature of a request as a receiver's engineer does, from docs/CARRIERS.md alone: with the URL that the receiver
/// knows itself by, and not with this program's functions.
fn verify(sink: &Sink, request: &Received) -> bool {
    let input = request.header("signature-input").strip_prefix("medcredit=").unwrap();
    let covered = input.strip_prefix('(').unwrap().split(')').next().unwrap();
    let url = format!("https://localhost:{}{}", sink.address.port(), request.target);
    let mut base = String::new();
    for component in covered.split(' ') {
        let name = component.trim_matches('"');
        let value = match name {
            "@method" => request.method.as_str(),
            "@target-uri" => url.as_str(),
            field => request.header(field),
        };
        base.push_str(&format!("{component}: {value}\n"));
    }
    base.push_str(&format!("\"@signature-params\": {input}"));
    let signature = request.header("signature").strip_prefix("medcredit=:").unwrap().strip_suffix(':').unwrap();
    let signature = data_encoding::BASE64URL_NOPAD.encode(&BASE64.decode(signature.as_bytes()).unwrap());
    let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(
        serde_json::to_value(medcredit::identity::Signer::public_key(&*sink.key).jwk()).unwrap(),
    )
    .unwrap();
    let key = jsonwebtoken::DecodingKey::from_jwk(&jwk).unwrap();
    jsonwebtoken::crypto::verify(&signature, base.as_bytes(), &key, jsonwebtoken::Algorithm::ES256).unwrap()
}

#[test]
fn a_page_arrives_signed_with_its_digest_and_the_receiver_verifies_both() {
    block_on(async {
        let sink = Sink::open().await;
        let body = r#"{"receipt_number": "RC-1"}"#;
        sink.script([Act::Reply(201, vec![("x-request-id", "q-7".into()), ("set-cookie", "a=b".into())], body.into())]);
        let receipt = deliver(&sink.carrier(), &package(1, 2), &rows(0..2)).await.unwrap();
        assert_eq!((receipt.status, receipt.number.as_deref()), (Some(201), Some("RC-1")));
        assert_eq!(receipt.body_sha256.unwrap(), data_encoding::HEXLOWER.encode(&Sha256::digest(body)));
        assert_eq!(receipt.headers.into_iter().collect::<Vec<_>>(), [("x-request-id".to_owned(), "q-7".to_owned())]);

        let [request] = &sink.received()[..] else { panic!("{:?}", sink.received()) };
        assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/credit/packages/12/pages/1"));
        assert_eq!(request.header("content-type"), "application/json");
        assert_eq!(request.header("idempotency-key"), "\"obx_1\"");
        assert_eq!(
            request.header("content-digest"),
            format!("sha-256=:{}:", BASE64.encode(&Sha256::digest(&request.body)))
        );
        let input = request.header("signature-input");
        let parameters =
            r#"medcredit=("@method" "@target-uri" "content-digest" "idempotency-key");created=1775005200;keyid="#;
        assert!(input.starts_with(parameters) && input.ends_with(r#";tag="medcredit-push""#), "{input}");
        assert!(input.contains(&key_id(&sink)));
        assert!(verify(&sink, request));
        for field in ["content-digest", "idempotency-key", "signature-input"] {
            let mut changed = request.clone();
            let value = changed.header(field).replacen('1', "2", 1).replacen("=:", "=:A", 1);
            changed.headers.insert(field, value.parse().unwrap());
            assert!(!verify(&sink, &changed), "{field}");
        }
        assert!(!verify(&sink, &Received { target: "/credit/packages/13/pages/1".into(), ..request.clone() }));

        let page: Value = serde_json::from_slice(&request.body).unwrap();
        let first = json!({"record_id": "run_1:H00000", "version": 1, "operation": "I",
            "fields": {"主体名称": "温州市第0医院", "PJDJ": "A"}});
        assert_eq!(page["rows"][0], first);
        assert_eq!((&page["rows"][1]["operation"], page["rows"].as_array().unwrap().len()), (&json!("U"), 2));
        let head = json!({"platform": "city-credit", "package": 12, "dataset": "grades", "period": "2026-H1",
            "digest": "ab".repeat(32), "made_at": "2026-03-31T00:00:00Z", "rows_in_package": 2, "page": 1, "pages": 1});
        for (name, value) in head.as_object().unwrap() {
            assert_eq!(&page[name], value, "{name}");
        }
        // The receiver's own order of the fields, which a parsed object does not show.
        let text = String::from_utf8(request.body.clone()).unwrap();
        assert!(text.find("主体名称") < text.find("PJDJ"));
    });
}

#[test]
fn every_attempt_has_the_same_key_and_the_same_bytes() {
    block_on(async {
        let sink = Sink::open().await;
        sink.script([Act::status(500, None), Act::Close, Act::Half, Act::json(200, "{}")]);
        let (carrier, package, rows) = (sink.carrier(), package(1, 1), rows(0..1));
        for reason in [FailureReason::Status, FailureReason::Closed, FailureReason::Closed] {
            let failed = deliver(&carrier, &package, &rows).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (reason, false), "{failed}");
            sink.clock.advance(std::time::Duration::from_mins(5));
        }
        deliver(&carrier, &package, &rows).await.unwrap();
        let received = sink.received();
        assert_eq!(received.len(), 4, "nothing is repeated behind the outbox's back");
        for request in &received {
            assert_eq!(request.header("idempotency-key"), "\"obx_1\"");
            assert_eq!(request.body, received[0].body);
            assert!(verify(&sink, request), "each attempt is signed at its own time");
        }
        assert_ne!(received[0].header("signature-input"), received[3].header("signature-input"));
    });
}

#[test]
fn a_page_that_cannot_be_is_refused_before_anything_is_sent() {
    block_on(async {
        let sink = Sink::open().await;
        let (carrier, package, rows) = (sink.carrier(), package(2, 2), rows(0..1));
        let twice = vec![medcredit::push::carrier::Row {
            fields: vec![("A".into(), "1".into()), ("A".into(), "2".into())],
            ..row(1)
        }];
        for (page, key, rows, reason) in [
            (0, "obx_1", &rows, FailureReason::Page),
            (3, "obx_1", &rows, FailureReason::Page),
            (1, "", &rows, FailureReason::Page),
            (1, "a\"b", &rows, FailureReason::Page),
            (1, "a\r\nx: y", &rows, FailureReason::Page),
            (1, "obx_1", &twice, FailureReason::Field),
        ] {
            let failed = carrier.deliver(&Delivery { package: &package, page, key, rows }).await.unwrap_err();
            assert_eq!((failed.reason, failed.permanent), (reason, true), "{failed}");
        }
        assert_eq!(sink.connections(), 0);
    });
}

//! The lines of a delivery, and what a bank can prove with them.

use std::collections::BTreeSet;

use medcredit::{
    domain::{
        Clock,
        permission::{Permission, Purpose},
    },
    identity::signature::content_digest,
    ledger::{
        Proof, check_proof, log_keys,
        verify::{StateCheck, Target, verify_after},
    },
    merkle::VerifierKey,
};
use serde_json::{Value, json};

use super::{Page, deliver, entries, request_body, verify_page};
use crate::support::{
    TestStore,
    app::{Bank, CLINIC, HOSPITAL, MEDIUM, OTHER_ENTITY, PHARMACY, TestApp},
    both_engines,
};

/// Every key in a value, at any depth.
fn keys(value: &Value, into: &mut BTreeSet<String>) {
    match value {
        Value::Object(members) => {
            for (key, value) in members {
                into.insert(key.clone());
                keys(value, into);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, into)),
        _ => {}
    }
}

/// A single answer without the members that name that one disclosure.
fn section(mut answer: Value) -> Value {
    for of_the_answer in ["disclosure", "disclosed_at", "notice", "onward_supply"] {
        answer.as_object_mut().unwrap().remove(of_the_answer);
    }
    answer
}

/// The proof of a disclosure, verified with the log's keys alone.
async fn proved(app: &TestApp, bank: &Bank, token: &str, id: &str, leaf: &str, content: &[u8]) {
    let reply = bank.get(token, &format!("/v1/disclosures/{id}/proof")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let proof: Proof = serde_json::from_slice(&reply.bytes).unwrap();
    let known: Vec<_> =
        log_keys(&app.app.keys.load().log).into_iter().map(|key| VerifierKey::new(&proof.log, key).unwrap()).collect();
    let (entry, values) = check_proof(&proof, &known).unwrap();
    let values = values.unwrap();
    assert_eq!((entry.id.as_str(), proof.leaf.as_str()), (id, leaf));
    assert_eq!(values["content_digest"], content_digest(content));
    assert_eq!(values["client"], bank.id.to_string());
}

both_engines! {
    a_line_equals_the_answers_of_the_single_operations,
    nothing_but_the_allowed_fields_leaves,
    the_page_and_each_of_its_lines_are_evidence,
    a_month_without_settlements_has_lines_without_rows,
    a_bank_without_consents_gets_an_empty_page,
}

/// A bank with consents of several kinds: each line equals the single answers that its consent allows.
async fn a_line_equals_the_answers_of_the_single_operations(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let both = app.consent(&bank, |new| new.codes.push(PHARMACY.into())).await;
    let grade = app.consent(&bank, |new| new.permissions = vec![Permission::Grade]).await;
    let settlements = app.consent(&bank, |new| new.permissions = vec![Permission::Settlements]).await;
    let medium = |new: &mut medcredit::consent::NewConsent| {
        new.uscc = OTHER_ENTITY.into();
        new.codes = vec![MEDIUM.into()];
    };
    // Not in good standing: its grade is disclosed, its settlements are not, and a consent for these alone has no line.
    let medium_both = app.consent(&bank, medium).await;
    app.consent(&bank, |new| {
        medium(new);
        new.permissions = vec![Permission::Settlements];
    })
    .await;
    // Another purpose; a month outside the consent's, where the grade is still disclosed; no part that can be delivered.
    app.consent(&bank, |new| new.purposes = vec![Purpose::PostLoanManagement]).await;
    let earlier = app.consent(&bank, |new| new.data_to = Some("2025-03".parse().unwrap())).await;
    app.consent(&bank, |new| new.permissions = vec![Permission::AccountMatch]).await;
    // Not in force: not counted.
    app.pending(&bank, |_| {}).await;
    let stranger = app.bank("Bank B").await;
    app.consent(&stranger, |_| {}).await;

    let page = deliver(&bank, &token, &json!({ "month": "2025-04", "purpose": "pre_loan_review" })).await;
    assert_eq!(page.counts(), (5, 3));
    verify_page(&app, &bank, &page, None);
    let line = |consent: &medcredit::consent::Consent| {
        let id = consent.id.to_string();
        page.lines.iter().find(|line| line["consent"] == id).unwrap_or_else(|| panic!("{id}"))
    };
    let single = async |consent, what: &str| section(bank.get(&token, &Bank::data(consent, what)).await.json);
    for consent in [&both, &grade, &medium_both, &earlier] {
        assert_eq!(line(consent)["grade"], single(consent, "grade").await);
    }
    for consent in [&both, &settlements] {
        assert_eq!(line(consent)["settlements"], single(consent, "settlements?from=2025-04&to=2025-04").await);
    }
    assert_eq!(line(&both)["what"], json!(["grade", "settlements"]));
    for consent in [&grade, &medium_both, &earlier] {
        assert_eq!((&line(consent)["what"], line(consent).get("settlements")), (&json!(["grade"]), None));
    }
    assert_eq!((&line(&settlements)["what"], line(&settlements).get("grade")), (&json!(["settlements"]), None));
    // I4: the clinic had few visits in that month.
    assert_eq!(line(&both)["settlements"]["totals"][0]["suppressed"], true);
    assert_eq!(line(&both)["settlements"]["totals"][0]["amounts"], Value::Null);
    assert_eq!(
        (&page.end["month"], &page.end["purpose"], &page.end["what"]),
        (&json!("2025-04"), &json!("pre_loan_review"), &json!(["grade", "settlements"]))
    );
    assert!(page.next().is_none());
}

/// A reviewer who lists every key that leaves (I4).
async fn nothing_but_the_allowed_fields_leaves(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |new| new.codes.push(PHARMACY.into())).await;
    let page = deliver(&bank, &token, &request_body()).await;
    let mut found = BTreeSet::new();
    page.lines.iter().chain([&page.end]).for_each(|line| keys(line, &mut found));
    // Members of maps, which are values.
    for value in ["graded", "not_evaluated", "wenzhou-951/good", "wenzhou-951/excellent"] {
        assert!(found.remove(value), "{value}");
    }
    let allowed = "amounts as_of assessment_version available billed_fen by by_grade by_status claimed_fen code codes consent consistent \
            deducted_fen delivered_at delivery disallowed_fen disclosed_at disclosure evaluated_on from grade id insurance kind leaf lines log \
            month months name newer_withheld notice offset_fen onward_supply ordinal paid_fen payable_fen period persons prepaid_fen provisional purpose \
            receipts refused retained_fen run scheme scheme_version settled_fen settlements status suppressed suppressed_below_persons suppressed_below_visits to total \
            totals uscc valid_until version visits what";
    assert_eq!(found.iter().map(String::as_str).collect::<Vec<_>>(), allowed.split_whitespace().collect::<Vec<_>>());
}

/// A bank that stores a delivery as evidence: the page is signed once, and the page and each line have separate proofs.
async fn the_page_and_each_of_its_lines_are_evidence(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    for _ in 0..3 {
        app.consent(&bank, |_| {}).await;
    }
    let body = serde_json::to_vec(&request_body()).unwrap();
    let digest = content_digest(&body);
    let request = |digest: &str| {
        let request = bank.http.post(bank.url("/v1/deliveries")).bearer_auth(&token);
        request.header("content-type", "application/json").header("content-digest", digest).body(body.clone())
    };
    let page = Page::of(bank.send(request(&digest)).await);
    // The signature covers the digest of the request (M2): another digest does not verify.
    let receipt = verify_page(&app, &bank, &page, Some(&digest));
    assert_eq!(page.reply.headers["cache-control"], "no-store");
    assert!(!page.reply.headers.contains_key("etag"));
    assert!(page.end["notice"].as_str().unwrap().contains("政务信息,供参考"));
    assert_eq!(bank.send(request(&content_digest(b"{}"))).await.refusal(), (400, "content_digest_mismatch"));

    assert_eq!((entries(&app, "disclosure").await, entries(&app, "delivery").await), (3, 1));
    while app.app.sealer.seal_once().await.unwrap().is_some() {}
    for (raw, of) in page.raw.iter().zip(page.end["receipts"].as_array().unwrap()) {
        proved(&app, &bank, &token, of["id"].as_str().unwrap(), of["leaf"].as_str().unwrap(), raw).await;
    }
    proved(&app, &bank, &token, &receipt.id, &receipt.leaf_base64(), &page.reply.bytes).await;
    let opened =
        bank.get(&token, &format!("/v1/disclosures/{}/proof", receipt.id)).await.json["opening"]["fields"].take();
    assert_eq!((&opened["lines"]["value"], &opened["refused"]["value"]), (&json!(3), &json!(0)));
    assert_eq!(opened["interaction"]["value"], page.reply.headers["x-fapi-interaction-id"]);
    assert_eq!(opened["period"]["value"], json!({ "from": "2026-02", "to": "2026-02" }));
    // Another bank gets neither proof.
    let other = app.bank("Bank B").await;
    let theirs = other.token().await;
    for id in [receipt.id.as_str(), page.lines[0]["disclosure"].as_str().unwrap()] {
        let refused = other.get(&theirs, &format!("/v1/disclosures/{id}/proof")).await;
        assert_eq!(refused.refusal(), (404, "disclosure_not_found"));
    }
    let keys = log_keys(&app.app.keys.load().log);
    let origin = app.app.config.ledger.origin(&app.app.config.gateway.public_origin);
    let subject = Target { db: &app.store.db, origin: &origin, keys: &keys, checkpoint_file: None };
    let check = StateCheck { now: app.store.clock.now(), sealed_within: app.app.config.ledger.sealed_within() };
    let report = verify_after(subject, None, Some(check), &|_, _| {}).await.unwrap();
    assert!(report.sound(), "{report}");
}

/// A bank that reads a month without settlements yet, and one whose figures are not final.
async fn a_month_without_settlements_has_lines_without_rows(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |_| {}).await;
    let page =
        deliver(&bank, &token, &json!({ "month": "2026-03", "purpose": "pre_loan_review", "what": ["settlements"] }))
            .await;
    let settlements = &page.lines[0]["settlements"];
    assert_eq!(settlements["totals"], json!([]));
    for code in [HOSPITAL, CLINIC] {
        let of = settlements["codes"].as_array().unwrap().iter().find(|of| of["code"] == code).unwrap();
        assert_eq!((&of["available"], &of["months"]), (&json!(true), &json!([])));
    }
    let page = deliver(&bank, &token, &request_body()).await;
    assert_eq!(page.lines[0]["settlements"]["totals"][0]["provisional"], true);
}

/// A bank without any consent in force: it still gets an answer, recorded and signed.
async fn a_bank_without_consents_gets_an_empty_page(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let page = deliver(&bank, &bank.token().await, &request_body()).await;
    assert_eq!((page.counts(), page.next()), ((0, 0), None));
    verify_page(&app, &bank, &page, None);
    assert_eq!(entries(&app, "delivery").await, 1);
}

//! `GET /v1/consents/{id}/grade`.

use std::time::Duration;

use medcredit::{
    domain::permission::{Permission, Purpose},
    identity::signature::{Covered, RequestFacts, SignatureFields, content_digest, verify},
    ledger::{ProofStatus, Receipt, prove},
};

use crate::support::{
    TestStore,
    app::{Bank, CLINIC, HOSPITAL, PHARMACY, TestApp},
    both_engines,
};

both_engines! {
    reads_each_covered_code_and_a_total,
    can_verify_digest_signature_receipt_and_proof,
    is_refused_outside_the_consent_each_with_its_own_code,
    ends_with_the_consents_last_instant,
    counts_fetches_exactly,
    distinguishes_the_five_answers,
    ends_for_codes_that_pass_to_another_entity,
}

/// A bank with a consent for two codes.
async fn reads_each_covered_code_and_a_total(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |new| new.codes.push(PHARMACY.into())).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert_eq!(reply.json["consent"], consent.id.to_string());
    assert_eq!(reply.json["purpose"], "pre_loan_review");
    assert_eq!(reply.json["onward_supply"], "prohibited");
    assert!(reply.json["notice"].as_str().unwrap().contains("政务信息,供参考"));
    let codes: Vec<_> = reply.json["codes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (of["code"].as_str().unwrap(), of["status"].as_str().unwrap(), of["grade"]["code"].as_str()))
        .collect();
    assert_eq!(
        codes,
        [(HOSPITAL, "graded", Some("good")), (CLINIC, "graded", Some("excellent")), (PHARMACY, "not_evaluated", None)]
    );
    assert_eq!(reply.json["codes"][0]["grade"]["name"], "良好");
    assert_eq!(reply.json["total"]["codes"], 3);
    assert_eq!(reply.json["total"]["by_status"]["graded"], 2);
    assert_eq!(reply.json["total"]["by_grade"]["wenzhou-951/good"], 1);
    // I4: only what the permission names; no points, no measures.
    assert!(!String::from_utf8(reply.bytes.clone()).unwrap().contains("points"));
}

/// A bank that stores an answer as evidence.
async fn can_verify_digest_signature_receipt_and_proof(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    let path = Bank::data(&consent, "grade?purpose=pre_loan_review");
    let request = bank
        .http
        .get(bank.url(&path))
        .bearer_auth(&token)
        .header("x-fapi-interaction-id", "3B1F7C52-6a0e-4c1d-9c57-1f2f6a5d8e90");
    let reply = bank.send(request).await;
    assert_eq!(reply.headers["x-fapi-interaction-id"], "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90");
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert!(!reply.headers.contains_key("etag"));
    assert_eq!(reply.headers["content-digest"], content_digest(&reply.bytes));
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    let fields = SignatureFields {
        input: reply.headers["signature-input"].clone(),
        signature: reply.headers["signature"].clone(),
    };
    let uri = bank.url(&path);
    let covered = Covered {
        status: 200,
        content_digest: &reply.headers["content-digest"],
        interaction_id: &reply.headers["x-fapi-interaction-id"],
        disclosure: &reply.headers["medcredit-disclosure"],
        request: RequestFacts { method: "GET", target_uri: &uri, digest: None, signature: None },
    };
    verify(&covered, &fields, key.key_id(), key.suite(), key.der()).unwrap();
    let receipt = Receipt::parse(&reply.headers["medcredit-disclosure"]).unwrap();
    assert_eq!(reply.json["disclosure"], receipt.id);
    let waiting = bank.get(&token, &format!("/v1/disclosures/{}/proof", receipt.id)).await;
    assert_eq!(waiting.refusal(), (409, "disclosure_not_sealed"));
    app.app.sealer.seal_once().await.unwrap().unwrap();
    let proof = bank.get(&token, &format!("/v1/disclosures/{}/proof", receipt.id)).await;
    assert_eq!(proof.status, 200, "{:?}", proof.json);
    assert_eq!(proof.json["leaf"], receipt.leaf_base64());
    let opened = &proof.json["opening"]["fields"];
    assert_eq!(opened["content_digest"]["value"], reply.headers["content-digest"]);
    assert_eq!(opened["codes"]["value"], serde_json::json!([HOSPITAL, CLINIC]));
    assert_eq!(opened["purpose"]["value"], "pre_loan_review");
    // Another bank cannot learn that there is such a disclosure.
    let other = app.bank("Bank B").await;
    let token = other.token().await;
    let refused = other.get(&token, &format!("/v1/disclosures/{}/proof", receipt.id)).await;
    assert_eq!(refused.refusal(), (404, "disclosure_not_found"));
    assert!(matches!(prove(&app.store.db, &receipt.id, None).await.unwrap(), Some(ProofStatus::Sealed(_))));
}

/// A bank that asks outside its consent: row 32 of the negative matrix.
async fn is_refused_outside_the_consent_each_with_its_own_code(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let other = app.bank("Bank B").await;
    let token = bank.token().await;
    let foreign = app.consent(&other, |_| {}).await;
    let unknown = foreign.id.to_string().replace("con_0", "con_1");
    let mut bodies = Vec::new();
    for id in [foreign.id.to_string(), unknown, "con_nonsense".into(), "%FF%00".into(), "x".repeat(300)] {
        let mut reply = bank.get(&token, &format!("/v1/consents/{id}/grade")).await;
        assert_eq!(reply.refusal(), (404, "consent_not_found"), "{id}");
        reply.json["instance"] = serde_json::Value::Null;
        bodies.push(reply.json.to_string());
    }
    // C7: indistinguishable except for the request's own id.
    assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "{bodies:?}");

    let pending = app.pending(&bank, |_| {}).await;
    let reply = bank.get(&token, &Bank::data(&pending, "grade")).await;
    assert_eq!(reply.refusal(), (403, "consent_not_active"));
    assert!(reply.json["detail"].as_str().unwrap().contains("pending"));

    let narrow = app.consent(&bank, |new| new.permissions = vec![Permission::Settlements]).await;
    assert_eq!(bank.get(&token, &Bank::data(&narrow, "grade")).await.refusal(), (403, "permission_not_granted"));

    let consent = app.consent(&bank, |_| {}).await;
    let path = Bank::data(&consent, "grade?purpose=loan_approval");
    assert_eq!(bank.get(&token, &path).await.refusal(), (403, "purpose_not_granted"));
    assert_eq!(
        bank.get(&token, &Bank::data(&consent, "grade?purpose=marketing")).await.refusal(),
        (400, "invalid_request")
    );
    let reply = bank.get(&token, &Bank::data(&consent, "grade?porpose=loan_approval")).await;
    assert_eq!(reply.refusal(), (400, "invalid_request"));
    assert!(reply.json["detail"].as_str().unwrap().contains("porpose"), "{:?}", reply.json);

    let several = app.consent(&bank, |new| new.purposes.push(Purpose::LoanApproval)).await;
    assert_eq!(bank.get(&token, &Bank::data(&several, "grade")).await.refusal(), (400, "purpose_required"));
    assert_eq!(bank.get(&token, &Bank::data(&several, "grade?purpose=loan_approval")).await.status, 200);

    let operator = crate::support::decided_by("tester");
    app.app.consents.suspend(&consent.id.to_string(), &operator).await.unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.refusal(), (403, "consent_not_active"));
    app.app.consents.resume(&consent.id.to_string(), &operator).await.unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    app.app.consents.revoke(&consent.id.to_string(), None, &operator).await.unwrap();
    let reply = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.refusal(), (403, "consent_not_active"));
    assert!(reply.json["detail"].as_str().unwrap().contains("revoked"));
}

/// A bank whose consent expires (C3).
async fn ends_with_the_consents_last_instant(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |new| new.valid_for_days = Some(1)).await;
    app.advance(Duration::from_secs(86_400 - 1)).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    app.advance(Duration::from_secs(1)).await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!(reply.refusal(), (403, "consent_not_active"));
    assert!(reply.json["detail"].as_str().unwrap().contains("expired"));
    // Nothing had recorded the expiry before; the background task does, once.
    app.app.tidy().await.unwrap();
    assert_eq!(app.app.consents.record_expiries().await.unwrap(), 0);
    let events = medcredit::store::consents::events(&app.store.db, &consent.id.to_string()).await.unwrap();
    assert_eq!(events.last().unwrap().event, "expired");
}

/// A bank with a budget of two a day and three in all.
async fn counts_fetches_exactly(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |new| {
            new.daily_budget = Some(2);
            new.max_fetches = Some(3);
        })
        .await;
    let token = bank.token().await;
    let path = Bank::data(&consent, "grade");
    let replies = futures_util::future::join_all((0..10).map(|_| bank.get(&token, &path))).await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 200).count(), 2);
    for reply in replies.iter().filter(|reply| reply.status != 200) {
        assert_eq!(reply.refusal(), (429, "consent_daily_budget_used_up"));
        assert_eq!(reply.json["violated-policies"], serde_json::json!(["consent-day"]));
        assert_eq!(reply.json["type"], "https://iana.org/assignments/http-problem-types#quota-exceeded");
    }
    app.advance(Duration::from_secs(86_400)).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &path).await.status, 200);
    assert_eq!(bank.get(&token, &path).await.refusal(), (429, "consent_used_up"));
    let shown = bank.get(&token, &format!("/v1/consents/{}", consent.id)).await;
    assert_eq!(shown.json["fetches"], serde_json::json!({ "used": 3, "used_today": 1 }));
}

/// A bank that reads of a subject in each of five states: the five answers of domain 0.8.
async fn distinguishes_the_five_answers(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let theirs = app
        .consent(&bank, |new| {
            new.uscc = crate::support::app::OTHER_ENTITY.into();
            new.codes = vec![crate::support::app::MEDIUM.into(), crate::support::app::YOUNG.into()];
        })
        .await;
    let ours = app
        .consent(&bank, |new| {
            new.codes.push(PHARMACY.into());
            new.valid_for_days = Some(1000);
        })
        .await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&theirs, "grade")).await;
    assert_eq!(reply.json["codes"][0]["status"], "graded");
    assert_eq!(reply.json["codes"][1]["status"], "not_rated");
    assert_eq!(reply.json["codes"][1]["not_rated_reason"], "agreement_under_one_year");
    app.sql("UPDATE subjects SET under_objection = 1, version = version + 1 WHERE code = $1", vec![HOSPITAL.into()])
        .await;
    let reply = bank.get(&token, &Bank::data(&ours, "grade")).await;
    assert_eq!(reply.json["codes"][0]["status"], "under_objection");
    assert_eq!(reply.json["codes"][1]["status"], "graded");
    assert_eq!(reply.json["codes"][2]["status"], "not_evaluated");
    app.advance(Duration::from_secs(86_400 * 200)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&ours, "grade")).await;
    assert_eq!(reply.json["codes"][1]["status"], "expired");
}

/// A bank whose consent names an entity that a code has left (a sole trader turned company, a merger).
async fn ends_for_codes_that_pass_to_another_entity(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    let sql = "UPDATE subjects SET uscc = $2, version = version + 1 WHERE code = $1";
    app.sql(sql, vec![CLINIC.into(), crate::support::app::OTHER_ENTITY.into()]).await;
    for what in ["grade", "settlements"] {
        assert_eq!(bank.get(&token, &Bank::data(&consent, what)).await.refusal(), (403, "entity_changed"));
    }
}

//! A bank asks for consents, watches them, and ends them.

use super::{BankMachine, mode};
use crate::support::{
    TestStore,
    app::{CLINIC, ENTITY, HOSPITAL, TestApp, signed},
    both_engines,
};

both_engines! {
    a_consent_goes_its_way,
    a_token_is_described_and_not_shown,
}

/// A bank, and the administrator who enters what was signed.
async fn a_consent_goes_its_way(store: TestStore) {
    let app = TestApp::start(store).await;
    let machine = BankMachine::new(&app, &app.bank("bank-a").await);
    let codes = format!("{HOSPITAL},{CLINIC}");
    let wish = ["consent", "request", "--uscc", ENTITY, "--codes", &codes, "--permissions", "grade,settlements"];
    let lacks = machine.bank(&[&wish[..], &["--product", "医保信用贷"]].concat()).await;
    assert!(lacks.err.contains("--purpose pre_loan_review"), "{}", lacks.err);
    let rest = ["--product", "医保信用贷", "--purpose", "loan_approval", "--max-fetches", "3"];
    let asked = machine.bank(&[&wish[..], &rest].concat()).await.done();
    assert!(asked.contains("status       待授权 pending") && asked.contains("read in all  0 of 3"), "{asked}");
    let id = asked.split_whitespace().nth(1).unwrap().to_owned();
    app.app.consents.grant(&id, &signed(), &crate::support::decided_by("tester")).await.unwrap();
    let shown = machine.bank(&["consent", "show", &id]).await.done();
    assert!(shown.contains("有效 active") && shown.contains("granted      2026-04-01T"), "{shown}");
    let listed = machine.bank(&["consent", "list"]).await.done();
    assert!(listed.contains(&format!("{id}  有效 active  {ENTITY}  {HOSPITAL} +1")), "{listed}");

    let file = machine.name("receipt.jws");
    let receipt = machine.bank(&["consent", "receipt", &id, "--save", &file]).await.done();
    assert!(receipt.contains("Verified: the record is what key") && receipt.contains("granted by"), "{receipt}");
    assert_eq!(mode(&machine.path("receipt.jws")), 0o600);
    assert!(machine.refused(&["consent", "receipt", &id, "--save", &file]).await.contains("not overwritten"));

    let ended = machine.bank(&["consent", "revoke", &id]).await.done();
    assert!(ended.contains("已撤回 revoked"), "{ended}");
    assert!(machine.refused(&["grade", &id]).await.contains("403 consent_not_active"));
}

/// A bank.
async fn a_token_is_described_and_not_shown(store: TestStore) {
    let app = TestApp::start(store).await;
    let machine = BankMachine::new(&app, &app.bank("bank-a").await);
    let said = machine.bank(&["token", "--scope", "grade:read consents:read"]).await.done();
    assert!(said.contains("consents:read") && said.contains("expires  2026-04-01T") && !said.contains("eyJ"), "{said}");
    let shown = machine.bank(&["token", "--show"]).await.done();
    crate::support::logs::never_logged(shown.trim());
    assert!(shown.starts_with("eyJ") && shown.trim().split('.').count() == 3);
    let json: serde_json::Value = serde_json::from_str(&machine.bank(&["token", "--json"]).await.done()).unwrap();
    assert!(json["accepted"] == true && json.get("access_token").is_none(), "{json}");
}

//! A gateway that has not read changes made by others (I3).

use std::time::Duration;

use medcredit::{
    access,
    ledger::{Faults, prove},
};

use super::UNLIMITED;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on, both_engines, order,
    process::{Gateway, run},
};

#[test]
fn a_gateway_cut_off_from_the_database_answers_nobody_and_the_other_continues() {
    // A bank at two gateways, one of which cannot reach the database any more.
    block_on(async {
        let app = TestApp::start_with(TestStore::postgres().await, UNLIMITED).await;
        let beside = app.second_gateway("second", Faults::default()).await;
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |_| {}).await;
        let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
        beside.app.catch_up().await.unwrap();
        let there = bank.at(&beside.origin);
        assert_eq!((bank.get(&token, &path).await.status, there.get(&token, &path).await.status), (200, 200));
        beside.app.env.db.close().await;
        // A millisecond beyond the second within which a gateway must see changes.
        app.advance(Duration::from_millis(1001)).await;
        assert_eq!(there.get(&token, &path).await.refusal(), (503, "state_unknown"));
        assert_eq!(there.get(&token, "/v1/whoami").await.refusal(), (503, "state_unknown"));
        assert_eq!(bank.get(&token, &path).await.status, 200);
    });
}

#[test]
fn changes_at_one_gateway_bind_the_other() {
    // A bank that is suspended, or whose consent is revoked, at one gateway, asks at the other before that has heard of it.
    block_on(async {
        let app = TestApp::start_with(TestStore::postgres().await, UNLIMITED).await;
        let beside = app.second_gateway("second", Faults::default()).await;
        let (bank, other) = (app.bank("Bank A").await, app.bank("Bank B").await);
        beside.app.catch_up().await.unwrap();
        let (one, two) = (app.consent(&bank, |_| {}).await, app.consent(&other, |_| {}).await);
        let (token, others) = (bank.token().await, other.token().await);
        let (there, other_there) = (bank.at(&beside.origin), other.at(&beside.origin));
        assert_eq!(there.get(&token, &Bank::data(&one, "grade")).await.status, 200);
        assert_eq!(other_there.get(&others, &Bank::data(&two, "grade")).await.status, 200);
        app.app.consents.revoke(&two.id.to_string(), None, &crate::support::decided_by("tester")).await.unwrap();
        assert_eq!(other_there.get(&others, &Bank::data(&two, "grade")).await.refusal(), (403, "consent_not_active"));
        let db = &app.store.db;
        let before = order::recorded_under(db, &one.id.to_string()).await;
        access::suspend(&app.store.env(), crate::support::tester(), None, &bank.id).await.unwrap();
        let reply = there.get(&token, &Bank::data(&one, "grade")).await;
        assert!(matches!(reply.refusal(), (401, "invalid_token") | (503, "state_moving")), "{:?}", reply.json);
        assert_eq!(order::recorded_under(db, &one.id.to_string()).await, before);
        beside.stop().await;
    });
}

both_engines! {
    the_command_line_revokes_under_a_running_gateway,
}

/// An operator revokes at the command line, as a process of its own, under a gateway that is one, too: the next
/// request is refused.
async fn the_command_line_revokes_under_a_running_gateway(store: TestStore) {
    let app = TestApp::start_with(store.today(), UNLIMITED).await;
    let bank = app.bank("Bank A").await;
    let consents = [app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await];
    let config = app.config_file("gateway");
    let mut gateway = Gateway::start(&config);
    let there = bank.at(&gateway.serving());
    let token = there.token().await;
    for consent in consents {
        let path = Bank::data(&consent, "grade");
        let answer = there.get(&token, &path).await;
        assert_eq!(answer.status, 200, "{:?}", answer.json);
        let disclosure = answer.json["disclosure"].as_str().unwrap();
        assert!(prove(&app.store.db, disclosure, None).await.unwrap().is_some());
        let id = consent.id.to_string();
        let output = run(&["--config", &config, "consent", "revoke", &id, "--reason", "asked at the counter"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(there.get(&token, &path).await.refusal(), (403, "consent_not_active"));
    }
    // And the bank itself, whose suspension no request has to find in a record.
    let output = run(&["--config", &config, "client", "suspend", &bank.id.to_string()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let refused = async { while there.get(&token, "/v1/consents").await.status != 401 {} };
    tokio::time::timeout(Duration::from_secs(1), refused).await.expect("within a second");
    assert_eq!(order::revocations_come_last(&app.store).await, 2);
    gateway.signal("-TERM");
    assert_eq!(gateway.end().0, Some(0));
}

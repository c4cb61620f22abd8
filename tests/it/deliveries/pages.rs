//! Deliveries in pages: repeated and continued while consents start and end.

use std::{collections::BTreeSet, time::Duration};

use serde_json::{Value, json};

use super::{SMALL_PAGES, deliver, entries, request_body, verify_page};
use crate::support::{TestStore, app::TestApp, both_engines};

fn behind(cursor: &str) -> Value {
    let mut body = request_body();
    body["after"] = cursor.into();
    body
}

both_engines! {
    a_delivery_continues_from_page_to_page,
    each_line_uses_up_one_fetch_of_its_consent,
    only_consents_in_force_are_delivered,
    a_limited_token_delivers_its_own_consents,
    a_code_that_passed_to_another_entity_has_no_line,
}

/// A bank with 300 consents, one of which ends between its two pages; then it loses a page and requests it again.
async fn a_delivery_continues_from_page_to_page(store: TestStore) {
    let app = TestApp::start_with(store, SMALL_PAGES).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let mut all = BTreeSet::new();
    for _ in 0..300 {
        all.insert(app.consent(&bank, |_| {}).await.id.to_string());
    }
    let first = deliver(&bank, &token, &request_body()).await;
    assert_eq!(first.counts(), (200, 0));
    verify_page(&app, &bank, &first, None);
    let cursor = first.next().unwrap();
    let ended = all.last().unwrap().clone();
    app.app.consents.revoke(&ended, None, &crate::support::decided_by("tester")).await.unwrap();
    let second = deliver(&bank, &token, &behind(cursor)).await;
    assert_eq!((second.counts(), second.next()), ((99, 0), None));
    verify_page(&app, &bank, &second, None);
    assert_eq!(second.end["after"], cursor);
    // Together they are every consent except the one that ended, each once.
    let delivered: Vec<_> = first.consents().into_iter().chain(second.consents()).collect();
    all.remove(&ended);
    assert_eq!(delivered, all.iter().map(String::as_str).collect::<Vec<_>>());

    // Requested again it is the same page of other disclosures.
    let again = deliver(&bank, &token, &behind(cursor)).await;
    assert_eq!(again.consents(), second.consents());
    assert_ne!(again.lines[0]["disclosure"], second.lines[0]["disclosure"]);
    assert_eq!((entries(&app, "disclosure").await, entries(&app, "delivery").await), (200 + 2 * 99, 3));
}

/// A bank whose consents have budgets: a delivery counts like a reading, and a consent that is used up is only counted.
async fn each_line_uses_up_one_fetch_of_its_consent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |_| {}).await;
    let daily = app.consent(&bank, |new| new.daily_budget = Some(1)).await;
    let once = app.consent(&bank, |new| new.max_fetches = Some(1)).await;
    assert_eq!(deliver(&bank, &token, &request_body()).await.counts(), (3, 0));
    for (consent, code) in [(&daily, "consent_daily_budget_used_up"), (&once, "consent_used_up")] {
        let path = format!("/v1/consents/{}/grade", consent.id);
        assert_eq!(bank.get(&token, &path).await.refusal(), (429, code));
    }
    let second = deliver(&bank, &token, &request_body()).await;
    assert_eq!(second.counts(), (1, 2));
    // Only the counts: no data of a refused consent is in the answer.
    let text = String::from_utf8(second.reply.bytes.clone()).unwrap();
    for refused in [daily.id, once.id] {
        assert!(!text.contains(&refused.to_string()));
    }
    app.advance(Duration::from_secs(86_400)).await;
    assert_eq!(deliver(&bank, &bank.token().await, &request_body()).await.counts(), (2, 1));
}

/// A bank whose consent expires, and one whose consent is suspended (C3).
async fn only_consents_in_force_are_delivered(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let stays = app.consent(&bank, |_| {}).await;
    app.consent(&bank, |new| new.valid_for_days = Some(1)).await;
    let stopped = app.consent(&bank, |_| {}).await;
    app.app.consents.suspend(&stopped.id.to_string(), &crate::support::decided_by("tester")).await.unwrap();
    app.advance(Duration::from_secs(86_400)).await;
    let page = deliver(&bank, &bank.token().await, &request_body()).await;
    assert_eq!((page.counts(), page.consents()), ((1, 0), vec![stays.id.to_string().as_str()]));
}

/// A bank whose token is limited to one of its consents (K8): the others are not even counted.
async fn a_limited_token_delivers_its_own_consents(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let own = app.consent(&bank, |_| {}).await;
    app.consent(&bank, |_| {}).await;
    let details = json!([{ "type": "medcredit_consent", "identifier": own.id.to_string() }]).to_string();
    let fields = [("grant_type", "client_credentials"), ("authorization_details", details.as_str())];
    let token = bank.form("/oauth2/token", &fields).await.json["access_token"].as_str().unwrap().to_owned();
    let page = deliver(&bank, &token, &request_body()).await;
    assert_eq!((page.counts(), page.consents()), ((1, 0), vec![own.id.to_string().as_str()]));
}

/// A bank with the consent of an entity that lost a code since: it has no line any more.
async fn a_code_that_passed_to_another_entity_has_no_line(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    app.consent(&bank, |_| {}).await;
    app.consent(&bank, |new| new.codes = vec![crate::support::app::HOSPITAL.into()]).await;
    let sql = "UPDATE subjects SET uscc = $2, version = version + 1 WHERE code = $1";
    app.sql(sql, vec![crate::support::app::CLINIC.into(), crate::support::app::OTHER_ENTITY.into()]).await;
    assert_eq!(deliver(&bank, &token, &request_body()).await.counts(), (1, 1));
}

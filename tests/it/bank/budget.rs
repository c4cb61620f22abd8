//! C10: a consent's own budget in the limit fields of its answers and refusals.

use std::time::Duration;

use medcredit::domain::permission::Permission;

use crate::support::{
    TestStore,
    app::{Bank, Reply, TestApp},
    both_engines,
};

/// The items of a field that concern the consent.
fn of_consent(reply: &Reply, field: &str) -> Vec<String> {
    let items = reply.headers[field].split(", ").filter(|item| item.starts_with("\"consent-"));
    items.map(str::to_owned).collect()
}

both_engines! {
    is_in_every_answer_and_refusal,
    is_exact_for_concurrent_answers,
    is_absent_where_there_is_none,
    is_not_spent_by_head,
}

/// A bank with a consent for two fetches a day and three in all, at nine in the morning.
async fn is_in_every_answer_and_refusal(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app
        .consent(&bank, |new| {
            new.daily_budget = Some(2);
            new.max_fetches = Some(3);
        })
        .await;
    let path = Bank::data(&consent, "grade");
    let token = bank.token().await;
    let policy = ["\"consent-day\";q=2;w=86400", "\"consent-total\";q=3"];
    let until_midnight = 15 * 3600;
    for (day, total) in [(1, 2), (0, 1)] {
        let reply = bank.get(&token, &path).await;
        assert_eq!(reply.status, 200, "{:?}", reply.json);
        assert_eq!(of_consent(&reply, "ratelimit-policy"), policy);
        assert_eq!(
            of_consent(&reply, "ratelimit"),
            [format!("\"consent-day\";r={day};t={until_midnight}"), format!("\"consent-total\";r={total}")]
        );
        // The quotas of requests stand beside it.
        assert!(reply.headers["ratelimit"].contains("\"burst\";r="), "{:?}", reply.headers);
    }
    app.advance(Duration::from_millis(3_600_500)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.refusal(), (429, "consent_daily_budget_used_up"));
    assert_eq!(reply.json["violated-policies"], serde_json::json!(["consent-day"]));
    // Until midnight in the city, not a moment earlier.
    assert_eq!(reply.headers["retry-after"], "50400");
    assert_eq!(of_consent(&reply, "ratelimit"), ["\"consent-day\";r=0;t=50400", "\"consent-total\";r=1"]);
    assert_eq!(of_consent(&reply, "ratelimit-policy"), policy);
    app.advance(Duration::from_secs(50_399)).await;
    let token = bank.token().await;
    assert_eq!(bank.get(&token, &path).await.refusal(), (429, "consent_daily_budget_used_up"));
    app.advance(Duration::from_secs(1)).await;
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    assert_eq!(of_consent(&reply, "ratelimit")[1], "\"consent-total\";r=0");
    let reply = bank.get(&token, &path).await;
    assert_eq!(reply.refusal(), (429, "consent_used_up"));
    assert_eq!(reply.json["violated-policies"], serde_json::json!(["consent-total"]));
    // Waiting does not help, so there is no Retry-After.
    assert!(!reply.headers.contains_key("retry-after"), "{:?}", reply.headers);
    assert_eq!(of_consent(&reply, "ratelimit")[1], "\"consent-total\";r=0");
}

/// A bank with eight concurrent requests: each answer states what is left after it, and no two state the same.
async fn is_exact_for_concurrent_answers(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |new| new.max_fetches = Some(5)).await;
    let (path, token) = (Bank::data(&consent, "grade"), bank.token().await);
    let replies = futures_util::future::join_all((0..8).map(|_| bank.get(&token, &path))).await;
    let mut left: Vec<_> =
        replies.iter().filter(|reply| reply.status == 200).flat_map(|reply| of_consent(reply, "ratelimit")).collect();
    left.sort();
    assert_eq!(left, (0..5).map(|left| format!("\"consent-total\";r={left}")).collect::<Vec<_>>());
}

/// A bank with a consent that is not limited, and one that is refused before anything is counted.
async fn is_absent_where_there_is_none(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let counted = app.consent(&bank, |new| new.max_fetches = Some(5)).await;
    let token = bank.token().await;
    let reply = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!((reply.status, of_consent(&reply, "ratelimit")), (200, vec![]));
    let reply = bank.get(&token, &Bank::data(&counted, "scorecard")).await;
    assert_eq!((reply.refusal(), of_consent(&reply, "ratelimit")), ((403, "permission_not_granted"), vec![]));
}

/// A bank, or a monitoring program with its certificate, that sends HEAD: nothing is disclosed, recorded or counted.
async fn is_not_spent_by_head(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let permissions = [Permission::Grade, Permission::GradeHistory, Permission::Scorecard, Permission::Settlements];
    let consent = app
        .consent(&bank, |wish| {
            wish.permissions = permissions.to_vec();
            wish.max_fetches = Some(1);
        })
        .await;
    let token = bank.token().await;
    for what in ["grade", "grade-history", "scorecard", "settlements", "report"] {
        let reply = bank.send(bank.http.head(bank.url(&Bank::data(&consent, what))).bearer_auth(&token)).await;
        assert_eq!((reply.status, reply.headers["allow"].as_str()), (405, "GET"), "{what}");
        assert!(reply.bytes.is_empty() && !reply.headers.contains_key("medcredit-disclosure"), "{what}");
    }
    assert_eq!(super::disclosures(&app).await, 0);
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200, "the one fetch is left");
    // Over HTTP/2 a body would end the connection.
    let reply = bank.send(bank.http.head(bank.url("/v1/consents"))).await;
    assert_eq!((reply.status, reply.bytes.len()), (401, 0));
    // What discloses nothing has the usual HEAD.
    let reply = bank.send(bank.http.head(bank.url("/v1/consents")).bearer_auth(&token)).await;
    assert_eq!((reply.status, reply.bytes.len()), (200, 0));
}

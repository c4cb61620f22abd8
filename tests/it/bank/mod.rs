//! What banks read: the answers, their headers, and who is refused.

mod bodies;
mod budget;
mod cache;
mod content;
mod grade;
mod grade_history;
pub mod imports;
mod interaction;
mod page;
pub mod receipts;
mod refused;
mod report;
mod scorecard;
mod settlements;
mod signed;
pub mod tiles;

use std::collections::BTreeSet;

use medcredit::{
    domain::HalfYear,
    grading::Rounds,
    identity::signature::{Covered, RequestFacts, SignatureFields, content_digest, verify},
    ledger::Receipt,
};
use serde_json::Value;

use crate::support::app::{Bank, Reply, TestApp};

/// Every member of an answer by its path, such as `codes[].grade.code`: what an allow-list is compared with (I4).
fn members(json: &Value) -> BTreeSet<String> {
    fn walk(json: &Value, at: &str, out: &mut BTreeSet<String>) {
        match json {
            Value::Object(map) => {
                for (name, value) in map {
                    let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
                    out.insert(path.clone());
                    walk(value, &path, out);
                }
            }
            Value::Array(list) => list.iter().for_each(|item| walk(item, &format!("{at}[]"), out)),
            _ => {}
        }
    }
    let mut out = BTreeSet::new();
    walk(json, "", &mut out);
    out
}

/// A written list of members, one to a word.
fn list(words: &str) -> BTreeSet<String> {
    words.split_whitespace().map(str::to_owned).collect()
}

/// The members of the envelope of every data answer.
const ENVELOPE: &str = "disclosure disclosed_at notice onward_supply consent purpose uscc";

/// Checks digest, signature and receipt of an answer, as a bank that keeps it would.
fn keepable(app: &TestApp, bank: &Bank, path: &str, reply: &Reply) {
    assert_eq!(reply.headers["cache-control"], "no-store");
    assert!(!reply.headers.contains_key("etag"));
    assert_eq!(reply.headers["content-digest"], content_digest(&reply.bytes));
    let keys = app.app.keys.load();
    let key = keys.answer.public_key();
    let uri = bank.url(path);
    let covered = Covered {
        status: 200,
        content_digest: &reply.headers["content-digest"],
        interaction_id: &reply.headers["x-fapi-interaction-id"],
        disclosure: &reply.headers["medcredit-disclosure"],
        request: RequestFacts { method: "GET", target_uri: &uri, digest: None, signature: None },
    };
    let fields = SignatureFields {
        input: reply.headers["signature-input"].clone(),
        signature: reply.headers["signature"].clone(),
    };
    verify(&covered, &fields, key.key_id(), key.suite(), key.der()).unwrap();
    let receipt = Receipt::parse(&reply.headers["medcredit-disclosure"]).unwrap();
    assert_eq!(reply.json["disclosure"], receipt.id);
}

/// What the ledger says of an answer: a field of its entry's opening.
async fn recorded(app: &TestApp, reply: &Reply, field: &str) -> Value {
    let id = reply.json["disclosure"].as_str().unwrap();
    let sql = "SELECT body FROM ledger_openings WHERE entry_id = $1";
    let (body,): (String,) = app.store.db.read("test").fetch_one(sql, vec![id.into()]).await.unwrap();
    serde_json::from_str::<Value>(&body).unwrap()["fields"][field]["value"].clone()
}

/// Raises the number that every publication and correction raises, so that cached readings are outdated.
async fn raise_publication(app: &TestApp) {
    app.sql("UPDATE publication SET number = number + 1", vec![]).await;
}

/// How many disclosures the ledger holds.
async fn disclosures(app: &TestApp) -> i64 {
    let sql = "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries WHERE type = 'disclosure'";
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    count
}

/// Makes a round of a half-year and publishes it, or leaves it a trial.
async fn round(app: &TestApp, period: &str, published: bool) -> String {
    let store = &app.store;
    let library = crate::support::library();
    let rounds = Rounds::new(store.env());
    let period: HalfYear = period.parse().unwrap();
    let run = rounds
        .run(crate::support::tester(), library.get("wenzhou-institution").unwrap(), period, &|_, _| {})
        .await
        .unwrap();
    if published {
        rounds.publish(crate::support::tester(), &run.id.to_string(), 1).await.unwrap();
        app.app.catch_up().await.unwrap();
    }
    run.id.to_string()
}

/// A token with these scopes only.
async fn token(bank: &Bank, scopes: &str) -> String {
    let reply = bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", scopes)]).await;
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    crate::support::logs::never_logged(reply.json["access_token"].as_str().unwrap().to_owned())
}

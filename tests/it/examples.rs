//! openapi/examples.json: recorded exchanges, which the OpenAPI document contains. The present responses of the gateway must be
//! the same, apart from random values and keys, and every header field must be documented.
//!
//! To record them again: `MEDCREDIT_RECORD_EXAMPLES=1 cargo test --test it examples`, then `medcredit openapi --check` reports what to
//! update.

use std::{collections::BTreeMap, time::Duration};

use medcredit::domain::permission::{Permission, Purpose};
use serde_json::{Map, Value, json};

use crate::{
    bank::{imports, receipts},
    support::{
        TestStore,
        app::{Bank, CLINIC, ENTITY, HOSPITAL, Reply, TestApp},
        both_engines,
    },
};

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi/examples.json");

/// Operations whose responses are not text.
const WITHOUT_EXAMPLE: &[&str] = &["tile", "entries"];

/// An exchange: the operation's id, the request's body and the response.
struct Exchange(&'static str, Option<Value>, Reply);

/// The exchange as recorded: with the origin of the documentation.
fn shown(exchange: &Exchange, origin: &str) -> Value {
    let text = String::from_utf8(exchange.2.bytes.clone()).unwrap().replace(origin, "https://localhost:8443");
    let mut shown = Map::new();
    if let Some(request) = &exchange.1 {
        shown.insert("request".into(), request.clone());
    }
    shown.insert("status".into(), exchange.2.status.into());
    shown.insert("body".into(), serde_json::from_str(&text).unwrap_or(Value::String(text)));
    Value::Object(shown)
}

/// Masks what differs from run to run: of identifiers only the prefix stays, of keys, hashes and signatures nothing.
fn masked(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(members) => members.iter().map(|(name, value)| (name.clone(), masked(name, value))).collect(),
        Value::Array(items) => items.iter().map(|item| masked(name, item)).collect(),
        Value::String(text) => Value::String(masked_text(name, text)),
        other => other.clone(),
    }
}

fn masked_text(name: &str, text: &str) -> String {
    if matches!(name, "kid" | "x" | "y" | "serial" | "verifier" | "checkpoint" | "key_exchange") {
        return "*".into();
    }
    if let Ok(inner @ Value::Object(_)) = serde_json::from_str(text) {
        return masked(name, &inner).to_string();
    }
    let lines: Option<Vec<Value>> = text.lines().map(|line| serde_json::from_str(line).ok()).collect();
    if let Some(lines) = lines.filter(|lines| lines.len() > 1) {
        return lines.iter().map(|line| masked(name, line).to_string()).collect();
    }
    if text.starts_with("urn:uuid:") {
        return "urn:uuid:*".into();
    }
    if text.contains("\n\n\u{2014} ") {
        return "a note".into();
    }
    match text.split_once('_') {
        Some((kind, rest)) if kind.len() == 3 && rest.len() == 26 => return format!("{kind}_*"),
        _ => {}
    }
    let random = |c: char| c.is_ascii_alphanumeric() || "+/=-_.".contains(c);
    let chance = text.len() >= 22 && text.chars().all(random) && text.chars().any(|c| c.is_ascii_digit());
    if chance { "*".into() } else { text.into() }
}

async fn record(app: &TestApp) -> Vec<Exchange> {
    let bank = app.bank("Bank A").await;
    let form = [("grant_type", "client_credentials")];
    let issued = bank.form("/oauth2/token", &form).await;
    let token = issued.json["access_token"].as_str().unwrap().to_owned();
    let spare = bank.token().await;
    let mut out = vec![Exchange("token", Some(json!({ "grant_type": "client_credentials" })), issued)];
    let sent = Some(json!({ "token": "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCJ9.e30.c2lnbmF0dXJl" }));
    out.push(Exchange("introspect", sent.clone(), bank.form("/oauth2/introspect", &[("token", &spare)]).await));
    out.push(Exchange("revoke_token", sent, bank.form("/oauth2/revoke", &[("token", &spare)]).await));
    let wish = json!({
        "uscc": ENTITY, "codes": [HOSPITAL, CLINIC], "product": "医保信用贷", "reference": "A-2026-000123",
        "permissions": ["grade", "grade_history", "scorecard", "settlements"], "purposes": ["pre_loan_review"],
        "data_from": "2025-01", "data_to": "2026-03", "valid_for_days": 90, "max_fetches": 20, "daily_budget": 10,
    });
    let requested = bank.post(&token, "/v1/consents", &wish).await;
    let pending = requested.json["id"].as_str().unwrap().to_owned();
    out.push(Exchange("request_consent", Some(wish), requested));
    let consent = app
        .consent(&bank, |wish| {
            wish.permissions =
                vec![Permission::Grade, Permission::GradeHistory, Permission::Scorecard, Permission::Settlements];
        })
        .await;
    let path = |what: &str| Bank::data(&consent, what);
    let grade = bank.get(&token, &path("grade")).await;
    let disclosure = grade.json["disclosure"].as_str().unwrap().to_owned();
    out.push(Exchange("grade", None, grade));
    app.app.sealer.seal_once().await.unwrap().unwrap();
    for (operation, path) in [
        ("grade_history", path("grade-history")),
        ("scorecard", path("scorecard")),
        ("settlements", path("settlements?from=2025-03&to=2025-05")),
        ("report", path("report")),
        ("receipt", path("receipt")),
        ("list_consents", "/v1/consents".into()),
        ("show_consent", path("").trim_end_matches('/').to_owned()),
        ("proof", format!("/v1/disclosures/{disclosure}/proof")),
        ("whoami", "/v1/whoami".into()),
        ("schemes", "/v1/schemes".into()),
        ("checkpoint", "/v1/ledger/checkpoint".into()),
        ("keys", "/v1/ledger/keys".into()),
        ("jwks", "/.well-known/jwks.json".into()),
        ("authorization_server", "/.well-known/oauth-authorization-server".into()),
        ("protected_resource", "/.well-known/oauth-protected-resource".into()),
        ("problem_404", "/v1/disclosures/dis_06fzgvc5pqyd2m8s4tbn0xke71/proof".into()),
        ("problem_400", "/v1/consents?limit=0".into()),
    ] {
        out.push(Exchange(operation, None, bank.get(&token, &path).await));
    }
    app.consent(&bank, |wish| wish.purposes = vec![Purpose::PostLoanManagement]).await;
    let wish = json!({ "month": "2026-02", "purpose": "post_loan_management", "what": ["grade", "settlements"] });
    out.push(Exchange("deliver", Some(wish.clone()), bank.post(&token, "/v1/deliveries", &wish).await));
    let department = imports::department(app, "Market supervision", &["records"], &["市场监管局"]).await;
    let departments = department.token().await;
    let file = format!("{}{}", imports::HEADER, imports::facts("市场监管局", 0..3));
    let imported = imports::csv(&department, &departments, "records", &file).await;
    let report = format!("/v1/imports/{}", imported.json["id"].as_str().unwrap());
    out.push(Exchange("import_file", Some(file.into()), imported));
    out.push(Exchange("show_import", None, department.get(&departments, &report).await));
    out.push(report_receipts(app).await);
    out.push(Exchange("revoke_consent", None, bank.delete(&token, &format!("/v1/consents/{pending}")).await));
    refused(app, &bank, &token, &mut out).await;
    out
}

/// A platform accepts a row of its package, and rejects another.
async fn report_receipts(app: &TestApp) -> Exchange {
    receipts::deliver(app).await;
    let platform = receipts::platform(app, receipts::PLATFORM).await;
    let record = |code: &str| format!("wenzhou-951:2025-H2:{code}");
    let rejected = json!({
        "record_id": record(CLINIC), "version": 1, "verdict": "rejected", "reason": "R02", "note": "名称与统一社会信用代码不一致",
    });
    let report = json!({ "package": 1, "receipts": [receipts::accepted(&record(HOSPITAL)), rejected] });
    let reply = platform.post(app, &receipts::path(receipts::PLATFORM), &report).await;
    Exchange("report_receipts", Some(report), reply)
}

/// One example of each refusal that needs no injected failure.
async fn refused(app: &TestApp, bank: &Bank, token: &str, out: &mut Vec<Exchange>) {
    let anonymous = bank.send(bank.http.get(bank.url("/v1/consents"))).await;
    out.push(Exchange("problem_401", None, anonymous));
    let narrow =
        bank.form("/oauth2/token", &[("grant_type", "client_credentials"), ("scope", "disclosures:read")]).await;
    let narrow = narrow.json["access_token"].as_str().unwrap().to_owned();
    out.push(Exchange("problem_403", None, bank.get(&narrow, "/v1/consents").await));
    let plain = bank.http.post(bank.url("/v1/consents")).bearer_auth(token).header("content-type", "text/plain");
    out.push(Exchange("problem_415", None, bank.send(plain.body("x")).await));
    out.push(Exchange("oauth_400", None, bank.form("/oauth2/token", &[("grant_type", "password")]).await));
    let secret = [("grant_type", "client_credentials"), ("client_secret", "x")];
    out.push(Exchange("oauth_401", None, bank.form("/oauth2/token", &secret).await));
    let limited = app
        .bank_with("Bank B", |new| {
            new.limits.0.insert("burst".into(), 1);
        })
        .await;
    limited.send(limited.http.get(limited.url("/v1/schemes"))).await;
    out.push(Exchange("problem_429", None, limited.send(limited.http.get(limited.url("/v1/schemes"))).await));
    app.store.clock.advance(Duration::from_secs(2));
    out.push(Exchange("problem_503", None, bank.get(token, "/v1/schemes").await));
}

fn document() -> Value {
    serde_json::from_str(&medcredit::http::openapi::partner().unwrap()).unwrap()
}

fn operations(document: &Value) -> BTreeMap<String, Value> {
    let paths = document["paths"].as_object().unwrap().values();
    paths
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| (operation["operationId"].as_str().unwrap().to_owned(), operation.clone()))
        .collect()
}

/// The documented response of an operation, with its reference resolved.
fn documented<'a>(document: &'a Value, operation: &'a Value, status: u16) -> &'a Value {
    let response = &operation["responses"][status.to_string()];
    match response["$ref"].as_str() {
        Some(reference) => document.pointer(reference.trim_start_matches('#')).unwrap(),
        None => response,
    }
}

/// The operation whose refusal is the example of its status.
fn operation_of(name: &str) -> &str {
    match name {
        "problem_404" => "proof",
        "problem_429" | "problem_503" => "schemes",
        "problem_415" => "request_consent",
        "problem_400" | "problem_401" | "problem_403" => "list_consents",
        "oauth_400" | "oauth_401" => "token",
        own => own,
    }
}

both_engines! {
    every_example_is_a_present_response,
}

async fn every_example_is_a_present_response(store: TestStore) {
    // With a fixed host, because the origin of the log is part of the examples.
    let settings = format!("[ledger]\nhost = \"credit.example.gov.cn\"\n{}", receipts::PUSH);
    let app = TestApp::start_with(store, &settings).await;
    let exchanges = record(&app).await;
    let fresh: BTreeMap<&str, Value> =
        exchanges.iter().map(|exchange| (exchange.0, shown(exchange, &app.origin))).collect();
    let document = document();
    let operations = operations(&document);
    for Exchange(name, _, reply) in &exchanges {
        let refusal = name.starts_with("problem_") || name.starts_with("oauth_");
        assert_eq!(reply.status >= 400, refusal, "{name}: {:?}", reply.json);
    }
    if std::env::var_os("MEDCREDIT_RECORD_EXAMPLES").is_some() {
        std::fs::write(FILE, serde_json::to_string_pretty(&fresh).unwrap() + "\n").unwrap();
        return;
    }
    let mut undocumented = Vec::new();
    for exchange in &exchanges {
        let Exchange(name, _, reply) = exchange;
        let response = documented(&document, &operations[operation_of(name)], reply.status);
        assert!(!response.is_null(), "{name}: {} is not documented", reply.status);
        for header in
            reply.headers.keys().filter(|header| !["content-type", "content-length", "date"].contains(&header.as_str()))
        {
            let known = response["headers"].as_object().unwrap().keys().any(|known| known.eq_ignore_ascii_case(header));
            if !known {
                undocumented.push(format!("{name} {}: {header}", reply.status));
            }
        }
        let media_type = reply.headers.get("content-type").map_or("", |value| value.split(';').next().unwrap());
        assert!(reply.bytes.is_empty() || response["content"].get(media_type).is_some(), "{name}: {media_type}");
    }
    assert!(undocumented.is_empty(), "headers that are not documented: {undocumented:#?}");
    let committed: BTreeMap<String, Value> = serde_json::from_str(&std::fs::read_to_string(FILE).unwrap()).unwrap();
    for (name, fresh) in fresh {
        let committed = committed.get(name).unwrap_or_else(|| panic!("{name} has no example"));
        let same = masked("", committed) == masked("", &fresh);
        assert!(
            same,
            "the response of {name} differs from its example: record it again (see the head of this file) and review the difference"
        );
    }
    let missing: Vec<_> = operations
        .keys()
        .filter(|name| !committed.contains_key(*name) && !WITHOUT_EXAMPLE.contains(&name.as_str()))
        .collect();
    assert!(missing.is_empty(), "no example of {missing:?}; see the head of this file");
}

#[test]
fn operation_ids_are_unique() {
    let document = document();
    let paths = document["paths"].as_object().unwrap().values();
    let count = paths.map(|item| item.as_object().unwrap().len()).sum::<usize>();
    assert_eq!(operations(&document).len(), count, "two operations share an operationId");
}

//! Gateways over a database that was turned back (I9, docs/RECOVERY.md).

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use medcredit::{
    app::App,
    cli,
    consent::Consent,
    ledger::{HistoryState, SealError},
    store::Env,
};
use serde_json::json;

use crate::{
    ledger::vandal::{turn_back, vandalise_store},
    support::{
        TestStore,
        app::{Bank, TestApp},
        both_engines,
        command::medcredit,
        decided_by,
        process::{Gateway, run},
    },
};

both_engines! {
    a_revocation_that_a_restored_database_lost_is_not_lost,
    an_operator_starts_on_a_restored_database,
}

/// Restores the database as of the first leaves, before a consent was revoked.
async fn restore(app: &TestApp, leaves: u64, revoked: &Consent) {
    turn_back(&app.store, leaves).await;
    let sql = format!(
        "DELETE FROM consent_events WHERE consent_id = '{0}' AND event = 'revoked'; \
         UPDATE consents SET state = 'active', ended_at = NULL, status_reason = NULL, version = version - 1 WHERE id = '{0}'",
        revoked.id
    );
    vandalise_store(&app.store, &sql).await;
}

async fn count(app: &TestApp, sql: &'static str) -> i64 {
    let (count,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    count
}

async fn leaves(app: &TestApp) -> u64 {
    u64::try_from(count(app, "SELECT CAST(count(*) AS BIGINT) FROM ledger_leaves").await).unwrap()
}

async fn entries(app: &TestApp) -> i64 {
    count(app, "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries").await
}

/// A bank reads under a consent whose revocation a restore undid: it gets no data, from no call that discloses, also after
/// a restart. Calls that disclose nothing are answered.
async fn a_revocation_that_a_restored_database_lost_is_not_lost(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let (consent, other) = (app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await);
    let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
    assert_eq!(bank.get(&token, &path).await.status, 200);
    app.app.sealer.seal_once().await.unwrap();
    let backed_up = leaves(&app).await;
    app.app.consents.revoke(&consent.id.to_string(), None, &decided_by("tester")).await.unwrap();
    assert_eq!(bank.get(&token, &path).await.refusal(), (403, "consent_not_active"));
    app.app.sealer.seal_once().await.unwrap();
    let behind = HistoryState::Behind { store: backed_up, known: leaves(&app).await };
    restore(&app, backed_up, &consent).await;
    app.app.catch_up().await.unwrap();
    assert_eq!(*app.app.history.history().state(), behind);
    let before = entries(&app).await;
    for consent in [&consent, &other] {
        for what in ["grade", "settlements", "grade-history", "scorecard", "report"] {
            let refused = bank.get(&token, &Bank::data(consent, what)).await;
            assert_eq!(refused.refusal(), (503, "history_behind"), "{what}");
            assert!(refused.headers.contains_key("retry-after"));
        }
    }
    let wish = json!({ "month": "2026-02", "purpose": "pre_loan_review" });
    assert_eq!(bank.post(&token, "/v1/deliveries", &wish).await.refusal(), (503, "history_behind"));
    for path in ["/v1/whoami", "/v1/consents"] {
        assert_eq!(bank.get(&token, path).await.status, 200, "{path}");
    }
    assert_eq!(entries(&app).await, before);
    let refused = app.app.sealer.seal_once().await;
    assert!(matches!(refused, Err(SealError::History(state)) if state == behind));
    let env = Env { db: app.store.reopen().await, ..app.store.env() };
    let restarted = App::open(app.app.config.clone(), env).await.unwrap();
    assert_eq!(*restarted.history.history().state(), behind);
    app.store.clock.advance(Duration::from_hours(100 * 24));
    app.app.tidy().await.unwrap();
    assert_eq!(entries(&app).await, before, "no expiry is recorded");
}

/// `GET /readyz` of a gateway.
fn readyz(address: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// Serves until `while_serving` is done, with the bank there, a token of it and the telemetry address. Returns the log.
async fn serve(config: &str, bank: &Bank, while_serving: impl AsyncFnOnce(Bank, String, String)) -> String {
    let mut gateway = Gateway::start(config);
    let telemetry = gateway.address_of("telemetry");
    let bank = bank.at(&gateway.serving());
    let token = bank.token().await;
    while_serving(bank, token, telemetry).await;
    gateway.signal("-TERM");
    let (code, log) = gateway.end();
    assert_eq!(code, Some(0), "{log}");
    log
}

/// What `doctor` finds of the history.
async fn doctor(config: &str) -> String {
    let found = medcredit(&["doctor", "--config", config]).await.out;
    let of_history = |line: &&str| line.get(9..).is_some_and(|rest| rest.starts_with("history"));
    found.lines().find(of_history).unwrap().to_owned()
}

/// An operator restores a backup and starts the gateway: it answers no data request and names the reason. Without its
/// checkpoint file it does not start, until the operator accepts the database.
async fn an_operator_starts_on_a_restored_database(store: TestStore) {
    let app = TestApp::start(store.today()).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (config, file) = (app.config_file("gateway"), app.path("checkpoint-gateway"));
    let path = Bank::data(&consent, "grade");
    assert!(doctor(&config).await.starts_with("ok"));
    serve(&config, &bank, async |bank, token, telemetry| {
        assert_eq!(bank.get(&token, &path).await.status, 200);
        assert!(readyz(&telemetry).contains(r#""history":"ok""#));
    })
    .await;
    let backed_up = leaves(&app).await;
    app.app.consents.revoke(&consent.id.to_string(), None, &decided_by("tester")).await.unwrap();
    serve(&config, &bank, async |_, _, _| ()).await;
    assert!(leaves(&app).await > backed_up);
    restore(&app, backed_up, &consent).await;
    let why = format!("ends after {backed_up} leaves, and a checkpoint of ");
    let found = doctor(&config).await;
    assert!(found.starts_with("PROBLEM") && found.contains(&why), "{found}");
    let log = serve(&config, &bank, async |bank, token, telemetry| {
        assert_eq!(bank.get(&token, &path).await.refusal(), (503, "history_behind"));
        let ready = readyz(&telemetry);
        assert!(ready.starts_with("HTTP/1.1 503") && ready.contains(&why), "{ready}");
    })
    .await;
    assert!(log.contains("data requests are refused") && log.contains(&why), "{log}");
    std::fs::rename(&file, app.path("evidence")).unwrap();
    let (code, log) = Gateway::start(&config).end();
    assert!(code == Some(1) && log.contains("checkpoint-gateway is missing"), "{log}");
    let found = doctor(&config).await;
    assert!(found.starts_with("PROBLEM") && found.contains("ledger accept-checkpoint"), "{found}");
    assert_eq!(run(&["ledger", "verify", "--config", &config]).status.code(), Some(i32::from(cli::FAILED)));
    assert!(!file.exists());
    let accept = ["ledger", "accept-checkpoint", "--reason", "restored from last night", "--config", &config];
    assert!(run(&accept).status.success());
    assert!(doctor(&config).await.starts_with("ok"));
    serve(&config, &bank, async |bank, token, telemetry| {
        assert_eq!(bank.get(&token, &path).await.status, 200, "the operator has accepted it");
        assert!(readyz(&telemetry).contains(r#""history":"ok""#));
    })
    .await;
    assert!(run(&["ledger", "verify", "--config", &config]).status.success());
}

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
    principals::{OperatorState, Roles},
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
        tester,
    },
};

both_engines! {
    a_revocation_that_a_restored_database_lost_is_not_lost,
    an_operator_starts_on_a_restored_database,
    an_operator_recovers_a_database_that_lost_a_revocation,
}

/// Restores the database as of the first leaves, before a consent was revoked.
async fn restore(app: &TestApp, leaves: u64, revoked: &Consent) {
    turn_back(&app.store, leaves).await;
    let sql = format!(
        "DELETE FROM consent_events WHERE consent_id = '{0}' AND event = 'revoked'; DELETE FROM ends; \
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
/// checkpoint file it does not start, and the journal beside it keeps the operator from accepting the database.
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
        // One that has just started may ask for patience first, on a busy machine.
        let refused = async { while bank.get(&token, &path).await.refusal() == (503, "state_unknown") {} };
        tokio::time::timeout(Duration::from_secs(5), refused).await.expect("it knows its state");
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
    let refused = run(&accept);
    assert_eq!(refused.status.code(), Some(i32::from(cli::FAILED)), "the journal of ends knows better");
    assert!(stderr(&refused).contains("1 end(s) of access") && stderr(&refused).contains("medcredit recover"));
    assert!(!file.exists());
}

fn stderr(output: &std::process::Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// The output of a command that is meant to succeed.
fn done(args: &[&str]) -> String {
    let output = run(args);
    assert!(output.status.success(), "{args:?}: {}", stderr(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// A bank and an operator are suspended and a consent revoked after the back-up that an operator restores. After the recovery both are ended
/// again, earlier tokens are void, and the other consent is suspended until an operator has compared it.
async fn an_operator_recovers_a_database_that_lost_a_revocation(store: TestStore) {
    let app = TestApp::start(store.today()).await;
    let (bank, closed) = (app.bank("Bank A").await, app.bank("Bank B").await);
    let (revoked, kept) = (app.consent(&bank, |_| {}).await, app.consent(&bank, |_| {}).await);
    let (config, file) = (app.config_file("gateway"), app.path("checkpoint-gateway"));
    let (revoked_id, kept_id, closed_id) = (revoked.id.to_string(), kept.id.to_string(), closed.id.to_string());
    let mut tokens = Vec::new();
    let roles = Roles::parse(&["read_only"]).unwrap();
    let wang = app.app.principals.create(tester(), "wang", &roles).await.unwrap().id;
    serve(&config, &bank, async |bank, token, _| {
        for consent in [&revoked, &kept] {
            assert_eq!(bank.get(&token, &Bank::data(consent, "grade")).await.status, 200);
        }
        tokens.push(token);
    })
    .await;
    let backed_up = leaves(&app).await;
    let operator = ["--operator", "li", "--config", &config];
    done(&[&["consent", "revoke", &revoked_id, "--reason", "withdrawn"], &operator[..]].concat());
    done(&[&["client", "suspend", &closed_id, "--reason", "certificate lost"], &operator[..]].concat());
    done(&[&["operator", "suspend", "wang", "--reason", "dismissed"][..], &operator[..]].concat());
    let recover = [&["recover", "--reason", "the disk was lost"], &operator[..]].concat();
    let refused = run(&recover);
    assert!(!refused.status.success() && stderr(&refused).contains("nothing to recover"), "{}", stderr(&refused));
    let mut lost = String::new();
    serve(&config, &bank, async |bank, token, _| {
        let answer = bank.get(&token, &Bank::data(&kept, "grade")).await;
        lost = answer.json["disclosure"].as_str().unwrap().to_owned();
    })
    .await;
    restore(&app, backed_up, &revoked).await;
    let sql = format!("UPDATE clients SET state = 'active', epoch = epoch - 1 WHERE id = '{closed_id}'");
    vandalise_store(&app.store, &sql).await;
    vandalise_store(&app.store, "UPDATE operators SET state = 'invited'").await;
    // The count of the answer that was given since is lost with its entry.
    let sql =
        format!("UPDATE consent_use SET used = used - 1, used_today = used_today - 1 WHERE consent_id = '{kept_id}'");
    vandalise_store(&app.store, &sql).await;
    serve(&config, &bank, async |bank, token, _| {
        for consent in [&revoked, &kept] {
            assert_eq!(bank.get(&token, &Bank::data(consent, "grade")).await.refusal(), (503, "history_behind"));
        }
    })
    .await;
    assert_eq!(run(&["recover", "--config", &config]).status.code(), Some(i32::from(cli::WRONG_USAGE)));
    let said = done(&recover);
    for line in [
        format!("replayed   consent_revoked of {revoked_id}, by operator:li (epoch 1)"),
        format!("replayed   client_suspended of {closed_id}, by operator:li (epoch 1)"),
        format!("replayed   operator_suspended of {wang}, by operator:li (epoch 1)"),
        "suspended  1 consents".into(),
        format!("lost       {lost} to {}, under {kept_id}", bank.id),
        "continues in epoch 2".into(),
    ] {
        assert!(said.contains(&line), "{line} in {said}");
    }
    assert_eq!(
        count(&app, "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries WHERE body LIKE '%history_recovered%'").await,
        1
    );
    assert_eq!(app.app.principals.operator("wang").await.unwrap().summary.state, OperatorState::Suspended);
    let former = std::fs::read_to_string(app.path("checkpoint-gateway.1")).unwrap();
    assert!(former.lines().next().unwrap().ends_with("/ledger/1"), "{former}");
    assert!(std::fs::read_to_string(&file).unwrap().lines().next().unwrap().ends_with("/ledger/2"));
    assert!(doctor(&config).await.starts_with("ok"));
    assert!(stderr(&run(&recover)).contains("nothing to recover"));
    done(&["ledger", "verify", "--config", &config]);
    let listed = done(&["recover", "--list", "--config", &config]);
    assert!(listed.contains(&kept_id) && !listed.contains(&revoked_id) && listed.lines().count() == 1, "{listed}");
    serve(&config, &bank, async |bank, token, telemetry| {
        assert!(readyz(&telemetry).contains(r#""history":"ok""#));
        // A token from before the recovery.
        let refused = bank.get(&tokens[0], &Bank::data(&kept, "grade")).await;
        assert_eq!(refused.refusal(), (401, "invalid_token"), "{said}");
        for consent in [&revoked, &kept] {
            assert_eq!(bank.get(&token, &Bank::data(consent, "grade")).await.refusal(), (403, "consent_not_active"));
        }
        let credentials = [("grant_type", "client_credentials")];
        assert_ne!(closed.at(&bank.url("")).form("/oauth2/token", &credentials).await.status, 200);
        let resume = ["recover", "--resume", &revoked_id, "--reason", "compared", "--config", &config];
        assert!(stderr(&run(&resume)).contains("recover --list"), "it was revoked and not suspended");
        let resume = ["recover", "--resume", &kept_id, "--reason", "compared", "--config", &config];
        assert!(done(&resume).contains(&kept_id));
        assert_eq!(bank.get(&token, &Bank::data(&kept, "grade")).await.status, 200);
    })
    .await;
    assert!(done(&["recover", "--list", "--config", &config]).is_empty());
    done(&["ledger", "verify", "--config", &config]);
}

//! Gateways whose clocks are wrong (I10, docs/CLOCKS.md): each case on one store with a gateway whose clock is right.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use medcredit::{
    app::App,
    config::Config,
    consent::{ConsentState, Grant},
    domain::{Clock, ManualClock, Timestamp, clock::SharedClock},
    http::server::Running,
    ledger::{Faults, SealError, Step},
    outbox::{self, NewItem},
    store::{Arg, Engine, Env},
    telemetry::{Health, Telemetry, install_metrics},
    timekeeping,
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::support::{
    TestStore,
    app::{Bank, TestApp, signed},
    both_engines, decided_by, order,
};

both_engines! {
    a_gateway_that_is_behind_reads_past_no_consents_end,
    a_gateway_that_is_ahead_expires_nobodys_consent,
    a_day_in_the_future_makes_no_bank_wait,
    a_gateway_that_was_ahead_freezes_no_quota,
    gateways_that_differ_delete_nothing,
    an_operator_accepts_a_clock,
    only_what_takes_access_away_is_done_by_a_wrong_clock,
    a_clock_that_is_set_during_a_request_releases_nothing,
    a_lease_ends_by_the_time_that_passes,
}

const SECOND: i64 = 1_000_000;
const MINUTE: i64 = 60 * SECOND;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

const UNTRUSTED: (u16, &str) = (503, "clock_untrusted");

/// A gateway with a clock of its own on the store of a [`TestApp`], whose clock is right and also the database server's.
struct Gateway {
    app: Arc<App>,
    clock: Arc<ManualClock>,
    origin: String,
    _running: Running,
}

impl Gateway {
    /// Starts it with a clock that is ahead by microseconds.
    async fn start(beside: &TestApp, ahead: i64) -> Self {
        let clock = ManualClock::new(beside.store.clock.now().moved_by(ahead));
        let shared: SharedClock = clock.clone();
        let env = Env { db: beside.store.reopen().await, clock: shared, ..beside.store.env() };
        let config = Config::load(beside.config_file("other").as_ref()).unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let origin = format!("https://localhost:{}", socket.local_addr().unwrap().port());
        let app = App::open(config, env).await.unwrap();
        let running = Running::listen(app.clone(), socket).unwrap();
        Self { app, clock, origin, _running: running }
    }

    /// Sets its clock, and nothing compares it.
    fn set_ahead(&self, beside: &TestApp, ahead: i64) {
        self.clock.set(beside.store.clock.now().moved_by(ahead));
    }

    /// Lets time pass for both gateways, which then poll.
    async fn pass(&self, beside: &TestApp, by: Duration) {
        self.clock.advance(by);
        beside.advance(by).await;
        self.app.catch_up().await.unwrap();
    }

    /// Both write their readings and compare, often enough that each has seen the other's change.
    async fn exchange(&self, beside: &TestApp) {
        for _ in 0..2 {
            self.clock.advance(Duration::from_secs(2));
            beside.store.clock.advance(Duration::from_secs(2));
            for app in [&self.app, &beside.app] {
                app.clock_monitor.publish().await.unwrap();
            }
            for app in [&self.app, &beside.app] {
                app.catch_up().await.unwrap();
            }
        }
    }
}

fn trusted(app: &App) -> Result<(), String> {
    app.clock_monitor.trust().check(&*app.env.clock)
}

/// The status and the checks of `GET /readyz`.
async fn readiness(app: &App) -> (u16, Value) {
    let health = Health::new();
    app.report_health(&health);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let telemetry = Telemetry { metrics: install_metrics(), health };
    let served = tokio::spawn(medcredit::telemetry::serve(listener, telemetry, std::future::pending()));
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    served.abort();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body["checks"].clone())
}

async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let (number,): (i64,) = app.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
    number
}

async fn entries(app: &TestApp) -> i64 {
    number(app, "SELECT CAST(count(*) AS BIGINT) FROM ledger_entries").await
}

/// A consent ends; the clock of the gateway that a bank asks is behind by ten minutes, or by a few seconds more than allowed.
async fn a_gateway_that_is_behind_reads_past_no_consents_end(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let other = Gateway::start(&app, 0).await;
    let there = bank.at(&other.origin);
    // Later than all certificates were issued, so that ten minutes back they are valid.
    other.pass(&app, Duration::from_hours(1)).await;
    let pending = app.pending(&bank, |_| {}).await;
    let ends = app.store.clock.now().plus(Duration::from_secs(120));
    let grant = Grant { expires_at: Some(ends), ..signed() };
    let consent = app.app.consents.grant(&pending.id.to_string(), &grant, &decided_by("tester")).await.unwrap();
    let (path, id) = (Bank::data(&consent, "grade"), consent.id.to_string());
    assert_eq!(there.get(&bank.token().await, &path).await.status, 200);
    other.pass(&app, Duration::from_secs(122)).await;
    let token = bank.token().await;
    for ahead in [-8 * SECOND, -10 * MINUTE] {
        other.set_ahead(&app, ahead);
        // Immediately, before anything compared the clocks.
        assert_eq!(there.get(&token, &path).await.refusal(), UNTRUSTED, "{ahead}");
        let refused = there.get(&token, "/v1/consents").await;
        // A token that is valid for a clock a few seconds behind serves for what discloses nothing.
        assert!(matches!(refused.refusal(), (200, _) | UNTRUSTED), "{:?}", refused.json);
        other.app.catch_up().await.unwrap();
        assert_eq!(there.get(&token, &path).await.refusal(), UNTRUSTED, "{ahead}");
        let (status, checks) = readiness(&other.app).await;
        let reason = checks["clock"].as_str().unwrap();
        let (wrong, right) = (other.clock.now().to_string(), app.store.clock.now().to_string());
        assert!(status == 503 && reason.contains(&wrong) && reason.contains(&right), "{reason}");
        assert_eq!(bank.get(&token, &path).await.refusal(), (403, "consent_not_active"), "the other is right");
        other.set_ahead(&app, 0);
        other.app.catch_up().await.unwrap();
        assert_eq!(there.get(&token, &path).await.refusal(), (403, "consent_not_active"), "without a restart");
        assert_eq!(readiness(&other.app).await.1["clock"], "ok");
    }
    assert_eq!(order::recorded_under(&app.store.db, &id).await, 1);
}

/// A gateway is 40 and 130 days ahead, at its start or later, and does its housekeeping.
async fn a_gateway_that_is_ahead_expires_nobodys_consent(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (path, id) = (Bank::data(&consent, "grade"), consent.id.to_string());
    let other = Gateway::start(&app, 0).await;
    let there = bank.at(&other.origin);
    let token = bank.token().await;
    assert_eq!(there.get(&token, &path).await.status, 200);
    app.app.clock_monitor.publish().await.unwrap();
    let lists = "SELECT crl_number FROM authorities";
    for ahead in [40 * DAY, 130 * DAY] {
        let (before, list) = (entries(&app).await, number(&app, lists).await);
        other.set_ahead(&app, ahead);
        other.app.tidy().await.unwrap();
        other.app.catch_up().await.unwrap();
        other.app.tidy().await.unwrap();
        assert_eq!(there.get(&token, &path).await.refusal(), UNTRUSTED);
        let started = Gateway::start(&app, ahead).await;
        assert!(trusted(&started.app).unwrap_err().contains("2026-"), "{:?}", trusted(&started.app));
        started.app.tidy().await.unwrap();
        assert_eq!(app.app.consents.get_any(&id).await.unwrap().state, ConsentState::Active);
        assert_eq!((entries(&app).await, number(&app, lists).await), (before, list), "nothing was recorded or signed");
        // The one that started wrong is set, and serves without a restart.
        started.set_ahead(&app, 0);
        started.app.catch_up().await.unwrap();
        assert_eq!(trusted(&started.app), Ok(()));
        other.set_ahead(&app, 0);
        other.app.catch_up().await.unwrap();
        for gateway in [&there, &bank] {
            let answer = gateway.get(&token, &path).await;
            assert_eq!(answer.status, 200, "{:?}", answer.json);
        }
    }
    // When the days have passed, the expiry is recorded.
    other.pass(&app, Duration::from_hours(24 * 91)).await;
    other.app.tidy().await.unwrap();
    assert_eq!(app.app.consents.get_any(&id).await.unwrap().state, ConsentState::Expired);
}

/// A gateway is 40 days ahead when a bank uses the day's budget; and an earlier version has left such a day in the table.
async fn a_day_in_the_future_makes_no_bank_wait(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |wish| wish.daily_budget = Some(2)).await;
    let path = Bank::data(&consent, "grade");
    let other = Gateway::start(&app, 0).await;
    let there = bank.at(&other.origin);
    let token = bank.token().await;
    assert_eq!(there.get(&token, &path).await.status, 200);
    other.set_ahead(&app, 40 * DAY);
    assert_eq!(there.get(&token, &path).await.refusal(), UNTRUSTED);
    let counted = number(&app, "SELECT used_today FROM consent_use WHERE day = '2026-04-01'").await;
    assert_eq!(counted, 1);
    app.sql("UPDATE consent_use SET day = '2026-05-11'", vec![]).await;
    assert_eq!(bank.get(&token, &path).await.status, 200, "one is left of today's");
    let used_up = bank.get(&token, &path).await;
    assert_eq!(used_up.refusal(), (429, "consent_daily_budget_used_up"));
    assert!(used_up.headers["retry-after"].parse::<i64>().unwrap() <= DAY / SECOND);
    app.sql("UPDATE consent_use SET day = '2026-05-11'", vec![]).await;
    assert_eq!(bank.get(&token, &path).await.refusal(), (429, "consent_daily_budget_used_up"), "nothing is given away");
    other.set_ahead(&app, 0);
    other.pass(&app, Duration::from_hours(24)).await;
    let token = bank.token().await;
    assert_eq!(there.get(&token, &path).await.status, 200, "the next day");
    assert_eq!(number(&app, "SELECT used_today FROM consent_use WHERE day = '2026-04-02'").await, 1);
}

/// A bank uses its quota while its gateway is two hours ahead, and again when the clock is right.
async fn a_gateway_that_was_ahead_freezes_no_quota(store: TestStore) {
    let app = TestApp::start_with(store, "[limits]\nburst = { quota = 3, window_seconds = 60 }").await;
    let bank = app.bank("Bank A").await;
    let other = Gateway::start(&app, 0).await;
    let there = bank.at(&other.origin);
    other.set_ahead(&app, 2 * HOUR);
    let token = async || there.form("/oauth2/token", &[("grant_type", "client_credentials")]).await;
    for _ in 0..3 {
        assert_eq!(token().await.refusal(), (503, "temporarily_unavailable"), "no token of a wrong clock");
    }
    assert_eq!(token().await.status, 429);
    other.app.tidy().await.unwrap();
    other.set_ahead(&app, 0);
    other.app.catch_up().await.unwrap();
    assert_eq!(token().await.status, 429, "no time has passed");
    other.pass(&app, Duration::from_secs(20)).await;
    assert_eq!(token().await.status, 200, "a third of the window");
    assert_eq!(token().await.status, 429);
}

/// A gateway starts two hours ahead beside one whose clock is right. The database's clock decides, where there is one;
/// otherwise nobody knows which is right, and both refuse.
async fn gateways_that_differ_delete_nothing(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let path = Bank::data(&consent, "grade");
    let other = Gateway::start(&app, 2 * HOUR).await;
    other.exchange(&app).await;
    let alone = app.store.db.engine() == Engine::Sqlite;
    let token = if alone {
        assert!(app.app.env.require_clock().is_err());
        String::new()
    } else {
        bank.token().await
    };
    if !alone {
        assert_eq!(bank.get(&token, &path).await.status, 200, "the database's clock agrees with it");
    }
    assert!(trusted(&other.app).is_err());
    for app in [&app.app, &other.app] {
        assert_eq!(app.clock_monitor.settled().await.unwrap_err().code, "clock_untrusted");
    }
    other.set_ahead(&app, 0);
    other.exchange(&app).await;
    assert_eq!(bank.get(&bank.token().await, &path).await.status, 200);
    if alone {
        // By its own past it is two hours behind now. Only an operator knows better.
        assert!(trusted(&other.app).unwrap_err().contains("clock accept"), "{:?}", trusted(&other.app));
        let mut tx = app.store.db.begin("test").await.unwrap();
        timekeeping::accept(&mut tx, app.store.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
        other.exchange(&app).await;
    }
    for app in [&app.app, &other.app] {
        assert_eq!(trusted(app), Ok(()));
        app.clock_monitor.settled().await.unwrap();
    }
}

/// A checkpoint was sealed by a clock that was years ahead; and all gateways were off for longer than is believed.
async fn an_operator_accepts_a_clock(store: TestStore) {
    let app = TestApp::start(store).await;
    let accept = async || {
        let mut tx = app.store.db.begin("test").await.unwrap();
        timekeeping::accept(&mut tx, app.store.clock.now()).await.unwrap();
        tx.commit().await.unwrap();
    };
    let far: Timestamp = "2031-01-01T00:00:00Z".parse().unwrap();
    let sealed = "INSERT INTO ledger_checkpoints (tree_size, root, note, sealed_at) VALUES (9, $1, 'n', $2)";
    app.sql(sealed, vec![Arg::from([0; 32]), Arg::from(far)]).await;
    app.app.catch_up().await.unwrap();
    let reason = trusted(&app.app).unwrap_err();
    assert!(reason.contains("sealed at 2031-01-01") && reason.contains("clock accept"), "{reason}");
    accept().await;
    app.app.catch_up().await.unwrap();
    assert_eq!(trusted(&app.app), Ok(()));
    app.app.clock_monitor.publish().await.unwrap();
    let waited = Gateway::start(&app, 0).await;
    assert_eq!(trusted(&waited.app), Ok(()));
    app.advance(Duration::from_hours(73)).await;
    assert_eq!(trusted(&app.app), Ok(()), "it was running all the time");
    let started = Gateway::start(&app, 0).await;
    let reason = trusted(&started.app).unwrap_err();
    assert!(reason.contains("max_downtime_hours") && reason.contains("clock accept"), "{reason}");
    accept().await;
    started.app.catch_up().await.unwrap();
    assert_eq!(trusted(&started.app), Ok(()));
}

/// At a gateway that is 130 days ahead all consents seem to have expired. They can be revoked there, and nothing is granted
/// or sealed.
async fn only_what_takes_access_away_is_done_by_a_wrong_clock(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let (consent, pending) = (app.consent(&bank, |_| {}).await, app.pending(&bank, |_| {}).await);
    let suspended = app.consent(&bank, |_| {}).await;
    let other = Gateway::start(&app, 0).await;
    other.set_ahead(&app, 130 * DAY);
    let (consents, by) = (&other.app.consents, decided_by("tester"));
    let id = suspended.id.to_string();
    consents.suspend(&id, &by).await.unwrap();
    assert_eq!(consents.resume(&id, &by).await.unwrap_err().code, "clock_untrusted");
    consents.revoke(&id, None, &by).await.unwrap();
    let granted = consents.grant(&pending.id.to_string(), &signed(), &by).await;
    assert_eq!(granted.unwrap_err().code, "clock_untrusted");
    assert_eq!(consents.request(bank.id, 1000, &app.wish()).await.unwrap_err().code, "clock_untrusted");
    assert_eq!(consents.record_expiries().await.unwrap_err().code, "clock_untrusted");
    assert!(matches!(other.app.sealer.seal_once().await, Err(SealError::Clock(_))));
    let revoked = consents.revoke(&consent.id.to_string(), Some(bank.id), &by).await.unwrap();
    assert_eq!(revoked.state, ConsentState::Revoked);
    let token = bank.token().await;
    let refused = bank.get(&token, &Bank::data(&consent, "grade")).await;
    assert_eq!(refused.refusal(), (403, "consent_not_active"), "at the other gateway, too");
}

/// The clock is set back by ten minutes after the consent was judged: before the record, or before the answer leaves.
async fn a_clock_that_is_set_during_a_request_releases_nothing(store: TestStore) {
    let set: Arc<Mutex<Option<(Step, Timestamp)>>> = Arc::default();
    let (clock, at_step) = (store.clock.clone(), set.clone());
    let faults = Faults::new(move |step| {
        if let Some((_, to)) = at_step.lock().unwrap().filter(|(at, _)| *at == step) {
            clock.set(to);
        }
        async { Ok(()) }
    });
    let app = TestApp::start_breakable(store, "", faults).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
    assert_eq!(bank.get(&token, &path).await.status, 200);
    for (step, more) in [(Step::Append, 0), (Step::Committed, 1)] {
        let (before, right) = (entries(&app).await, app.store.clock.now());
        *set.lock().unwrap() = Some((step, right.moved_by(-10 * MINUTE)));
        assert_eq!(bank.get(&token, &path).await.refusal(), UNTRUSTED, "{step:?}");
        assert_eq!(entries(&app).await, before + more, "{step:?}");
        *set.lock().unwrap() = None;
        app.store.clock.set(right);
        app.app.catch_up().await.unwrap();
        assert_eq!(bank.get(&token, &path).await.status, 200);
    }
}

/// A worker delivers while its clock, or another gateway's, is set.
async fn a_lease_ends_by_the_time_that_passes(store: TestStore) {
    let app = TestApp::start(store).await;
    let other = Gateway::start(&app, 0).await;
    let item = NewItem { topic: "t", target: "city", ordering_key: "k", idempotency: "1", body: "{}" };
    let mut tx = app.store.db.begin("test").await.unwrap();
    outbox::enqueue(&mut tx, &app.store.env(), item).await.unwrap();
    tx.commit().await.unwrap();
    let lease = app.app.outbox.claim(None, "worker", 1).await.unwrap().remove(0);
    other.set_ahead(&app, 2 * HOUR);
    assert_eq!(
        other.app.outbox.claim(None, "other", 1).await.unwrap_err().code,
        "clock_untrusted",
        "it is still leased"
    );
    other.set_ahead(&app, 0);
    assert!(other.app.outbox.claim(None, "other", 1).await.unwrap().is_empty());
    let clock = &app.store.clock;
    clock.set(clock.now().moved_by(-10 * MINUTE));
    assert!(!lease.is_over(&**clock));
    clock.advance(app.app.config.outbox.lease());
    assert!(lease.is_over(&**clock) && clock.now() < lease.until, "whatever the clock shows");
}

//! The telemetry listener, as a monitoring system calls it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use medcredit::{
    grading::{Correction, Rounds},
    store::{
        JobLock,
        voids::{self, NewVoid},
    },
    telemetry::{Health, MAX_CONNECTIONS, METRICS, Telemetry, install_metrics, serve},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
};

use crate::support::{
    TestStore,
    app::{Bank, HOSPITAL, TestApp},
    block_on, both_engines,
};

both_engines! {
    disclosures_pools_disks_and_checkpoints_are_observed,
}

/// The status and body of an answer.
async fn get(address: std::net::SocketAddr, request: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

#[test]
fn a_monitoring_system_reads_metrics_and_health() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (health, metrics) = (Health::new(), install_metrics());
        let healthy = Arc::new(AtomicBool::new(true));
        let state = Arc::clone(&healthy);
        health.require("changes", move || {
            state.load(Ordering::SeqCst).then_some(()).ok_or_else(|| "no changes read for 1.2 s".into())
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let telemetry = Telemetry { metrics, health: health.clone() };
        let served = tokio::spawn(serve(listener, telemetry, async move { drop(stopped.await) }));

        metrics::counter!("medcredit_test_events_total", "code" => "x").increment(3);
        metrics::histogram!("medcredit_test_seconds").record(0.004);
        let (status, body) = get(address, "GET /metrics").await;
        assert_eq!(status, 200);
        assert!(body.contains("medcredit_build_info{version="), "{body}");
        assert!(body.contains(r#"medcredit_test_events_total{code="x"} 3"#), "{body}");
        assert!(body.contains(r#"medcredit_test_seconds_bucket{le="0.005"} 1"#), "{body}");

        assert_eq!(get(address, "GET /healthz").await, (200, "ok\n".into()));
        assert_eq!(get(address, "GET /readyz").await, (200, r#"{"ready":true,"checks":{"changes":"ok"}}"#.into()));
        healthy.store(false, Ordering::SeqCst);
        let (status, body) = get(address, "GET /readyz").await;
        assert_eq!(
            (status, body.as_str()),
            (503, r#"{"ready":false,"checks":{"changes":"no changes read for 1.2 s"}}"#)
        );
        healthy.store(true, Ordering::SeqCst);
        health.drain();
        let (status, body) = get(address, "GET /readyz").await;
        assert!(status == 503 && body.contains("shutting down"), "a draining process is not ready: {body}");
        assert_eq!(get(address, "GET /healthz").await.0, 200, "but it is alive");

        assert_eq!(get(address, "GET /secrets").await.0, 404);
        assert_eq!(get(address, "POST /metrics").await.0, 405);
        stop.send(()).unwrap();
        served.await.unwrap();
        assert!(TcpStream::connect(address).await.is_err(), "the port is free again");
    });
}

#[test]
fn a_request_names_one_host_there_too() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let telemetry = Telemetry { metrics: install_metrics(), health: Health::new() };
        let served = tokio::spawn(serve(listener, telemetry, std::future::pending()));
        for (hosts, expected) in
            [("", 400), ("Host: a\r\nHost: a\r\n", 400), ("Host: a, b\r\n", 400), ("Host: 127.0.0.1:9464\r\n", 200)]
        {
            let mut stream = TcpStream::connect(address).await.unwrap();
            let request = format!("GET /healthz HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            assert!(answer.starts_with(&format!("HTTP/1.1 {expected} ")), "{hosts:?}: {answer}");
        }
        served.abort();
    });
}

#[test]
fn connections_are_few_and_a_silent_one_ends() {
    block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let telemetry = Telemetry { metrics: install_metrics(), health: Health::new() };
        let served = tokio::spawn(serve(listener, telemetry, std::future::pending()));
        let mut silent = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            silent.push(TcpStream::connect(address).await.unwrap());
        }
        let mut beyond = TcpStream::connect(address).await.unwrap();
        assert_eq!(beyond.read(&mut [0]).await.unwrap_or(0), 0, "closed without an answer");
        // Those before it end by the time that a header may take, and make room.
        for mut stream in silent {
            let mut rest = Vec::new();
            let ended = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await;
            assert!(ended.is_ok(), "a silent connection ends");
        }
        assert_eq!(get(address, "GET /healthz").await.0, 200);
        served.abort();
    });
}

/// The value of a series; none when it is not there.
fn series(metrics: &str, name: &str) -> Option<f64> {
    metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn every_metric_has_its_help_and_closed_series_begin_at_zero() {
    let metrics = install_metrics().render();
    for line in metrics.lines().filter(|line| line.starts_with("medcredit_")) {
        let name = line.split(['{', ' ']).next().unwrap();
        let name = ["_bucket", "_count", "_sum"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name);
        if name.starts_with("medcredit_test_") {
            continue;
        }
        let metric = METRICS.iter().find(|metric| metric.name == name).unwrap_or_else(|| panic!("{line}"));
        assert!(metrics.contains(&format!("# HELP {name} {}\n", metric.help)), "{name}");
        assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
    }
    for name in [
        r#"medcredit_handshakes_total{listener="portal",outcome="weak"}"#,
        r#"medcredit_connections_ended_total{listener="portal",reason="slow_reader"}"#,
        r#"medcredit_disclosures_total{operation="report"}"#,
        r#"medcredit_ledger_refused_total{reason="queue"}"#,
        r#"medcredit_problems_total{code="signing_unavailable"}"#,
        "medcredit_ledger_retries_total",
    ] {
        assert!(series(&metrics, name).is_some(), "{name}: {metrics}");
    }
}

/// A fact of a hospital is taken back after the round, whose grade is another one than the records give.
async fn void_a_fact(app: &TestApp) {
    let new = NewVoid {
        subject_code: HOSPITAL,
        measure: "insurance_penalty",
        document: "1",
        reference: "1",
        reason: "复议撤销",
        decided_on: "2026-04-01",
        decision: None,
        restored: false,
    };
    let mut tx = app.store.db.begin_bulk("test").await.unwrap();
    voids::insert(&mut tx, 1_000, new).await.unwrap();
    tx.commit().await.unwrap();
    let sql = "INSERT INTO imports (seq, id, template, file_name, sha256, row_count, accepted, rejected, state, started_at, identity)
               VALUES (1000, 'imp_1000', 'voids', '', '', 1, 1, 0, 'accepted', 1, 2)";
    app.sql(sql, vec![]).await;
}

#[test]
fn corrections_that_are_due_are_counted_until_they_are_made() {
    block_on(async {
        install_metrics();
        let app = TestApp::start(TestStore::sqlite().await).await;
        app.app.catch_up().await.unwrap();
        let counted = async || {
            app.app.count_due_corrections().await.unwrap();
            let metrics = install_metrics().render();
            ["due", "overdue"].map(|state| {
                series(&metrics, &format!(r#"medcredit_push_due_corrections{{state="{state}"}}"#)).unwrap()
            })
        };
        assert_eq!(counted().await, [0.0, 0.0]);
        void_a_fact(&app).await;
        let another = JobLock::try_acquire(&app.store.db, "corrections").await.unwrap().unwrap();
        assert_eq!(counted().await, [0.0, 0.0], "another gateway recomputes results");
        another.release().await.unwrap();
        assert_eq!(counted().await, [1.0, 0.0]);
        app.advance(Duration::from_hours(72)).await;
        assert_eq!(counted().await, [1.0, 0.0], "the third day");
        app.advance(Duration::from_hours(24)).await;
        assert_eq!(counted().await, [0.0, 1.0], "the state is the same, and the day is over");
        let of = Correction { subject: HOSPITAL, run: None, reason: "复议撤销", actor: crate::support::tester() };
        assert!(Rounds::new(app.store.env()).correct(of).await.unwrap().changed);
        assert_eq!(counted().await, [0.0, 0.0]);
    });
}

async fn disclosures_pools_disks_and_checkpoints_are_observed(store: TestStore) {
    let app = TestApp::start(store).await;
    let bank = app.bank("Bank A").await;
    let consent = app.consent(&bank, |_| {}).await;
    let token = bank.token().await;
    let grades = r#"medcredit_disclosures_total{operation="grade"}"#;
    let before = series(&install_metrics().render(), grades).unwrap();
    assert_eq!(bank.get(&token, &Bank::data(&consent, "grade")).await.status, 200);
    app.app.sealer.seal_once().await.unwrap();
    app.app.catch_up().await.unwrap();
    app.app.observe().await.unwrap();
    let metrics = install_metrics().render();
    // Other tests of this process disclose too.
    assert!(series(&metrics, grades).unwrap() > before);
    let postgres = app.store.db.engine() == medcredit::store::Engine::Postgres;
    let pool = if postgres { "common" } else { "core" };
    let most = series(&metrics, &format!(r#"medcredit_store_connections_max{{pool="{pool}"}}"#)).unwrap();
    let used = series(&metrics, &format!(r#"medcredit_store_connections{{pool="{pool}",state="used"}}"#)).unwrap();
    assert!(most >= 1.0 && used <= most, "{used} of {most}");
    assert!(series(&metrics, "medcredit_ledger_checkpoint_timestamp_seconds").unwrap() > 1_700_000_000.0);
    let place = if postgres { "checkpoint" } else { "store" };
    assert!(series(&metrics, &format!(r#"medcredit_disk_free_bytes{{place="{place}"}}"#)).unwrap() > 0.0);
    assert!(series(&metrics, "medcredit_process_open_files").unwrap() > 3.0);
    assert!(
        series(&metrics, r#"medcredit_server_certificate_expires_timestamp_seconds{listener="partner"}"#)
            .is_none_or(|at| at > 1e9)
    );
    assert!(series(&metrics, "medcredit_clock_trusted").is_some());
    assert!(series(&metrics, "medcredit_clock_offset_seconds").is_some() || !postgres);
}

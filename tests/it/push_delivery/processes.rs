//! The real program delivers a large package over real TLS to a platform that fails in every way, while it is killed twenty
//! times: the platform ends with exactly the right rows, each in effect once.
//!
//! `MEDCREDIT_TEST_ROWS=100000` makes the package as large as a province's; it takes some minutes.

use std::{fmt::Write as _, sync::atomic::Ordering, time::Duration};

use medcredit::{
    domain::{Entropy as _, SeededEntropy},
    push::platform::SHIPPED,
    store::{Arg, Db, DbError},
};
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::{MUNICIPAL, receiver::Receiver};
use crate::support::{
    TestStore,
    app::{HOSPITAL, TestApp},
    block_on,
    process::{Gateway, run},
};

/// The results of the round.
const RESULTS: i64 = 6_000;
/// How often a gateway is killed.
const KILLS: usize = 20;
/// Nothing takes longer than this.
const LONGEST: Duration = Duration::from_secs(300);
/// How often the test looks.
const LOOK: Duration = Duration::from_millis(20);

#[test]
fn every_row_arrives_once_while_the_gateway_is_killed_twenty_times() {
    block_on(async { delivers(TestStore::sqlite().await, &["one"]).await });
}

#[test]
fn every_row_arrives_once_from_two_gateways_that_are_killed_twenty_times() {
    block_on(async { delivers(TestStore::postgres().await, &["one", "two"]).await });
}

/// The results of the round, as an engineer may set them.
fn results() -> i64 {
    std::env::var("MEDCREDIT_TEST_ROWS").map_or(RESULTS, |rows| rows.parse().expect("a number of rows"))
}

/// Copies the result of a subject for many others.
async fn grow(db: &Db) {
    let mut tx = db.begin("test").await.unwrap();
    for sql in [
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO subjects (code, kind, uscc, name, region, agreement_signed_on, agreement_status, licence_status,
                               under_objection, version, import_seq, updated_at)
         SELECT 'H3303' || CAST(2000000 + i AS TEXT), kind, uscc, name || CAST(i AS TEXT), region, agreement_signed_on,
                agreement_status, licence_status, under_objection, version, import_seq, updated_at
         FROM n, subjects WHERE code = $2",
        "WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < $1)
         INSERT INTO assessments (run_id, subject_code, version, status, grade, points, made_at)
         SELECT run_id, 'H3303' || CAST(2000000 + i AS TEXT), version, status, grade, points, made_at
         FROM n, assessments WHERE subject_code = $2",
    ] {
        tx.execute(sql, vec![Arg::Int(results()), Arg::from(HOSPITAL)]).await.unwrap();
    }
    tx.commit().await.unwrap();
}

/// Writes the configurations of gateways that deliver to the receiver.
async fn configure(app: &TestApp, receiver: &Receiver, names: &[&str]) -> Vec<String> {
    let shipped = SHIPPED.iter().find(|(id, _)| *id == MUNICIPAL).unwrap().1;
    let file = |name: &str| receiver.sink.file(name).display().to_string();
    let text = shipped
        .replace(
            "https://credit.example.gov.cn/api/evaluation",
            receiver.sink.settings().url.to_string().trim_end_matches('/'),
        )
        .replace("../secrets/municipal-credit-service.crt", &file("client.pem"))
        .replace("../secrets/municipal-credit-service.key", &file("client.key"))
        .replace("../secrets/municipal-credit-service-ca.crt", &file("ca.pem"))
        .replace("\"10.0.0.0/8\"", "\"127.0.0.0/8\", \"::1/128\"")
        .replace("page_rows = 500", "page_rows = 25")
        .replace("timeout_seconds = 30", "timeout_seconds = 2");
    let folder = app.path("platforms");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join(format!("{MUNICIPAL}.toml")), text).unwrap();
    let mut configs = Vec::new();
    for name in names {
        let config = app.host(name).await;
        let mut text = std::fs::read_to_string(&config).unwrap();
        // Its failures are the receiver's doing: it must continue all the same.
        write!(
            text,
            "[push]\nplatforms_directory = 'platforms'\ndeliver_to = ['{MUNICIPAL}']\nevaluator = '示范市医疗保障局'\n\
             breaker_failures = 1000\nbreaker_shortest_seconds = 1\nbreaker_longest_seconds = 1\nreceipts_seconds = 1\n\
             receipts_longest_seconds = 1\n"
        )
        .unwrap();
        std::fs::write(&config, text).unwrap();
        configs.push(config);
    }
    configs
}

async fn number(db: &Db, sql: &'static str) -> i64 {
    db.read("test").fetch_one::<(i64,)>(sql, vec![]).await.unwrap().0
}

/// Time passes: leases of gateways that were killed have ended, and pages that failed are due again.
async fn time_passes(db: &Db, gateways_died: bool) {
    for _ in 0..100 {
        // A gateway may have the only file at the moment.
        if try_to_pass(db, gateways_died).await.is_ok() {
            return;
        }
        sleep(LOOK).await;
    }
    panic!("the database is busy all the time");
}

async fn try_to_pass(db: &Db, gateways_died: bool) -> Result<(), DbError> {
    let mut tx = db.begin("test").await?;
    tx.execute("UPDATE outbox_items SET due_at = 1 WHERE state = 'retry'", vec![]).await?;
    // Given up after many interruptions: an operator has them delivered again.
    let again = "UPDATE outbox_items SET state = 'retry', due_at = 1, tries = 0 WHERE state = 'dead'";
    tx.execute(again, vec![]).await?;
    if gateways_died {
        tx.execute("UPDATE push_platforms SET lease_until_at = 1", vec![]).await?;
    }
    tx.commit().await
}

/// Waits until something is so, while time passes for pages.
async fn wait_until(db: &Db, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !is_so().await {
        assert!(began.elapsed() < LONGEST, "{what} is still to come");
        time_passes(db, false).await;
        sleep(LOOK).await;
    }
}

async fn delivers(store: TestStore, gateways: &[&str]) {
    let app = TestApp::start_with(store.today(), "").await;
    let db = &app.store.db;
    grow(db).await;
    let receiver = Receiver::open(20).await;
    let configs = configure(&app, &receiver, gateways).await;
    let start = |config: &String| {
        let mut gateway = Gateway::start(config);
        gateway.serving();
        gateway
    };
    // Waiting for processes blocks this thread; the receiver's tasks move to others.
    let mut running: Vec<Gateway> =
        configs.iter().map(|config| tokio::task::block_in_place(|| start(config))).collect();
    let chance = SeededEntropy::new(u64::try_from(gateways.len()).unwrap());
    let random = |below: usize| {
        let mut byte = [0];
        chance.fill(&mut byte);
        usize::from(byte[0]) % below
    };
    for kill in 0..KILLS {
        if kill < 2 {
            // In the midst of making the package, and nothing can arrive before the next kill.
            receiver.gate.store(0, Ordering::SeqCst);
            let pages = i64::try_from(random(40)).unwrap();
            wait_until(db, "the package is being made", async || {
                number(db, "SELECT COUNT(*) FROM push_pages").await > pages
            })
            .await;
        } else {
            let until = receiver.platform.attempts() + 1 + random(12);
            receiver.gate.store(until, Ordering::SeqCst);
            wait_until(db, "pages arrive", async || receiver.platform.attempts() >= until).await;
        }
        let which = random(running.len());
        let killed = running.remove(which);
        tokio::task::block_in_place(|| killed.kill());
        time_passes(db, true).await;
        running.insert(which, tokio::task::block_in_place(|| start(&configs[which])));
    }
    receiver.gate.store(usize::MAX, Ordering::SeqCst);
    wait_until(db, "every package is closed", async || {
        number(db, "SELECT COUNT(*) FROM push_packages WHERE state <> 'closed'").await == 0
            && number(db, "SELECT COUNT(*) FROM push_packages WHERE dataset = 'grades'").await > 0
    })
    .await;
    for gateway in running {
        gateway.signal("-TERM");
        assert_eq!(tokio::task::block_in_place(|| gateway.end()).0, Some(0));
    }
    check(&app, &receiver, &configs[0]).await;
}

async fn check(app: &TestApp, receiver: &Receiver, config: &str) {
    let shown = receiver.platform.shows();
    let grades = shown.values().filter(|row| row.record_id.starts_with("wenzhou"));
    // With the graded subjects of the small city.
    let graded = number(&app.store.db, "SELECT COUNT(*) FROM assessments").await;
    assert!(graded > results());
    assert_eq!(i64::try_from(grades.clone().count()).unwrap(), graded);
    assert!(grades.clone().all(|row| row.version == 1), "nothing was sent as another version");
    assert!(receiver.faults.load(Ordering::SeqCst) > 20, "the receiver failed often");
    let found = tokio::task::block_in_place(|| run(&["push", "reconcile", MUNICIPAL, "--json", "--config", config]));
    let text = String::from_utf8(found.stdout).unwrap();
    let found: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}"));
    let found = found.get(0).unwrap_or(&found);
    assert_eq!(found["different"], 0, "{text}");
    assert_eq!(found["unanswered"], 0, "{text}");
}

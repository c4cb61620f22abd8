//! The fault table with a process that is killed at a step: the bank's connection breaks, and the ledger is the same as
//! when the step failed.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    time::Duration,
};

use medcredit::{
    app::App,
    config::Config,
    domain::{Clock, ManualClock, SeededEntropy, Timestamp},
    http::server::Running,
    ledger::{Faults, Step},
    store::Db,
};
use tokio::net::TcpListener;

use super::fixture::{GatewayFixture, LedgerCounts, is_an_answer};
use crate::support::{TestStore, block_on, both_engines, store::StoreLocation};

/// The step at which the process is killed, and the ledger's rows afterwards. The bank never sees a byte of an answer.
#[rustfmt::skip]
const TABLE: &[(Step, LedgerCounts)] = &[
    (Step::Caller,    LedgerCounts::NOTHING),
    (Step::Limits,    LedgerCounts::NOTHING),
    (Step::Permit,    LedgerCounts::NOTHING),
    (Step::Read,      LedgerCounts::NOTHING),
    (Step::Render,    LedgerCounts::NOTHING),
    (Step::Append,    LedgerCounts::NOTHING),
    (Step::Begin,     LedgerCounts::NOTHING),
    (Step::Lock,      LedgerCounts::NOTHING),
    (Step::ReadVersions,     LedgerCounts::NOTHING),
    (Step::Budget,    LedgerCounts::NOTHING),
    (Step::Insert,    LedgerCounts::NOTHING),
    (Step::Commit,    LedgerCounts::NOTHING),
    (Step::Committed, LedgerCounts::RECORD),
    (Step::Release,   LedgerCounts::RECORD),
];

/// The variable that makes the test binary, started again, a gateway that is killed at a step.
const GATEWAY: &str = "MEDCREDIT_TEST_ENDS_AT";

/// A gateway in a process of its own, which is killed at a step.
struct KilledGateway {
    child: Child,
    origin: String,
}

impl KilledGateway {
    fn start(fixture: &GatewayFixture, step: Step) -> Self {
        let store = match fixture.app.store.location() {
            StoreLocation::Sqlite(directory) => directory.path().display().to_string(),
            StoreLocation::Postgres { .. } => fixture.app.store.url().to_owned(),
        };
        // The test binary starts itself: the other process runs the same code, with a fault attached.
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::killed::a_gateway_that_ends_at_a_step", "--nocapture"])
            .env(GATEWAY, format!("{step:?}|{store}|{}", fixture.app.config_file("killed")))
            .env("MEDCREDIT_TEST_NOW", fixture.app.store.clock.now().micros().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // The other lines are the test harness's.
        let port = lines.find_map(|line| line.unwrap().strip_prefix("port ").map(str::to_owned)).unwrap();
        Self { child, origin: format!("https://localhost:{port}") }
    }
}

impl Drop for KilledGateway {
    fn drop(&mut self) {
        // Fails when it has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the other process does: nothing, in an ordinary run of the tests.
#[test]
fn a_gateway_that_ends_at_a_step() {
    let Ok(task) = std::env::var(GATEWAY) else { return };
    let [step, store, config] = task.split('|').collect::<Vec<_>>().try_into().unwrap();
    let step = step.to_owned();
    let faults = Faults::new(move |at| {
        if format!("{at:?}") == step {
            // As SIGKILL: nothing is unwound, flushed or logged.
            std::process::abort();
        }
        async { Ok(()) }
    });
    block_on(async {
        let db = if store.starts_with("postgres:") {
            Db::open_postgres(store, 4).await.unwrap()
        } else {
            Db::open_sqlite(store.as_ref()).await.unwrap()
        };
        let now: i64 = std::env::var("MEDCREDIT_TEST_NOW").unwrap().parse().unwrap();
        let clock = ManualClock::new(Timestamp::from_micros(now));
        let db = db.with_server_clock(clock.clone());
        // Another seed than the test's, so that ids do not repeat.
        let entropy = SeededEntropy::new(u64::from(std::process::id()));
        let config = Config::load(config.as_ref()).unwrap();
        let app = App::open_breakable(config, medcredit::store::Env::new(db, clock, entropy), faults).await.unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = Running::listen(app, socket).unwrap();
        // On a new line, because the harness may have begun one.
        println!("\nport {}", running.address().port());
        // Until the test goes.
        tokio::task::spawn_blocking(|| std::io::stdin().read(&mut [0])).await.unwrap().unwrap();
    });
}

both_engines! {
    a_gateway_killed_at_any_step_has_answered_nobody,
}

/// A bank reads while its gateway is killed at a step: its connection breaks, and another gateway answers.
async fn a_gateway_killed_at_any_step_has_answered_nobody(store: TestStore) {
    let fixture = GatewayFixture::new(store).await;
    for (step, holds) in TABLE {
        let before = fixture.counts().await;
        let mut killed = KilledGateway::start(&fixture, *step);
        let bank = fixture.bank.at(&killed.origin);
        let request =
            bank.http.get(bank.url(&fixture.path())).bearer_auth(fixture.token()).timeout(Duration::from_secs(60));
        if let Ok(reply) = request.send().await {
            panic!("{step:?}: it answered {}", reply.status());
        }
        assert!(!killed.child.wait().unwrap().success(), "{step:?} was not reached: nothing was tested");
        assert_eq!(fixture.counts().await.since(before), *holds, "{step:?}");
        is_an_answer(&fixture.read().await);
    }
    fixture.seals_and_verifies().await;
}

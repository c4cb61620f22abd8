//! The same table where the whole process ends at a step: the bank's connection breaks, and what the ledger holds is the
//! same as when the step failed.

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

use super::world::{Held, World, is_an_answer};
use crate::support::{TestStore, block_on, both_engines, store::Place};

/// Where the process ends, and what the ledger holds then. The bank never sees a byte of an answer.
#[rustfmt::skip]
const TABLE: &[(Step, Held)] = &[
    (Step::Caller,    Held::NOTHING),
    (Step::Limits,    Held::NOTHING),
    (Step::Permit,    Held::NOTHING),
    (Step::Read,      Held::NOTHING),
    (Step::Render,    Held::NOTHING),
    (Step::Append,    Held::NOTHING),
    (Step::Begin,     Held::NOTHING),
    (Step::Lock,      Held::NOTHING),
    (Step::ReadVersions,     Held::NOTHING),
    (Step::Budget,    Held::NOTHING),
    (Step::Insert,    Held::NOTHING),
    (Step::Commit,    Held::NOTHING),
    (Step::Committed, Held::RECORD),
    (Step::Release,   Held::RECORD),
];

/// Tells the test's own process, started again, to be a gateway that ends at a step.
const GATEWAY: &str = "MEDCREDIT_TEST_ENDS_AT";

/// A gateway in a process of its local_ca, which ends at a step.
struct Doomed {
    child: Child,
    origin: String,
}

impl Doomed {
    fn start(world: &World, step: Step) -> Self {
        let store = match world.app.store.place() {
            Place::Sqlite(directory) => directory.path().display().to_string(),
            Place::Postgres { .. } => world.app.store.url().to_owned(),
        };
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "faults::killed::a_gateway_that_ends_at_a_step", "--nocapture"])
            .env(GATEWAY, format!("{step:?}|{store}|{}", world.app.config_file("doomed")))
            .env("MEDCREDIT_TEST_NOW", world.app.store.clock.now().micros().to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.find_map(|line| line.unwrap().strip_prefix("port ").map(str::to_owned)).unwrap();
        Self { child, origin: format!("https://localhost:{port}") }
    }
}

impl Drop for Doomed {
    fn drop(&mut self) {
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
            // As SIGKILL: nothing is unwound, flushed or said.
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
        let entropy = SeededEntropy::new(u64::from(std::process::id()));
        let config = Config::load(config.as_ref()).unwrap();
        let app = App::open_breakable(config, medcredit::store::Env::new(db, clock, entropy), faults).await.unwrap();
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let running = Running::listen(app, socket).unwrap();
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
    let world = World::new(store).await;
    for (step, holds) in TABLE {
        let before = world.held().await;
        let mut doomed = Doomed::start(&world, *step);
        let bank = world.bank.at(&doomed.origin);
        let request =
            bank.http.get(bank.url(&world.path())).bearer_auth(world.token()).timeout(Duration::from_secs(60));
        if let Ok(reply) = request.send().await {
            panic!("{step:?}: it answered {}", reply.status());
        }
        assert!(!doomed.child.wait().unwrap().success(), "{step:?} was not reached: nothing was tested");
        assert_eq!(world.held().await.since(before), *holds, "{step:?}");
        is_an_answer(&world.read().await);
    }
    world.seals_and_verifies().await;
}

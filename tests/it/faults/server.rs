//! The fault table of PostgreSQL's server, as a bank sees it: full, gone, hung, or set up so that it may lose records. The
//! tables for people are in docs/FAULTS.md.

use std::{collections::HashSet, os::unix::net::UnixListener, time::Duration};

use medcredit::{
    consent::Consent,
    domain::error_chain,
    ledger::prove,
    store::{DbError, Engine},
};
use tokio::time::Instant;

use super::fixture::{GatewayFixture, LedgerCounts, holds_no_data, is_an_answer};
use crate::support::{
    TestStore,
    app::{Bank, Reply},
    block_on, both_engines,
    cluster::Cluster,
    raw,
};

/// How long a bank may wait for a refusal when the database is gone, and a little for a busy machine.
const BOUND: Duration = Duration::from_millis(5500);

fn cluster(settings: &str) -> Cluster {
    tokio::task::block_in_place(|| Cluster::start_with(settings))
}

/// A consent whose uses are not counted: its answers are recorded in one round trip, those of the fixture's step by step.
async fn uncounted(fixture: &GatewayFixture) -> Consent {
    fixture.app.consent(&fixture.bank, |_| {}).await
}

async fn read(fixture: &GatewayFixture, consent: &Consent) -> Reply {
    fixture.bank.get(fixture.token(), &Bank::data(consent, "grade")).await
}

/// Reads until the gateway answers again: each of its connections may have to be replaced first.
async fn answers_again(fixture: &GatewayFixture, consent: &Consent) {
    let started_at = Instant::now();
    loop {
        let reply = read(fixture, consent).await;
        if reply.status == 200 {
            return is_an_answer(&reply);
        }
        assert!(started_at.elapsed() < Duration::from_secs(60), "{:?}", reply.json);
    }
}

both_engines! {
    a_database_without_space_for_a_record_gives_no_answer,
}

/// A bank reads while the table of entries cannot grow: 503, nothing is left, and it is answered once there is space again.
async fn a_database_without_space_for_a_record_gives_no_answer(store: TestStore) {
    let fixture = GatewayFixture::new(store).await;
    let consents = [fixture.consent.clone(), uncounted(&fixture).await];
    let before = fixture.counts().await;
    let (break_it, repair) = match fixture.app.store.db.engine() {
        Engine::Sqlite => (
            "CREATE TRIGGER full BEFORE INSERT ON ledger_entries BEGIN SELECT RAISE(ROLLBACK, 'no space'); END",
            "DROP TRIGGER full",
        ),
        Engine::Postgres => (
            "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
             RAISE EXCEPTION 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$; \
             CREATE TRIGGER full_disk BEFORE INSERT ON ledger_entries FOR EACH ROW EXECUTE FUNCTION full_disk()",
            "DROP TRIGGER full_disk ON ledger_entries; DROP FUNCTION full_disk()",
        ),
    };
    raw::execute(&fixture.app.store, break_it).await;
    for consent in consents.iter().chain(&consents) {
        let refused = read(&fixture, consent).await;
        assert_eq!(refused.refusal(), (503, "ledger_unavailable"), "{:?}", refused.json);
        holds_no_data(&refused);
    }
    let seen = fixture.app.app.recorder.problem().expect("the gateway is not ready");
    assert!(seen.to_lowercase().contains("no space"), "{seen}");
    raw::execute(&fixture.app.store, repair).await;
    assert_eq!(fixture.counts().await.since(before), LedgerCounts::NOTHING);
    for consent in &consents {
        is_an_answer(&read(&fixture, consent).await);
    }
    assert_eq!(fixture.app.app.recorder.problem(), None, "and ready again");
    fixture.seals_and_verifies().await;
}

/// An operator turns `synchronous_commit` off under a running gateway, and the server crashes: every answer that a bank got
/// has its record, whichever way it was recorded.
#[test]
fn no_record_is_lost_when_the_server_is_set_not_to_wait() {
    block_on(async {
        // Without us, the server would write what it acknowledged ten seconds later.
        let cluster = cluster("wal_writer_delay = 10s\n");
        let fixture = GatewayFixture::new(TestStore::on_cluster(&cluster).await).await;
        let consents = [fixture.consent.clone(), uncounted(&fixture).await];
        cluster.configure("synchronous_commit", "off").await;
        let db = &fixture.app.store.db;
        let mut seen = String::new();
        while seen != "off" {
            (seen,) = db.read("test").fetch_one("SELECT current_setting('synchronous_commit')", vec![]).await.unwrap();
        }
        let mut disclosures = HashSet::new();
        for nth in 0..26 {
            let answer = read(&fixture, &consents[nth % 2]).await;
            is_an_answer(&answer);
            disclosures.insert(answer.json["disclosure"].as_str().unwrap().to_owned());
        }
        fixture.app.app.durability.check(db, Default::default()).await;
        let problem = fixture.app.app.durability.problem().expect("the gateway is not ready");
        assert!(problem.contains("synchronous_commit is off"), "{problem}");
        tokio::task::block_in_place(|| cluster.crash());
        for id in &disclosures {
            let proof = loop {
                // The first statements find connections that ended with the server.
                if let Ok(proof) = prove(db, id, None).await {
                    break proof;
                }
            };
            assert!(proof.is_some(), "the record of an answer is lost");
        }
        assert_eq!(disclosures.len(), 26);
    });
}

/// An operator turns `fsync` off under a running gateway: no bank is answered until it is on again, and readiness says why.
#[test]
fn a_server_that_stops_syncing_is_noticed_by_the_next_answer() {
    block_on(async {
        let cluster = cluster("");
        let fixture = GatewayFixture::new(TestStore::on_cluster(&cluster).await).await;
        let consents = [fixture.consent.clone(), uncounted(&fixture).await];
        for setting in ["fsync", "full_page_writes"] {
            let before = fixture.counts().await;
            cluster.configure(setting, "off").await;
            let db = &fixture.app.store.db;
            let watch = &fixture.app.app.durability;
            while watch.problem().is_none() {
                watch.check(db, Default::default()).await;
            }
            assert_eq!(watch.problem().unwrap(), format!("{setting} is off; it must be on"));
            for consent in &consents {
                let refused = read(&fixture, consent).await;
                assert_eq!(refused.refusal(), (503, "ledger_unavailable"), "{:?}", refused.json);
                holds_no_data(&refused);
                let why = fixture.app.app.recorder.problem().unwrap();
                assert!(why.contains(&format!("{setting} is off")), "{why}");
            }
            assert_eq!(fixture.counts().await.since(before), LedgerCounts::NOTHING);
            cluster.configure(setting, "on").await;
            for consent in &consents {
                answers_again(&fixture, consent).await;
            }
            while watch.problem().is_some() {
                watch.check(db, Default::default()).await;
            }
        }
    });
}

/// Banks are reading when the server stops, is killed or hangs: each gets 503 within five seconds, and an answer once the
/// server is back.
#[test]
fn requests_end_in_time_when_the_server_is_gone() {
    block_on(async {
        let cluster = cluster("");
        let fixture = GatewayFixture::new(TestStore::on_cluster(&cluster).await).await;
        let consents = [fixture.consent.clone(), uncounted(&fixture).await];
        let (of, wishes) = (&fixture, &consents);
        let refused_in_time = async |what: &str| {
            let reads = (0..16).map(|nth| async move {
                let started_at = Instant::now();
                (read(of, &wishes[nth % 2]).await, started_at.elapsed())
            });
            for (reply, elapsed) in futures_util::future::join_all(reads).await {
                assert_eq!(reply.status, 503, "{what}: {:?}", reply.json);
                holds_no_data(&reply);
                assert!(elapsed < BOUND, "{what}: {elapsed:?}");
            }
        };
        for consent in &consents {
            is_an_answer(&read(&fixture, consent).await);
        }
        // Hung: connections are open, and new ones are accepted by the kernel, but nobody answers.
        let frozen = cluster.signal_server("-STOP");
        assert!(frozen > 1);
        refused_in_time("hung").await;
        cluster.signal_server("-CONT");
        for consent in &consents {
            answers_again(&fixture, consent).await;
        }
        // Stopped: there is no socket.
        tokio::task::block_in_place(|| cluster.stop());
        refused_in_time("stopped").await;
        // A socket on which nobody listens, as on a host that is up.
        let socket = cluster.directory().join(".s.PGSQL.5432");
        drop(UnixListener::bind(&socket).unwrap());
        refused_in_time("refusing").await;
        std::fs::remove_file(&socket).unwrap();
        tokio::task::block_in_place(|| cluster.start_again());
        for consent in &consents {
            answers_again(&fixture, consent).await;
        }
        fixture.seals_and_verifies().await;
    });
}

/// An operator reads why the gateway does not answer: what happened when it tried to connect, and not that a pool timed out.
#[test]
fn a_server_that_is_gone_is_named() {
    block_on(async {
        let cluster = cluster("");
        let store = TestStore::on_cluster(&cluster).await;
        let why = async || {
            let error = loop {
                // Connections that were open report first that they are closed.
                match store.db.begin("test").await {
                    Err(error @ DbError::Unreachable { .. }) => break error,
                    Err(error) if error_chain(&error).contains("No such file") => break error,
                    Err(error) => assert!(!error.is_contention(), "{error}"),
                    Ok(_) => panic!("it began"),
                }
            };
            assert!(!error.is_contention());
            error_chain(&error)
        };
        let socket = cluster.directory().join(".s.PGSQL.5432");
        tokio::task::block_in_place(|| cluster.stop());
        let chain = why().await;
        assert!(chain.contains("No such file"), "{chain}");
        let listener = UnixListener::bind(&socket).unwrap();
        let chain = why().await;
        assert!(chain.contains("it accepts no connection within 500 ms"), "{chain}");
        drop(listener);
        // What was found out is good for a second.
        let chain = loop {
            let chain = why().await;
            if !chain.contains("it accepts no connection") {
                break chain;
            }
        };
        assert!(chain.contains("the database cannot be reached") && chain.contains("refused"), "{chain}");
        std::fs::remove_file(&socket).unwrap();
        tokio::task::block_in_place(|| cluster.start_again());
        let tx = loop {
            if let Ok(tx) = store.db.begin("test").await {
                break tx;
            }
        };
        tx.commit().await.unwrap();
        // Where connections are merely in use, that is what is reported.
        let mut held = Vec::new();
        let busy = loop {
            match store.db.begin("test").await {
                Ok(tx) => held.push(tx),
                Err(error) => break error,
            }
        };
        assert!(matches!(busy, DbError::Busy { .. }) && busy.is_contention(), "{busy}");
    });
}

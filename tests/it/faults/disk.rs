//! The fault table of the disk under SQLite: a bank gets its answer with a record or 503, and everything works again once the
//! disk does, without a restart. The tables for people are in docs/FAULTS.md.

use std::{
    fs,
    io::{Seek, SeekFrom, Write},
    path::PathBuf,
    process::Command,
    time::Duration,
};

use medcredit::{
    importing::Template,
    ledger::{Faults, prove},
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::fixture::{GatewayFixture, UNLIMITED, holds_no_data, is_an_answer};
use crate::support::{
    TestStore,
    app::{Bank, ENTITY, HOSPITAL, Reply, TestApp},
    block_on,
    process::{Gateway, program, run},
    store::StoreLocation,
};

/// How the disk fails (`failing_disk.c`), and the words of the cause that the operator reads.
const TABLE: &[(&str, &str)] =
    &[("full", "database or disk is full"), ("readonly", "disk I/O error"), ("sync", "disk I/O error")];

/// A gateway in a process of its own whose database files are on a disk that fails on command.
struct OnFailingDisk {
    control: PathBuf,
    gateway: Gateway,
    telemetry: String,
    bank: Bank,
    token: String,
}

impl OnFailingDisk {
    async fn start(app: &TestApp, bank: &Bank) -> Self {
        let (library, control) = (app.path("failing_disk.so"), app.path("disk"));
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/faults/failing_disk.c");
        let compiled = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(source).output().unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        let mut command = program(&["serve", "--config", &app.config_file("disk")]);
        command.env("LD_PRELOAD", &library).env("MEDCREDIT_TEST_DISK", &control);
        let mut gateway = Gateway::spawn(command);
        let telemetry = gateway.address_of("telemetry");
        let bank = bank.at(&gateway.serving());
        let token = bank.token().await;
        Self { control, gateway, telemetry, bank, token }
    }

    /// The disk fails in some way from now on, or works with the word `well`.
    fn disk(&self, how: &str) {
        // Replaced by a rename, so that the gateway never reads a part of the word.
        let new = self.control.with_extension("new");
        fs::write(&new, how).unwrap();
        fs::rename(&new, &self.control).unwrap();
    }

    async fn ready(&self) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.telemetry).await.unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        (text[9..12].parse().unwrap(), text)
    }

    async fn request_consent(&self, nth: usize) -> Reply {
        let wish = json!({ "uscc": ENTITY, "codes": [HOSPITAL], "permissions": ["grade"],
            "purposes": ["pre_loan_review"], "product": "loan" });
        let request = self.bank.http.post(self.bank.url("/v1/consents")).bearer_auth(&self.token).json(&wish);
        self.bank.send(request.header("idempotency-key", format!("\"8e03978e-40d5-43dd-bc93-{nth:012}\""))).await
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("{what}"));
}

/// A bank reads and requests consents while the disk is full, read-only or cannot sync: 503 and no data, and nothing recorded.
/// Then the disk works again: answers, consents and sealing do, too, in the same process.
#[test]
fn a_disk_that_failed_and_works_again_needs_no_restart() {
    block_on(async {
        let app = TestApp::start_with(TestStore::sqlite().await.today(), UNLIMITED).await;
        let bank = app.bank_with("Bank A", |new| new.max_pending = 100).await;
        // Each step of the record is a statement of its own where uses are counted, and all are one text elsewhere.
        let consents =
            [app.consent(&bank, |_| {}).await, app.consent(&bank, |wish| wish.max_fetches = Some(1000)).await];
        let running = OnFailingDisk::start(&app, &bank).await;
        let read = async |consent| running.bank.get(&running.token, &Bank::data(consent, "grade")).await;
        let mut answers = Vec::new();
        for (nth, (how, cause)) in TABLE.iter().enumerate() {
            for consent in &consents {
                answers.push(read(consent).await);
                is_an_answer(answers.last().unwrap());
            }
            running.disk(how);
            for consent in consents.iter().chain(&consents) {
                let refused = read(consent).await;
                assert_eq!(refused.refusal(), (503, "ledger_unavailable"), "{how}: {:?}", refused.json);
                holds_no_data(&refused);
            }
            assert_eq!(running.request_consent(nth).await.status, 503, "{how}");
            let (status, text) = running.ready().await;
            assert!(status == 503 && text.contains(cause), "{how}: {text}");
            running.disk("well");
            // The first may find a connection that failed while nobody used it.
            until(&format!("{how}: answers"), async || read(&consents[0]).await.status == 200).await;
            for consent in &consents {
                answers.push(read(consent).await);
                is_an_answer(answers.last().unwrap());
            }
            let made = running.request_consent(nth).await;
            assert_eq!(made.status, 201, "{how}: {:?}", made.json);
            until(&format!("{how}: ready again"), async || running.ready().await.0 == 200).await;
        }
        for answer in &answers {
            let id = answer.json["disclosure"].as_str().unwrap();
            assert!(prove(&app.store.db, id, None).await.unwrap().is_some(), "recorded");
            let path = format!("/v1/disclosures/{id}/proof");
            until("sealed", async || running.bank.get(&running.token, &path).await.status == 200).await;
        }
        running.gateway.signal("-TERM");
        let (code, log) = running.gateway.end();
        assert_eq!(code, Some(0));
        for (how, cause) in TABLE {
            assert!(log.contains(cause), "{how} is named");
        }
        assert!(!log.contains("transaction depth"), "{log}");
        let verified = run(&["--config", &app.config_file("disk"), "ledger", "verify"]);
        assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    });
}

/// An operator who lost one of SQLite's two files, or has one of another back-up: nothing is served, and nothing is made.
#[test]
fn one_file_without_the_other_is_refused() {
    block_on(async {
        let app = TestApp::start(TestStore::sqlite().await).await;
        let StoreLocation::Sqlite(directory) = app.store.location() else { panic!("on SQLite") };
        let config = app.config_file("lost");
        app.store.db.close().await;
        let (core, bulk, away) = ("core.db", "bulk.db", directory.path().join("away"));
        for (lost, other) in [(bulk, core), (core, bulk)] {
            let path = directory.path().join(lost);
            fs::rename(&path, &away).unwrap();
            for command in ["serve", "doctor", "migrate"] {
                let output = tokio::task::block_in_place(|| run(&["--config", &config, command]));
                assert_eq!(output.status.code(), Some(1), "{command} without {lost}");
                let text = [output.stdout, output.stderr].concat();
                let text = String::from_utf8_lossy(&text);
                // The doctor reports a missing core.db as that of a site without a schema.
                let named = text.contains(&format!("{lost} is missing")) || text.contains(&format!("no {lost} in"));
                assert!(named, "{command}: {text}");
                assert!(command == "doctor" || text.contains(other), "{command}: {text}");
            }
            assert!(!path.exists(), "{lost} was made");
            fs::rename(&away, &path).unwrap();
        }
        fs::rename(directory.path().join(bulk), &away).unwrap();
        fs::write(directory.path().join(bulk), b"").unwrap();
        let output = tokio::task::block_in_place(|| run(&["--config", &config, "serve"]));
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && text.contains("bulk.db is not the one"), "{text}");
    });
}

/// An operator who returns one of two files from a back-up: what was imported since would be missing without a trace.
#[test]
fn a_bulk_file_that_is_older_or_of_another_store_is_refused() {
    block_on(async {
        let (app, other) =
            (TestApp::start(TestStore::sqlite().await).await, TestApp::start(TestStore::sqlite().await).await);
        let [bulk, foreign] = [&app, &other].map(|app| {
            let StoreLocation::Sqlite(directory) = app.store.location() else { panic!("on SQLite") };
            directory.path().join("bulk.db")
        });
        let config = app.config_file("returned");
        app.store.db.close().await;
        other.store.db.close().await;
        let (older, newest) = (app.path("older.db"), app.path("newest.db"));
        fs::copy(&bulk, &older).unwrap();
        let month = app.path("month.csv");
        let columns = Template::Settlements.columns().join(",");
        let row = format!("{HOSPITAL},2026-03,employee,900,900,200,120,100,100,0,0,0,0,0,100,final,2026-03-31");
        fs::write(&month, format!("{columns}\n{row}\n")).unwrap();
        let medcredit = |rest: &[&str]| {
            let output = tokio::task::block_in_place(|| run(&[&["--config", &config], rest].concat()));
            let text = [output.stdout, output.stderr].concat();
            (output.status.code(), String::from_utf8_lossy(&text).into_owned())
        };
        let (code, text) = medcredit(&["import", "settlements", month.to_str().unwrap(), "--operator", "tester"]);
        assert_eq!(code, Some(0), "{text}");
        fs::copy(&bulk, &newest).unwrap();
        for (file, named) in [(&older, "bulk.db is older than core.db"), (&foreign, "it belongs to another store")] {
            fs::copy(file, &bulk).unwrap();
            for command in ["serve", "doctor"] {
                let (code, text) = medcredit(&[command]);
                assert!(code == Some(1) && text.contains(named), "{command}: {text}");
            }
        }
        fs::copy(&newest, &bulk).unwrap();
        let (code, text) = medcredit(&["catalogue", "status", "--period", "2026-H1"]);
        assert!(!text.contains("bulk.db"), "{code:?} {text}");
    });
}

/// A disk that returns other bytes than were written: a bank whose consent is on that page gets 503, and its answer once the
/// page is restored.
#[test]
fn a_corrupt_page_is_never_an_answer() {
    block_on(async {
        let fixture = GatewayFixture::new(TestStore::sqlite().await).await;
        let StoreLocation::Sqlite(directory) = fixture.app.store.location() else { panic!("on SQLite") };
        let db = &fixture.app.store.db;
        // Everything is in the file and not in its log.
        db.checkpoint().await.unwrap();
        let (page, size): (i64, i64) = db
            .read("test")
            .fetch_one(
                "SELECT (SELECT rootpage FROM sqlite_master WHERE name = 'consents'), (SELECT page_size FROM pragma_page_size)",
                vec![],
            )
            .await
            .unwrap();
        let path = directory.path().join("core.db");
        let (at, size) = (u64::try_from((page - 1) * size).unwrap(), usize::try_from(size).unwrap());
        let whole = fs::read(&path).unwrap();
        let start = usize::try_from(at).unwrap();
        let write = |bytes: &[u8]| {
            let mut file = fs::File::options().write(true).open(&path).unwrap();
            file.seek(SeekFrom::Start(at)).unwrap();
            file.write_all(bytes).unwrap();
        };
        let before = fixture.counts().await;
        write(&vec![0xff; size]);
        // A gateway that has no page of it in its cache.
        let beside = fixture.app.second_gateway("second", Faults::default()).await;
        let there = fixture.bank.at(&beside.origin);
        let refused = there.get(fixture.token(), &fixture.path()).await;
        assert_eq!(refused.refusal(), (503, "store_unavailable"), "{:?}", refused.json);
        holds_no_data(&refused);
        write(&whole[start..start + size]);
        assert_eq!(fixture.counts().await, before, "nothing was recorded");
        is_an_answer(&there.get(fixture.token(), &fixture.path()).await);
        beside.stop().await;
    });
}

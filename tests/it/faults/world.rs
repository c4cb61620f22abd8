//! A gateway that a test breaks at one step, a bank with a consent whose use is counted, and what the ledger holds.

use std::sync::{Arc, Mutex};

use medcredit::{
    consent::Consent,
    ledger::{
        CheckpointFile, Faults, Step, log_keys,
        verify::{Report, Subject, verify},
    },
    store::DbError,
};

use crate::support::{
    TestStore,
    app::{Bank, Reply, TestApp},
};

/// How often the consent of these tests may be used: often enough.
pub const FETCHES: i64 = 10_000;

/// Quotas nobody reaches.
pub const UNLIMITED: &str =
    "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 100000, window_seconds = 60 }";

/// A fault that is to come: where, and what the step answers.
type Armed = Arc<Mutex<Option<(Step, fn() -> DbError)>>>;

/// A gateway with one bank.
#[derive(Debug)]
pub struct World {
    pub app: TestApp,
    pub bank: Bank,
    pub consent: Consent,
    token: String,
    armed: Armed,
}

/// How many rows the ledger holds of disclosures, and how many fetches are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    pub entries: i64,
    pub openings: i64,
    pub unsealed: i64,
    pub fetches: i64,
}

impl Held {
    /// Nothing was recorded.
    pub const NOTHING: Self = Self { entries: 0, openings: 0, unsealed: 0, fetches: 0 };
    /// One disclosure was recorded, whole.
    pub const RECORD: Self = Self { entries: 1, openings: 1, unsealed: 1, fetches: 1 };

    pub const fn since(self, before: Self) -> Self {
        Self {
            entries: self.entries - before.entries,
            openings: self.openings - before.openings,
            unsealed: self.unsealed - before.unsealed,
            fetches: self.fetches - before.fetches,
        }
    }
}

/// An error that says nothing about what was written.
pub fn broken() -> DbError {
    DbError::Setup("the test pulled the plug".into())
}

/// An error after which the same transaction may succeed.
pub const fn contention() -> DbError {
    DbError::Contention { operation: "test" }
}

impl World {
    pub async fn new(store: TestStore) -> Self {
        let armed = Armed::default();
        let hit = armed.clone();
        let faults = Faults::new(move |step| {
            let mut armed = hit.lock().unwrap();
            let error = match *armed {
                Some((at, error)) if at == step => {
                    *armed = None;
                    Some(error())
                }
                _ => None,
            };
            async move { error.map_or(Ok(()), Err) }
        });
        Self { armed, ..Self::with(store, faults).await }
    }

    /// One with faults of the test's own.
    pub async fn with(store: TestStore, faults: Faults) -> Self {
        let app = TestApp::start_breakable(store, UNLIMITED, faults).await;
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |wish| wish.max_fetches = Some(FETCHES)).await;
        let token = bank.token().await;
        Self { app, bank, consent, token, armed: Armed::default() }
    }

    /// The next time a step is reached, it answers this.
    pub fn arm(&self, step: Step, error: fn() -> DbError) {
        *self.armed.lock().unwrap() = Some((step, error));
    }

    /// Whether the armed step was reached.
    pub fn went_off(&self) -> bool {
        self.armed.lock().unwrap().is_none()
    }

    /// The bank reads a grade.
    pub async fn read(&self) -> Reply {
        self.bank.get(&self.token, &self.path()).await
    }

    /// The path of that reading.
    pub fn path(&self) -> String {
        Bank::data(&self.consent, "grade")
    }

    /// The bank's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The bank asks for the proof of an answer.
    pub async fn proof(&self, answer: &Reply) -> Reply {
        let id = answer.json["disclosure"].as_str().unwrap();
        self.bank.get(&self.token, &format!("/v1/disclosures/{id}/proof")).await
    }

    async fn count(&self, sql: &'static str) -> i64 {
        let (count,): (i64,) = self.app.store.db.read("test").fetch_one(sql, vec![]).await.unwrap();
        count
    }

    /// What the ledger holds of disclosures.
    pub async fn held(&self) -> Held {
        Held {
            entries: self.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_entries WHERE type = 'disclosure'").await,
            openings: self
                .count("SELECT CAST(count(*) AS BIGINT) FROM ledger_openings o JOIN ledger_entries e ON e.id = o.entry_id WHERE e.type = 'disclosure'")
                .await,
            unsealed: self
                .count("SELECT CAST(count(*) AS BIGINT) FROM ledger_unsealed u JOIN ledger_entries e ON e.id = u.entry_id WHERE e.type = 'disclosure'")
                .await,
            fetches: self.count("SELECT CAST(coalesce(sum(used), 0) AS BIGINT) FROM consent_use").await,
        }
    }

    pub async fn leaves(&self) -> i64 {
        self.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_leaves").await
    }

    /// The checkpoint outside.
    pub fn outside(&self) -> CheckpointFile {
        CheckpointFile::new(self.app.app.config.ledger.checkpoint_file.clone())
    }

    /// How many leaves the checkpoint outside covers.
    pub async fn covered(&self) -> i64 {
        let note = self.outside().read().await.unwrap().unwrap_or_default();
        note.lines().nth(1).map_or(0, |size| size.parse().unwrap())
    }

    /// Seals what waits, and verifies the whole ledger from nothing.
    pub async fn seals_and_verifies(&self) -> Report {
        while self.app.app.sealer.seal_once().await.unwrap().is_some() {}
        let app = &self.app.app;
        let origin = app.config.ledger.origin(&app.config.gateway.public_origin);
        let keys = log_keys(&app.keys.load().log);
        let subject = Subject { db: &app.env.db, origin: &origin, keys: &keys, outside: Some(&self.outside()) };
        let report = verify(subject, &|_, _| {}).await.unwrap();
        assert!(report.sound() && report.waiting == 0, "{report}");
        report
    }
}

/// Nothing of a subject is in a refusal, and it says when to come again.
pub fn holds_no_data(reply: &Reply) {
    assert_eq!(reply.headers["content-type"], "application/problem+json", "{:?}", reply.json);
    for of_an_answer in ["medcredit-disclosure", "content-digest", "signature"] {
        assert!(!reply.headers.contains_key(of_an_answer), "{of_an_answer}");
    }
    let text = String::from_utf8(reply.bytes.clone()).unwrap();
    for data in ["codes", "uscc", "disclosed_at", crate::support::app::ENTITY, crate::support::app::HOSPITAL] {
        assert!(!text.contains(data), "{data} in {text}");
    }
}

/// An answer is whole: its receipt names what its body names, and its digest is the body's.
pub fn is_an_answer(reply: &Reply) {
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let id = reply.json["disclosure"].as_str().unwrap();
    assert!(reply.headers["medcredit-disclosure"].contains(id));
    assert_eq!(reply.headers["content-digest"], medcredit::identity::signature::content_digest(&reply.bytes));
}

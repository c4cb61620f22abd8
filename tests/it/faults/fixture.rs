//! A gateway with injected faults, a bank with a consent whose use is counted, and counts of the ledger's rows.

use std::sync::{Arc, Mutex};

use medcredit::{
    consent::Consent,
    ledger::{
        CheckpointFile, Faults, Step, log_keys,
        verify::{Report, StateCheck, Target, verify_after},
    },
    store::DbError,
};

use crate::support::{
    TestStore,
    app::{Bank, Reply, TestApp},
};

/// How often the consent of these tests may be used: often enough.
pub const FETCHES: i64 = 10_000;

/// Quotas that are never reached.
pub const UNLIMITED: &str =
    "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 100000, window_seconds = 60 }";

/// The next fault: its step, and the error of that step.
type Armed = Arc<Mutex<Option<(Step, fn() -> DbError)>>>;

/// A gateway with one bank.
#[derive(Debug)]
pub struct GatewayFixture {
    pub app: TestApp,
    pub bank: Bank,
    pub consent: Consent,
    token: String,
    armed: Armed,
}

/// The number of the ledger's rows of disclosures, and of counted fetches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerCounts {
    pub entries: i64,
    pub openings: i64,
    pub unsealed: i64,
    pub fetches: i64,
}

impl LedgerCounts {
    /// Nothing was recorded.
    pub const NOTHING: Self = Self { entries: 0, openings: 0, unsealed: 0, fetches: 0 };
    /// One disclosure was recorded completely.
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

impl GatewayFixture {
    pub async fn new(store: TestStore) -> Self {
        let armed = Armed::default();
        let hit = armed.clone();
        let faults = Faults::new(move |step| {
            let mut armed = hit.lock().unwrap();
            let error = match *armed {
                Some((at, error)) if at == step => {
                    // Disarmed first, so that a retry of the step succeeds.
                    *armed = None;
                    Some(error())
                }
                _ => None,
            };
            async move { error.map_or(Ok(()), Err) }
        });
        Self { armed, ..Self::with(store, faults).await }
    }

    /// A fixture with the test's own faults.
    pub async fn with(store: TestStore, faults: Faults) -> Self {
        let app = TestApp::start_breakable(store, UNLIMITED, faults).await;
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |wish| wish.max_fetches = Some(FETCHES)).await;
        let token = bank.token().await;
        Self { app, bank, consent, token, armed: Armed::default() }
    }

    /// Makes a step fail the next time it is reached.
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

    /// Counts the ledger's rows of disclosures.
    pub async fn counts(&self) -> LedgerCounts {
        LedgerCounts {
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

    /// The gateway's checkpoint file.
    pub fn checkpoint_file(&self) -> CheckpointFile {
        CheckpointFile::new(self.app.app.config.ledger.checkpoint_file.clone())
    }

    /// Number of leaves that the checkpoint file covers.
    pub async fn covered(&self) -> i64 {
        let note = self.checkpoint_file().read().await.unwrap().unwrap_or_default();
        note.lines().nth(1).map_or(0, |size| size.parse().unwrap())
    }

    /// Seals the queue and verifies the whole ledger.
    pub async fn seals_and_verifies(&self) -> Report {
        // In rounds, because each round takes a limited number of entries.
        while self.app.app.sealer.seal_once().await.unwrap().is_some() {}
        let app = &self.app.app;
        let origin = app.config.ledger.origin(&app.config.gateway.public_origin);
        let keys = log_keys(&app.keys.load().log);
        let subject =
            Target { db: &app.env.db, origin: &origin, keys: &keys, checkpoint_file: Some(&self.checkpoint_file()) };
        let check = StateCheck { now: app.env.clock.now(), sealed_within: app.config.ledger.sealed_within() };
        let report = verify_after(subject, None, Some(check), &|_, _| {}).await.unwrap();
        assert!(report.sound() && report.waiting == 0, "{report}");
        report
    }
}

/// A refusal contains nothing about a subject.
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

/// An answer is complete: its receipt names the disclosure of its body, and its digest is that of the body.
pub fn is_an_answer(reply: &Reply) {
    assert_eq!(reply.status, 200, "{:?}", reply.json);
    let id = reply.json["disclosure"].as_str().unwrap();
    assert!(reply.headers["medcredit-disclosure"].contains(id));
    assert_eq!(reply.headers["content-digest"], medcredit::identity::signature::content_digest(&reply.bytes));
}

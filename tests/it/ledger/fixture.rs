//! A store with one bank that has a consent over a hospital, and the recorders and sealers that tests drive.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::Bytes;
use http::HeaderMap;
use medcredit::{
    domain::{
        Clock, ClockTrust, Day, Entropy, Month, SeededEntropy, Timestamp,
        ids::{ClientId, ConsentId, DisclosureId, EntryId},
        permission::{Permission, Purpose},
    },
    identity::{KeyPair, PublicKey, SharedSigner, Suite},
    ledger::{
        Answer, Budget, CheckpointFile, ConsentFacts, DisclosureFacts, Draft, Faults, FixedKeys, History,
        HistoryMonitor, LeafCache, LogKey, ReadVersions, Recorder, RecorderOptions, Sealer, SealerOptions, Step,
        append, log_keys, open_checkpoint,
        verify::{Report, Target, verify, verify_after},
    },
    merkle::VerifierKey,
    store::{Arg, Db, DbError, Tx, consents},
};
use serde_json::json;

use crate::support::TestStore;

/// The origin of every test's log.
pub const ORIGIN: &str = "gateway.example/ledger/1";
/// The hospital's code.
pub const HOSPITAL: &str = "H33030100001";

/// A store with one bank that has a consent over a hospital.
#[derive(Debug)]
pub struct LedgerFixture {
    pub store: TestStore,
    pub bank: ClientId,
    pub consent: ConsentId,
    pub signer: SharedSigner,
    pub pkcs8: Vec<u8>,
    pub former: Vec<PublicKey>,
    pub directory: tempfile::TempDir,
    /// The leaves that this fixture's recorders have committed.
    leaf_cache: LeafCache,
    entropy: Arc<SeededEntropy>,
}

/// Numbers the banks, whose names must differ.
static BANKS: AtomicUsize = AtomicUsize::new(0);

impl LedgerFixture {
    pub async fn new(store: TestStore) -> Self {
        let entropy = SeededEntropy::new(7);
        let pkcs8 = KeyPair::generate(Suite::Ed25519).unwrap();
        let signer: SharedSigner = Arc::new(KeyPair::from_pkcs8(Suite::Ed25519, &pkcs8).unwrap());
        let mut tx = store.db.begin("test").await.unwrap();
        run(&mut tx, "INSERT INTO authorities (id, name, kind, certificate, crl_number, added_at) VALUES ('aut_1', 'CA', 'partner', $1, 0, 0)", vec![Arg::Bytes(vec![0])]).await;
        run(&mut tx, "INSERT INTO subjects (code, kind, uscc, name, region, agreement_status, licence_status, under_objection, version, import_seq, updated_at) VALUES ($1, 'hospital', '12330300470500001J', 'First Hospital', '330302', 'active', 'active', 0, 5, 1, 0)", vec![HOSPITAL.into()]).await;
        tx.commit().await.unwrap();
        let (bank, consent) = (ClientId::new(&*store.clock, &*entropy), ConsentId::new(&*store.clock, &*entropy));
        let directory = tempfile::tempdir().unwrap();
        let (pkcs8, leaf_cache) = (pkcs8.to_vec(), LeafCache::default());
        let fixture = Self { store, bank, consent, signer, pkcs8, former: Vec::new(), directory, leaf_cache, entropy };
        fixture.add_bank(bank).await;
        fixture.add_consent(bank, consent).await;
        fixture
    }

    pub async fn add_bank(&self, id: ClientId) {
        let name = format!("Bank {}", BANKS.fetch_add(1, Ordering::SeqCst));
        self.change(
            "INSERT INTO clients (id, name, kind, authority_id, subject, auth_methods, scopes, limits, max_pending, epoch, state, registered_at, state_changed_at) VALUES ($1, $2, 'bank', 'aut_1', $2, '[]', '[]', '{}', 10, 3, 'active', 0, 0)",
            vec![id.to_string().into(), name.into()],
        )
        .await;
    }

    pub async fn add_consent(&self, bank: ClientId, id: ConsentId) {
        let expires = self.store.clock.now().plus(std::time::Duration::from_secs(86_400 * 400));
        self.change(
            "INSERT INTO consents (id, version, client_id, uscc, state, permissions, purposes, product, data_from, data_to, requested_at, request_expires_at, granted_at, expires_at) VALUES ($1, 2, $2, '12330300470500001J', 'active', '[]', '[]', 'loan', '2026-01', '2026-12', 0, 0, 0, $3)",
            vec![id.to_string().into(), bank.to_string().into(), expires.into()],
        )
        .await;
    }

    /// Records the events of the consent, which was only inserted: `ledger verify` then finds what explains it. Adds two
    /// entries.
    pub async fn explain_consent(&self) {
        let id = self.consent.to_string();
        let row = consents::find(&self.store.db, &id).await.unwrap().unwrap();
        let requested = row.terms().into_iter().map(|(name, value)| (name.to_owned(), json!([null, value]))).collect();
        for (version, event, changes) in [(1, "requested", requested), (2, "granted", json!({}))] {
            let facts = ConsentFacts {
                id: EntryId::new(&*self.store.clock, &*self.entropy),
                at: self.now(),
                event,
                actor: "system".into(),
                changes,
                channel: "system".into(),
                client_id: self.bank,
                codes: Vec::new(),
                consent_id: self.consent,
                consent_version: version,
                evidence: None,
                reason: None,
                uscc: row.uscc.clone(),
            };
            let recorded = consents::EventRow {
                consent_id: id.clone(),
                version,
                event: event.into(),
                actor: facts.actor.clone(),
                channel: facts.channel.clone(),
                reason: None,
                evidence_sha256: None,
                changes: facts.changes.to_string(),
                at: facts.at.micros(),
            };
            let (entry, opening) = facts.into_entry(&*self.entropy).unwrap();
            let mut tx = self.store.db.begin("test").await.unwrap();
            consents::insert_event(&mut tx, &recorded).await.unwrap();
            append(&mut tx, &entry, Some(&opening)).await.unwrap();
            tx.commit().await.unwrap();
        }
    }

    /// Replaces the signing key; the former one still verifies.
    pub fn rotate(&mut self) {
        self.former.push(self.signer.public_key().clone());
        self.signer =
            Arc::new(KeyPair::from_pkcs8(Suite::Ed25519, &KeyPair::generate(Suite::Ed25519).unwrap()).unwrap());
    }

    pub fn new_bank(&self) -> (ClientId, ConsentId) {
        (ClientId::new(&*self.store.clock, &*self.entropy), ConsentId::new(&*self.store.clock, &*self.entropy))
    }

    pub fn now(&self) -> Timestamp {
        self.store.clock.now()
    }

    pub fn today(&self) -> Day {
        self.now().day()
    }

    pub fn entropy(&self) -> &dyn Entropy {
        &*self.entropy
    }

    /// Runs one statement in a transaction of its own.
    pub async fn change(&self, sql: &'static str, args: Vec<Arg>) {
        let mut tx = self.store.db.begin("test").await.unwrap();
        run(&mut tx, sql, args).await;
        tx.commit().await.unwrap();
    }

    /// An answer for the bank under its consent.
    pub fn draft(&self) -> Draft {
        self.draft_of(self.bank, self.consent)
    }

    pub fn draft_of(&self, bank: ClientId, consent: ConsentId) -> Draft {
        draft(&*self.store.clock, &*self.entropy, bank, consent)
    }

    pub fn recorder(&self) -> Recorder {
        self.recorder_with(self.store.db.clone(), Faults::default())
    }

    pub fn recorder_with(&self, db: Db, faults: Faults) -> Recorder {
        let options = RecorderOptions { faults, leaf_cache: self.leaf_cache.clone(), ..RecorderOptions::default() };
        Recorder::start(db, self.store.clock.clone(), options)
    }

    /// Records answers one after the other, each in a transaction of its own.
    pub async fn record(&self, count: usize) -> Vec<String> {
        let recorder = self.recorder();
        let mut ids = Vec::new();
        for _ in 0..count {
            ids.push(recorder.record(self.draft()).await.unwrap().id().to_owned());
        }
        recorder.shutdown().await;
        ids
    }

    /// Records many answers concurrently.
    pub async fn record_many(&self, count: usize) -> Vec<String> {
        let recorder = self.recorder();
        let waiting: Vec<_> = (0..count)
            .map(|_| self.draft())
            .map(|draft| {
                let recorder = recorder.clone();
                tokio::spawn(async move { recorder.record(draft).await.unwrap().id().to_owned() })
            })
            .collect();
        let mut ids = Vec::new();
        for id in waiting {
            ids.push(id.await.unwrap());
        }
        recorder.shutdown().await;
        ids
    }

    pub fn checkpoint_file(&self) -> CheckpointFile {
        CheckpointFile::new(self.directory.path().join("checkpoint"))
    }

    pub fn sealer(&self) -> Sealer {
        self.sealer_with(self.store.db.clone(), Faults::default())
    }

    pub fn sealer_with(&self, db: Db, faults: Faults) -> Sealer {
        self.start_sealer(db, SealerOptions { faults, ..self.sealer_options() })
    }

    /// The monitor of a process without any memory, with its own checkpoint file.
    pub fn monitor(&self, file: &str) -> HistoryMonitor {
        let keys = Arc::new(FixedKeys::new(self.signer.clone(), self.former.clone()));
        let file = CheckpointFile::new(self.directory.path().join(file));
        HistoryMonitor::new(self.store.db.clone(), keys, ORIGIN.into(), file, History::default())
    }

    /// The sealer of a process whose monitor sets `history`.
    pub fn sealer_of_history(&self, history: &History, faults: Faults) -> Sealer {
        let options = SealerOptions { history: history.clone(), faults, ..self.sealer_options() };
        self.start_sealer(self.store.db.clone(), options)
    }

    /// The recorder of a process whose monitor sets `history`.
    pub fn recorder_of_history(&self, history: &History) -> Recorder {
        let options = RecorderOptions { history: history.clone(), ..RecorderOptions::default() };
        Recorder::start(self.store.db.clone(), self.store.clock.clone(), options)
    }

    /// A sealer without a checkpoint file, as of a gateway that knows nothing.
    pub fn sealer_without_file(&self) -> Sealer {
        let options = SealerOptions { checkpoint_file: None, ..self.sealer_options() };
        self.start_sealer(self.store.db.clone(), options)
    }

    /// The sealer of another epoch of the log.
    pub fn sealer_of_origin(&self, origin: &str) -> Sealer {
        let options = SealerOptions { origin: origin.into(), ..self.sealer_options() };
        self.start_sealer(self.store.db.clone(), options)
    }

    /// The sealer of the gateway that recorded: it shares the cache of leaves.
    pub fn sealer_with_cache(&self) -> Sealer {
        let options = SealerOptions { leaf_cache: self.leaf_cache.clone(), ..self.sealer_options() };
        self.start_sealer(self.store.db.clone(), options)
    }

    fn sealer_options(&self) -> SealerOptions {
        SealerOptions {
            origin: ORIGIN.into(),
            checkpoint_file: Some(self.checkpoint_file().path().to_owned()),
            interval: std::time::Duration::from_millis(1),
            round: 1024,
            leaf_cache: LeafCache::default(),
            history: History::default(),
            clock_trust: ClockTrust::default(),
            faults: Faults::default(),
        }
    }

    fn start_sealer(&self, db: Db, options: SealerOptions) -> Sealer {
        let keys = Arc::new(FixedKeys::new(self.signer.clone(), self.former.clone()));
        Sealer::new(db, self.store.clock.clone(), keys, options)
    }

    pub fn keys(&self) -> Vec<LogKey> {
        log_keys(&[&self.former[..], &[self.signer.public_key().clone()]].concat())
    }

    pub fn verifier_key(&self) -> VerifierKey {
        VerifierKey::new(ORIGIN, self.signer.public_key().raw().try_into().unwrap()).unwrap()
    }

    /// Verifies the ledger against the checkpoint file.
    pub async fn verify(&self) -> Report {
        self.verify_against(Some(&self.checkpoint_file())).await
    }

    pub async fn verify_against(&self, checkpoint_file: Option<&CheckpointFile>) -> Report {
        let subject = Target { db: &self.store.db, origin: ORIGIN, keys: &self.keys(), checkpoint_file };
        verify(subject, &|_, _| {}).await.unwrap()
    }

    /// Verifies what was added after a checkpoint that was verified before.
    pub async fn verify_after(&self, note: &str) -> Report {
        let (keys, file) = (self.keys(), self.checkpoint_file());
        let verified = open_checkpoint(note, ORIGIN, &keys).unwrap();
        let subject = Target { db: &self.store.db, origin: ORIGIN, keys: &keys, checkpoint_file: Some(&file) };
        verify_after(subject, Some(&verified), None, &|_, _| {}).await.unwrap()
    }

    /// Counts rows.
    pub async fn count(&self, sql: &'static str) -> i64 {
        count(&self.store.db, sql).await
    }

    pub async fn entries(&self) -> i64 {
        self.count("SELECT CAST(count(*) AS BIGINT) FROM ledger_entries").await
    }
}

/// An answer about the hospital, not recorded yet.
pub fn draft(clock: &dyn Clock, entropy: &dyn Entropy, bank: ClientId, consent: ConsentId) -> Draft {
    let now = clock.now();
    let facts = DisclosureFacts {
        id: DisclosureId::new(clock, entropy),
        at: now,
        client_id: bank,
        consent_id: consent,
        consent_version: 2,
        uscc: Some("12330300470500001J".into()),
        codes: vec![HOSPITAL.into()],
        purpose: Purpose::PreLoanReview,
        what: vec![Permission::Settlements, Permission::Grade],
        period: Some((Month::new(2026, 1).unwrap(), Month::new(2026, 3).unwrap())),
        publication: 1,
        content_digest: Some("sha-256=:ON66ObEKn7BjzZqNrkOxySlAKdjtmQnUGJ58xl1Ehhc=:".into()),
        interaction: "3b1f7c52-6a0e-4c1d-9c57-1f2f6a5d8e90".into(),
    };
    let (entry, opening) = facts.into_entry(entropy).unwrap();
    Draft {
        versions: ReadVersions {
            client_id: bank,
            client_epoch: 3,
            consent_id: consent,
            consent_version: 2,
            subjects: vec![(HOSPITAL.into(), 5)],
            publication: 1,
            now,
            expires_at: now.plus(std::time::Duration::from_secs(86_400 * 300)),
        },
        budget: Budget { max_fetches: None, per_day: None, day: now.day() },
        entry,
        opening,
        answer: Answer { headers: HeaderMap::new(), body: Bytes::from_static(b"{\"grade\":\"A\"}").into() },
    }
}

pub async fn run(tx: &mut Tx, sql: &'static str, args: Vec<Arg>) {
    tx.execute(sql, args).await.unwrap();
}

pub async fn count(db: &Db, sql: &'static str) -> i64 {
    let (count,): (i64,) = db.read("test").fetch_one(sql, vec![]).await.unwrap();
    count
}

/// Fails at one step, the first `times` times it is reached.
pub fn fail_at(step: Step, times: usize, error: fn() -> DbError) -> Faults {
    let left = Arc::new(AtomicUsize::new(times));
    Faults::new(move |at| {
        let hit =
            at == step && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        async move { if hit { Err(error()) } else { Ok(()) } }
    })
}

/// An error after which the outcome is unknown.
pub fn broken() -> DbError {
    DbError::Setup("the test pulled the plug".into())
}

/// An error after which the same transaction may succeed.
pub const fn contention() -> DbError {
    DbError::Contention { operation: "test" }
}

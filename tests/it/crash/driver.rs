//! Banks that read continuously while their consents are granted and revoked, and every answer they receive.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
};

use serde_json::json;
use tokio::sync::watch;

use crate::support::{
    app::{Bank, CLINIC, ENTITY, HOSPITAL, Reply, TestApp, signed},
    process::run,
};

/// Readers of each bank.
const READERS: usize = 5;
/// Number of consents of each bank that are read concurrently.
const CONSENTS: usize = 4;
/// A consent is revoked, and another one granted, after so many answers to its bank.
const TURN: usize = 25;
/// The limit of every other consent, which is low enough to be reached.
const FETCHES: i64 = 30;

/// A consent and what its bank knows of it.
#[derive(Debug)]
pub struct ReadConsent {
    pub id: String,
    pub max_fetches: Option<i64>,
    /// Number of answers that arrived completely.
    pub answered: AtomicI64,
    /// The revocation was acknowledged.
    pub revoked: AtomicBool,
}

/// An answer that arrived completely.
#[derive(Debug, Clone)]
pub struct ReceivedAnswer {
    pub id: String,
    pub consent: String,
    pub digest: String,
    pub receipt: String,
}

/// A bank with all its consents and answers.
#[derive(Debug)]
pub struct Reader {
    bank: Bank,
    token: String,
    /// Consents in force as far as the bank knows, the oldest first.
    current: Mutex<Vec<Arc<ReadConsent>>>,
    pub all: Mutex<Vec<Arc<ReadConsent>>>,
    pub received: Mutex<Vec<ReceivedAnswer>>,
}

/// The load.
#[derive(Debug)]
pub struct Load {
    pub app: TestApp,
    pub readers: Vec<Reader>,
    /// The origin of the running gateway.
    origin: watch::Sender<String>,
    answers: watch::Sender<usize>,
    done: AtomicBool,
    next: AtomicUsize,
    /// How often a connection broke, and how often the gateway refused for the moment.
    pub broken: AtomicUsize,
    pub unavailable: AtomicUsize,
}

impl Load {
    /// Two banks with their first consents.
    pub async fn new(app: TestApp) -> Arc<Self> {
        let mut readers = Vec::new();
        for name in ["Bank A", "Bank B"] {
            // The load requests more consents than a bank may usually have pending.
            let bank = app.bank_with(name, |new| new.max_pending = 1000).await;
            let token = bank.token().await;
            let reader =
                Reader { bank, token, current: Mutex::default(), all: Mutex::default(), received: Mutex::default() };
            for number in 0..CONSENTS {
                let max_fetches = (number % 2 == 0).then_some(FETCHES);
                let consent = app.consent(&reader.bank, |wish| wish.max_fetches = max_fetches).await;
                reader.add(consent.id.to_string(), max_fetches);
            }
            readers.push(reader);
        }
        Arc::new(Self {
            app,
            readers,
            origin: watch::Sender::default(),
            answers: watch::Sender::default(),
            done: AtomicBool::new(false),
            next: AtomicUsize::new(0),
            broken: AtomicUsize::new(0),
            unavailable: AtomicUsize::new(0),
        })
    }

    /// Starts everybody; they end some time after [`Load::end`].
    pub fn start(self: &Arc<Self>) -> tokio::task::JoinSet<()> {
        let mut tasks = tokio::task::JoinSet::new();
        for bank in 0..self.readers.len() {
            for _ in 0..READERS {
                let load = self.clone();
                tasks.spawn(async move { load.read(&load.readers[bank]).await });
            }
            let load = self.clone();
            tasks.spawn(async move { load.replace_consents(&load.readers[bank]).await });
        }
        tasks
    }

    /// Sets the origin of the running gateway.
    pub fn gateway_at(&self, origin: &str) {
        self.origin.send_replace(origin.to_owned());
    }

    pub fn end(&self) {
        self.done.store(true, Ordering::SeqCst);
    }

    pub fn answered(&self) -> usize {
        *self.answers.borrow()
    }

    /// Waits for `count` more answers.
    pub async fn wait_for_answers(&self, count: usize) {
        let goal = self.answered() + count;
        self.answers.subscribe().wait_for(|answers| *answers >= goal).await.unwrap();
    }

    fn ended(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    async fn origin(&self) -> String {
        self.origin.subscribe().wait_for(|origin| !origin.is_empty()).await.unwrap().clone()
    }

    /// A connection broke: waits for another gateway, unless the load is over.
    async fn connection_lost(&self, origin: &str) {
        self.broken.fetch_add(1, Ordering::SeqCst);
        let mut now = self.origin.subscribe();
        let another = now.wait_for(|now| now != origin);
        // After a second the same gateway is tried again: the database may have broken the connection.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), another).await;
    }

    async fn read(&self, reader: &Reader) {
        while !self.ended() {
            let origin = self.origin().await;
            let Some(consent) = reader.pick(self.next.fetch_add(1, Ordering::SeqCst)) else { continue };
            // Before the request is sent: one that was on its way may still be answered after the revocation.
            let revoked = consent.revoked.load(Ordering::SeqCst);
            let bank = reader.bank.at(&origin);
            let path = format!("/v1/consents/{}/grade", consent.id);
            let Ok(reply) = bank.try_send(bank.http.get(bank.url(&path)).bearer_auth(&reader.token)).await else {
                self.connection_lost(&origin).await;
                continue;
            };
            match reply.refusal() {
                (200, _) => {
                    assert!(!revoked, "answered after the revocation was acknowledged");
                    reader.keep(&consent, &reply);
                    self.answers.send_modify(|answers| *answers += 1);
                }
                (403, "consent_not_active") | (429, "consent_used_up") => reader.forget(&consent),
                // While gateway or database recover, banks may be refused, and only with these codes.
                (503, "ledger_unavailable" | "store_unavailable" | "state_unknown" | "state_moving") => {
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                }
                _ => panic!("{}: {:?}", reply.status, reply.json),
            }
        }
    }

    /// Requests consents as the bank, grants them as an operator, and revokes them from either side or by the command line.
    async fn replace_consents(&self, reader: &Reader) {
        let config = self.app.config_file("gateway");
        let mut turn = 0;
        while !self.ended() {
            let answers = reader.received.lock().unwrap().len();
            if answers < turn * TURN && reader.has_enough() {
                // Waits for the next answers, or for a moment when the load has ended.
                let _ =
                    tokio::time::timeout(std::time::Duration::from_millis(200), self.wait_for_answers(TURN / 2)).await;
                continue;
            }
            turn += 1;
            self.add_consent(reader, turn).await;
            if let Some(oldest) = reader.oldest() {
                self.revoke(reader, &oldest, turn, &config).await;
            }
        }
    }

    /// Requests a consent over the API; when the gateway is killed meanwhile, it may stay pending.
    async fn add_consent(&self, reader: &Reader, turn: usize) {
        let origin = self.origin().await;
        let max_fetches = turn.is_multiple_of(2).then_some(FETCHES);
        let bank = reader.bank.at(&origin);
        let mut wish = json!({
            "uscc": ENTITY, "codes": [HOSPITAL, CLINIC], "permissions": ["grade"], "purposes": ["pre_loan_review"], "product": "医保信用贷",
        });
        if let Some(max) = max_fetches {
            wish["max_fetches"] = max.into();
        }
        let request = bank.http.post(bank.url("/v1/consents")).bearer_auth(&reader.token).json(&wish);
        // The gateway was killed: whether the consent was created is unknown, and nobody reads it.
        let Ok(reply) = bank.try_send(request).await else { return };
        if reply.status != 201 {
            assert_eq!(reply.status, 503, "{:?}", reply.json);
            return;
        }
        let id = reply.json["id"].as_str().unwrap().to_owned();
        // Over connections of its own, like the command line.
        match self.app.app.consents.grant(&id, &signed(), &crate::support::decided_by("tester")).await {
            Ok(_) => reader.add(id, max_fetches),
            Err(failure) => assert!(failure.code.ends_with("_unavailable"), "{failure:?}"),
        }
    }

    async fn revoke(&self, reader: &Reader, consent: &ReadConsent, turn: usize, config: &str) {
        let origin = self.origin().await;
        let bank = reader.bank.at(&origin);
        let acknowledged = match turn % 4 {
            0 => {
                let path = bank.url(&format!("/v1/consents/{}", consent.id));
                let reply = bank.try_send(bank.http.delete(path).bearer_auth(&reader.token)).await;
                reply.is_ok_and(|reply| reply.status < 300)
            }
            1 => {
                let (id, config) = (consent.id.clone(), config.to_owned());
                // It waits for a process, which would hold a thread of the runtime.
                let revoke = move || run(&["--config", &config, "consent", "revoke", &id]).status.success();
                tokio::task::spawn_blocking(revoke).await.unwrap()
            }
            _ => false,
        };
        // Also when the outcome of the first revocation is unknown: afterwards the consent is revoked in any case.
        let again = self.app.app.consents.revoke(&consent.id, None, &crate::support::decided_by("tester")).await;
        // A conflict says that the consent was revoked before, which counts as well.
        let done =
            acknowledged || again.as_ref().map_or_else(|failure| failure.code == "consent_state_conflict", |_| true);
        if done {
            consent.revoked.store(true, Ordering::SeqCst);
        }
    }
}

impl Reader {
    fn add(&self, id: String, max_fetches: Option<i64>) {
        let (answered, revoked) = (AtomicI64::new(0), AtomicBool::new(false));
        let consent = Arc::new(ReadConsent { id, max_fetches, answered, revoked });
        self.current.lock().unwrap().push(consent.clone());
        self.all.lock().unwrap().push(consent);
    }

    fn pick(&self, turn: usize) -> Option<Arc<ReadConsent>> {
        let current = self.current.lock().unwrap();
        // None while no consent is in force.
        current.get(turn.checked_rem(current.len())?).cloned()
    }

    fn forget(&self, consent: &ReadConsent) {
        self.current.lock().unwrap().retain(|of| of.id != consent.id);
    }

    fn has_enough(&self) -> bool {
        self.current.lock().unwrap().len() >= 2
    }

    /// The oldest consent, once there are more than enough.
    fn oldest(&self) -> Option<Arc<ReadConsent>> {
        let current = self.current.lock().unwrap();
        (current.len() > CONSENTS).then(|| current[0].clone())
    }

    fn keep(&self, consent: &ReadConsent, reply: &Reply) {
        let digest = reply.headers["content-digest"].clone();
        assert_eq!(digest, medcredit::identity::signature::content_digest(&reply.bytes));
        consent.answered.fetch_add(1, Ordering::SeqCst);
        self.received.lock().unwrap().push(ReceivedAnswer {
            id: reply.json["disclosure"].as_str().unwrap().to_owned(),
            consent: consent.id.clone(),
            digest,
            receipt: reply.headers["medcredit-disclosure"].clone(),
        });
    }

    /// Every answer, by its disclosure.
    pub fn received(&self) -> HashMap<String, ReceivedAnswer> {
        self.received.lock().unwrap().iter().map(|received| (received.id.clone(), received.clone())).collect()
    }
}

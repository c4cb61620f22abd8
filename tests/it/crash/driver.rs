//! Banks that read without end, consents that come and go under them, and everything they were ever told.

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
/// Consents of each bank that are read at the same time.
const CONSENTS: usize = 4;
/// A consent is revoked, and another one granted, after so many answers to its bank.
const TURN: usize = 25;
/// Every other consent may be used so often, which is less than it would be.
const FETCHES: i64 = 30;

/// A consent as its bank knows it.
#[derive(Debug)]
pub struct Agreed {
    pub id: String,
    pub max_fetches: Option<i64>,
    /// Answers that arrived whole.
    pub answered: AtomicI64,
    /// The revocation was acknowledged.
    pub revoked: AtomicBool,
}

/// An answer that arrived whole.
#[derive(Debug, Clone)]
pub struct Kept {
    pub id: String,
    pub consent: String,
    pub digest: String,
    pub receipt: String,
}

/// A bank with all that it was told.
#[derive(Debug)]
pub struct Reader {
    bank: Bank,
    token: String,
    /// In force, as far as the bank knows; the oldest first.
    current: Mutex<Vec<Arc<Agreed>>>,
    pub all: Mutex<Vec<Arc<Agreed>>>,
    pub kept: Mutex<Vec<Kept>>,
}

/// The load.
#[derive(Debug)]
pub struct Load {
    pub app: TestApp,
    pub readers: Vec<Reader>,
    /// Where the gateway is now.
    place: watch::Sender<String>,
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
            let bank = app.bank_with(name, |new| new.max_pending = 1000).await;
            let token = bank.token().await;
            let reader =
                Reader { bank, token, current: Mutex::default(), all: Mutex::default(), kept: Mutex::default() };
            for number in 0..CONSENTS {
                let max_fetches = (number % 2 == 0).then_some(FETCHES);
                let consent = app.consent(&reader.bank, |wish| wish.max_fetches = max_fetches).await;
                reader.agree(consent.id.to_string(), max_fetches);
            }
            readers.push(reader);
        }
        Arc::new(Self {
            app,
            readers,
            place: watch::Sender::default(),
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
            tasks.spawn(async move { load.steward(&load.readers[bank]).await });
        }
        tasks
    }

    /// The gateway is there from now on.
    pub fn moved(&self, origin: &str) {
        self.place.send_replace(origin.to_owned());
    }

    pub fn end(&self) {
        self.done.store(true, Ordering::SeqCst);
    }

    pub fn answered(&self) -> usize {
        *self.answers.borrow()
    }

    /// Waits for so many more answers.
    pub async fn more(&self, count: usize) {
        let goal = self.answered() + count;
        self.answers.subscribe().wait_for(|answers| *answers >= goal).await.unwrap();
    }

    fn ended(&self) -> bool {
        self.done.load(Ordering::SeqCst)
    }

    async fn place(&self) -> String {
        self.place.subscribe().wait_for(|place| !place.is_empty()).await.unwrap().clone()
    }

    /// A connection broke: waits for another gateway, unless the load is over.
    async fn gone(&self, place: &str) {
        self.broken.fetch_add(1, Ordering::SeqCst);
        let mut now = self.place.subscribe();
        let another = now.wait_for(|now| now != place);
        // Or the same again, where it was the database that broke it.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(1), another).await;
    }

    async fn read(&self, reader: &Reader) {
        while !self.ended() {
            let place = self.place().await;
            let Some(agreed) = reader.pick(self.next.fetch_add(1, Ordering::SeqCst)) else { continue };
            let revoked = agreed.revoked.load(Ordering::SeqCst);
            let bank = reader.bank.at(&place);
            let path = format!("/v1/consents/{}/grade", agreed.id);
            let Ok(reply) = bank.try_send(bank.http.get(bank.url(&path)).bearer_auth(&reader.token)).await else {
                self.gone(&place).await;
                continue;
            };
            match reply.refusal() {
                (200, _) => {
                    assert!(!revoked, "answered after the revocation was acknowledged");
                    reader.keep(&agreed, &reply);
                    self.answers.send_modify(|answers| *answers += 1);
                }
                (403, "consent_not_active") | (429, "consent_used_up") => reader.forget(&agreed),
                (503, "ledger_unavailable" | "store_unavailable" | "state_unknown" | "state_moving") => {
                    self.unavailable.fetch_add(1, Ordering::SeqCst);
                }
                _ => panic!("{}: {:?}", reply.status, reply.json),
            }
        }
    }

    /// Consents come and go: asked for by the bank, granted by an operator, ended by either side or at the command line.
    async fn steward(&self, reader: &Reader) {
        let config = self.app.config_file("gateway");
        let mut turn = 0;
        while !self.ended() {
            let answers = reader.kept.lock().unwrap().len();
            if answers < turn * TURN && reader.is_supplied() {
                // Whatever happens next, an answer or its end, is told here.
                let _ = tokio::time::timeout(std::time::Duration::from_millis(200), self.more(TURN / 2)).await;
                continue;
            }
            turn += 1;
            self.another(reader, turn).await;
            if let Some(oldest) = reader.oldest() {
                self.revoke(reader, &oldest, turn, &config).await;
            }
        }
    }

    /// A consent asked for over the API; where the gateway is killed meanwhile, it may wait for ever.
    async fn another(&self, reader: &Reader, turn: usize) {
        let place = self.place().await;
        let max_fetches = turn.is_multiple_of(2).then_some(FETCHES);
        let bank = reader.bank.at(&place);
        let mut wish = json!({
            "uscc": ENTITY, "codes": [HOSPITAL, CLINIC], "permissions": ["grade"], "purposes": ["pre_loan_review"], "product": "医保信用贷",
        });
        if let Some(max) = max_fetches {
            wish["max_fetches"] = max.into();
        }
        let request = bank.http.post(bank.url("/v1/consents")).bearer_auth(&reader.token).json(&wish);
        let Ok(reply) = bank.try_send(request).await else { return };
        if reply.status != 201 {
            assert_eq!(reply.status, 503, "{:?}", reply.json);
            return;
        }
        let id = reply.json["id"].as_str().unwrap().to_owned();
        // Another process's connections, as the command line's.
        match self.app.app.consents.grant(&id, &signed(), &crate::support::decided_by("tester")).await {
            Ok(_) => reader.agree(id, max_fetches),
            Err(failure) => assert!(failure.code.ends_with("_unavailable"), "{failure:?}"),
        }
    }

    async fn revoke(&self, reader: &Reader, agreed: &Agreed, turn: usize, config: &str) {
        let place = self.place().await;
        let bank = reader.bank.at(&place);
        let told = match turn % 4 {
            0 => {
                let path = bank.url(&format!("/v1/consents/{}", agreed.id));
                let reply = bank.try_send(bank.http.delete(path).bearer_auth(&reader.token)).await;
                reply.is_ok_and(|reply| reply.status < 300)
            }
            1 => {
                let (id, config) = (agreed.id.clone(), config.to_owned());
                let revoke = move || run(&["--config", &config, "consent", "revoke", &id]).status.success();
                tokio::task::spawn_blocking(revoke).await.unwrap()
            }
            _ => false,
        };
        // Also where nobody knows whether the revocation was done: then it is revoked already, or is now.
        let again = self.app.app.consents.revoke(&agreed.id, None, &crate::support::decided_by("tester")).await;
        let done = told || again.as_ref().map_or_else(|failure| failure.code == "consent_state_conflict", |_| true);
        if done {
            agreed.revoked.store(true, Ordering::SeqCst);
        }
    }
}

impl Reader {
    fn agree(&self, id: String, max_fetches: Option<i64>) {
        let (answered, revoked) = (AtomicI64::new(0), AtomicBool::new(false));
        let agreed = Arc::new(Agreed { id, max_fetches, answered, revoked });
        self.current.lock().unwrap().push(agreed.clone());
        self.all.lock().unwrap().push(agreed);
    }

    fn pick(&self, turn: usize) -> Option<Arc<Agreed>> {
        let current = self.current.lock().unwrap();
        current.get(turn.checked_rem(current.len())?).cloned()
    }

    fn forget(&self, agreed: &Agreed) {
        self.current.lock().unwrap().retain(|of| of.id != agreed.id);
    }

    fn is_supplied(&self) -> bool {
        self.current.lock().unwrap().len() >= 2
    }

    /// The oldest consent, once there are more than enough.
    fn oldest(&self) -> Option<Arc<Agreed>> {
        let current = self.current.lock().unwrap();
        (current.len() > CONSENTS).then(|| current[0].clone())
    }

    fn keep(&self, agreed: &Agreed, reply: &Reply) {
        let digest = reply.headers["content-digest"].clone();
        assert_eq!(digest, medcredit::identity::signature::content_digest(&reply.bytes));
        agreed.answered.fetch_add(1, Ordering::SeqCst);
        self.kept.lock().unwrap().push(Kept {
            id: reply.json["disclosure"].as_str().unwrap().to_owned(),
            consent: agreed.id.clone(),
            digest,
            receipt: reply.headers["medcredit-disclosure"].clone(),
        });
    }

    /// Every answer, by its disclosure.
    pub fn received(&self) -> HashMap<String, Kept> {
        self.kept.lock().unwrap().iter().map(|kept| (kept.id.clone(), kept.clone())).collect()
    }
}

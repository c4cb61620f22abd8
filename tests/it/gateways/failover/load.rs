//! Readers who ask for data continuously, and every answer they get.

use std::sync::{Arc, Mutex};

use medcredit::consent::Consent;
use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinSet};

use crate::support::app::{Bank, Reply};

/// Concurrent readers at each gateway; one more fetches deliveries.
const READERS: usize = 3;

/// An answer that arrived completely.
#[derive(Debug, Clone)]
pub struct GivenAnswer {
    /// The disclosures in it.
    pub ids: Vec<String>,
    /// The epoch of the log that its receipt names.
    pub epoch: u32,
}

impl GivenAnswer {
    /// The answer that a bank got.
    pub fn of(reply: &Reply) -> Self {
        let receipt = &reply.headers["medcredit-disclosure"];
        let member = |name: &str| receipt.split_once(&format!("{name}=\"")).unwrap().1.split('"').next().unwrap();
        let mut ids = vec![member("id").to_owned()];
        // The last line of a delivery has the receipts of the others.
        let last = reply.bytes.strip_suffix(b"\n").and_then(|lines| lines.rsplit(|byte| *byte == b'\n').next());
        if let Some(end) = last.and_then(|last| serde_json::from_slice::<Value>(last).ok()) {
            let receipts = end["receipts"].as_array().unwrap();
            ids.extend(receipts.iter().map(|receipt| receipt["id"].as_str().unwrap().to_owned()));
        }
        Self { ids, epoch: member("log").rsplit('/').next().unwrap().parse().unwrap() }
    }
}

/// The readers of one round.
pub struct Load {
    given: Arc<Mutex<Vec<GivenAnswer>>>,
    count: watch::Sender<usize>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<()>,
}

impl Load {
    /// Starts readers at some gateways.
    pub fn start<'a>(banks: impl Iterator<Item = &'a Bank>, token: &str, consent: &Consent) -> Self {
        let mut load = Self {
            given: Arc::default(),
            count: watch::Sender::new(0),
            stop: watch::Sender::new(false),
            tasks: JoinSet::new(),
        };
        for bank in banks {
            let url = bank.url(&Bank::data(consent, "grade"));
            for _ in 0..READERS {
                load.spawn(bank, bank.http.get(&url).bearer_auth(token));
            }
            let page = json!({ "month": "2026-02", "purpose": "pre_loan_review" });
            load.spawn(bank, bank.http.post(bank.url("/v1/deliveries")).bearer_auth(token).json(&page));
        }
        load
    }

    fn spawn(&mut self, bank: &Bank, request: reqwest::RequestBuilder) {
        let (bank, given, count) = (bank.clone(), self.given.clone(), self.count.clone());
        let mut stop = self.stop.subscribe();
        self.tasks.spawn(async move {
            loop {
                let reply = tokio::select! {
                    reply = bank.try_send(request.try_clone().unwrap()) => reply,
                    // What has not arrived by then is no answer.
                    _ = stop.wait_for(|stop| *stop) => return,
                };
                // Anything else comes from a gateway without its database.
                if let Some(reply) = reply.ok().filter(|reply| reply.status == 200) {
                    given.lock().unwrap().push(GivenAnswer::of(&reply));
                    count.send_modify(|count| *count += 1);
                }
            }
        });
    }

    /// Waits for more answers.
    pub async fn more(&self, count: usize) {
        let mut counted = self.count.subscribe();
        let enough = *counted.borrow() + count;
        counted.wait_for(|count| *count >= enough).await.unwrap();
    }

    /// Stops the readers and returns every answer.
    pub async fn end(mut self) -> Vec<GivenAnswer> {
        self.stop.send_replace(true);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        std::mem::take(&mut *self.given.lock().unwrap())
    }
}

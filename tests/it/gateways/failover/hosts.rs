//! A gateway on a host of its own: the program with a configuration, a checkpoint file and a journal of ends.

use std::{path::PathBuf, time::Duration};

use super::load::GivenAnswer;
use crate::support::{
    app::{Bank, TestApp},
    process::{Gateway, run},
};

/// The pause between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(10);
/// How long a condition may take to be met.
const BOUND: Duration = Duration::from_secs(30);

/// Waits until a condition is met.
pub async fn poll(mut condition: impl AsyncFnMut() -> bool) {
    let met = async {
        while !condition().await {
            tokio::time::sleep(PAUSE).await;
        }
    };
    tokio::time::timeout(BOUND, met).await.expect("the condition is met");
}

/// A host.
pub struct Host {
    config: String,
    checkpoint_file: PathBuf,
    gateway: Option<Gateway>,
    /// The bank as a client of this gateway.
    pub bank: Bank,
}

impl Host {
    /// Prepares a host and starts its gateway.
    pub async fn start(app: &TestApp, bank: &Bank, name: &str) -> Self {
        let config = app.host(name).await;
        let checkpoint_file = app.path(&format!("checkpoint-{name}"));
        let mut host = Self { config, checkpoint_file, gateway: None, bank: bank.clone() };
        host.start_again();
        host
    }

    /// Starts the gateway.
    pub fn start_again(&mut self) {
        self.spawn();
        self.is_serving();
    }

    /// Starts the gateway and waits for nothing.
    pub fn spawn(&mut self) {
        self.gateway = Some(Gateway::start(&self.config));
    }

    /// The gateway serves; it listens on another port each time.
    pub fn is_serving(&mut self) {
        let gateway = self.gateway.as_mut().unwrap();
        self.bank = self.bank.at(&tokio::task::block_in_place(|| gateway.serving()));
    }

    /// Sends the gateway a signal.
    pub fn signal(&self, signal: &str) {
        self.gateway.as_ref().unwrap().signal(signal);
    }

    /// Kills the gateway.
    pub fn kill(&mut self) {
        self.gateway.take().unwrap().kill();
    }

    /// The gateway ends by itself, so that its supervisor starts it again.
    pub fn has_ended(&mut self) {
        let gateway = self.gateway.take().unwrap();
        let (code, log) = tokio::task::block_in_place(|| gateway.end());
        assert_eq!(code, Some(1), "{log}");
    }

    /// Stops the gateway.
    pub fn stop(mut self) {
        let gateway = self.gateway.take().unwrap();
        gateway.signal("-TERM");
        let (code, log) = tokio::task::block_in_place(|| gateway.end());
        assert_eq!(code, Some(0), "{log}");
    }

    /// The signed note in the checkpoint file.
    pub fn note(&self) -> String {
        std::fs::read_to_string(&self.checkpoint_file).unwrap()
    }

    /// Number of leaves that the checkpoint file covers.
    pub fn covered(&self) -> u64 {
        self.note().lines().nth(1).unwrap().parse().unwrap()
    }

    /// The notes in the files that recoveries have kept beside the checkpoint file.
    pub fn former_notes(&self) -> Vec<String> {
        let epochs = 1..100;
        let files = epochs.map(|epoch| format!("{}.{epoch}", self.checkpoint_file.display()));
        files.filter_map(|file| std::fs::read_to_string(file).ok()).collect()
    }

    /// Asks for data until the gateway says that the history is behind, and then some more. It never answers. While it cannot
    /// read changes, it says so.
    pub async fn refuses(&self, token: &str, path: &str) {
        let refusal = async || {
            let request = self.bank.http.get(self.bank.url(path)).bearer_auth(token);
            // While its database is gone, it may take its time or close connections.
            let Ok(reply) = self.bank.try_send(request).await else { return false };
            assert_eq!(reply.status, 503, "{:?}", reply.json);
            reply.code() == "history_behind"
        };
        poll(refusal).await;
        for _ in 0..10 {
            refusal().await;
        }
    }

    /// Asks for data until the gateway answers.
    pub async fn answers(&self, token: &str, path: &str) -> GivenAnswer {
        let mut answer = None;
        poll(async || {
            let reply = self.bank.get(token, path).await;
            assert!(matches!(reply.status, 200 | 503), "{:?}", reply.json);
            answer = (reply.status == 200).then(|| GivenAnswer::of(&reply));
            answer.is_some()
        })
        .await;
        answer.unwrap()
    }

    /// An operator recovers on this host. Returns the report.
    pub fn recover(&self) -> String {
        self.command(&["recover", "--reason", "the primary is lost"])
    }

    /// An operator resumes every consent that the recovery has suspended.
    pub fn resume_all(&self) {
        self.command(&["recover", "--resume-all", "--reason", "compared"]);
    }

    fn command(&self, args: &[&str]) -> String {
        let args = [args, &["--operator", "li", "--config", &self.config]].concat();
        let output = tokio::task::block_in_place(|| run(&args));
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

//! PostgreSQL fails over, ten times under load, to a standby that follows asynchronously: there is one history, and each answer
//! has its entry or is reported as lost (I9, docs/RECOVERY.md).
//!
//! Two gateways, each with files of its own as on two hosts, connect through a proxy to the present primary. The standby
//! follows through another one, which is cut before the primary is killed: the last answers, checkpoints and a revocation
//! never arrive. Where nothing may be lost, the standby is synchronous while the primary is killed.

mod evidence;
mod hosts;
mod load;

use std::time::Duration;

use medcredit::consent::Consent;

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on,
    cluster::Cluster,
    proxy::PgProxy,
    store::StoreLocation,
};
use evidence::Evidence;
use hosts::{Host, poll};
use load::Load;

/// Quotas that are never reached.
const SETTINGS: &str = "[limits]\nburst = { quota = 1000000, window_seconds = 1 }\n\
    sustained = { quota = 1000000, window_seconds = 60 }\ndeliveries = { quota = 1000000, window_seconds = 60 }";

/// What happens to the gateways around a failover.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum During {
    /// They run.
    Nothing,
    /// The gateway without load is frozen while the answers are given that are lost: it has seen none of them. Then the other
    /// is frozen until the first was asked for data.
    Frozen,
    /// The gateway with the load is killed together with the primary, and started again later.
    Killed,
}

/// A failover.
struct Round {
    /// The gateways that banks read at. An operator recovers on the host of the first.
    loaded: &'static [usize],
    /// Whether the standby misses the last answers.
    lossy: bool,
    /// Whether a consent is revoked whose revocation is lost.
    revokes: bool,
    during: During,
}

const fn lossless(loaded: &'static [usize]) -> Round {
    Round { loaded, lossy: false, revokes: false, during: During::Nothing }
}

const fn lossy(loaded: &'static [usize], revokes: bool, during: During) -> Round {
    Round { loaded, lossy: true, revokes, during }
}

const ROUNDS: [Round; 10] = [
    lossless(&[0]),
    lossy(&[0], true, During::Nothing),
    lossy(&[1], false, During::Frozen),
    lossless(&[1]),
    lossy(&[0, 1], true, During::Nothing),
    lossy(&[0], true, During::Frozen),
    lossy(&[1], false, During::Killed),
    lossless(&[0, 1]),
    lossy(&[0], true, During::Killed),
    lossy(&[1, 0], false, During::Nothing),
];

/// Two gateways, and two servers that change their parts.
struct Site {
    app: TestApp,
    database: String,
    /// Between the gateways and the primary.
    proxy: PgProxy,
    /// Between the primary and the standby.
    replication: PgProxy,
    primary: Cluster,
    standby: Cluster,
    hosts: [Host; 2],
    /// The consent that is read.
    read: Consent,
    /// Consents that are revoked, one in each round that loses a revocation.
    revocable: Vec<Consent>,
    revoked: Vec<Consent>,
    evidence: Evidence,
}

impl Site {
    async fn start() -> Self {
        let primary = tokio::task::block_in_place(|| Cluster::start_with(""));
        let (proxy, replication) = (PgProxy::to(&primary), PgProxy::to(&primary));
        let store = TestStore::on_cluster_through(&primary, proxy.directory()).await.today();
        let StoreLocation::Postgres { database } = store.location() else { unreachable!() };
        let database = database.clone();
        let app = TestApp::start_with(store, SETTINGS).await;
        let bank = app.bank("Bank A").await;
        let read = app.consent(&bank, |_| {}).await;
        let mut revocable = Vec::new();
        for _ in ROUNDS.iter().filter(|round| round.revokes) {
            revocable.push(app.consent(&bank, |_| {}).await);
        }
        // It only prepares the database; nobody has to wait for what it knows.
        app.app.history.withdraw().await.unwrap();
        let standby = tokio::task::block_in_place(|| primary.standby(replication.directory()));
        let hosts = [Host::start(&app, &bank, "one").await, Host::start(&app, &bank, "two").await];
        let (revoked, evidence) = (Vec::new(), Evidence::default());
        Self { app, database, proxy, replication, primary, standby, hosts, read, revocable, revoked, evidence }
    }

    async fn round(&mut self, round: &Round) {
        let token = self.hosts[0].bank.token().await;
        let epoch = self.evidence.epoch();
        let banks = round.loaded.iter().map(|host| &self.hosts[*host].bank);
        let load = Load::start(banks, &token, &self.read);
        load.more(20).await;
        if round.lossy {
            self.lose(round, &load, &token).await;
        } else {
            self.primary.configure("synchronous_standby_names", "*").await;
            poll(async || self.primary.ask("postgres", SYNC_STATE).await == "sync").await;
            load.more(20).await;
        }
        self.evidence.collect(&self.hosts);
        tokio::task::block_in_place(|| self.primary.stop());
        if round.during == During::Killed {
            self.hosts[round.loaded[0]].kill();
        }
        let answers = load.end().await;
        assert!(answers.iter().all(|answer| answer.epoch == epoch), "a receipt names the epoch of its time");
        self.evidence.answered(&answers, round.lossy);
        if round.during == During::Frozen {
            self.hosts[round.loaded[0]].signal("-STOP");
        }
        tokio::task::block_in_place(|| self.standby.promote());
        self.proxy.lead_to(&self.standby);
        if round.lossy {
            self.recover(round, &token).await;
        }
        self.continues(round).await;
        self.replace_standby(round.lossy).await;
    }

    /// Everything from here on never reaches the standby: answers, at least one checkpoint, and a revocation.
    async fn lose(&mut self, round: &Round, load: &Load, token: &str) {
        let loaded = round.loaded[0];
        if round.during == During::Frozen {
            self.hosts[1 - loaded].signal("-STOP");
        }
        self.replication.cut().await;
        load.more(20).await;
        let before = self.hosts[loaded].covered();
        poll(async || self.hosts[loaded].covered() > before).await;
        if round.revokes {
            let consent = self.revocable.pop().unwrap();
            let path = format!("/v1/consents/{}", consent.id);
            // Again, as a bank does, where a loaded machine has kept the gateway from looking at the changes.
            poll(async || self.hosts[loaded].bank.delete(token, &path).await.status < 300).await;
            self.revoked.push(consent);
        }
        load.more(5).await;
    }

    /// Neither gateway answers; then an operator recovers, and the gateways are started again.
    async fn recover(&mut self, round: &Round, token: &str) {
        let (first, path) = (round.loaded[0], Bank::data(&self.read, "grade"));
        match round.during {
            During::Nothing => {}
            During::Frozen => {
                // It has seen nothing of what was lost, and the one that has does not run: it waits for it.
                self.hosts[1 - first].signal("-CONT");
                self.hosts[1 - first].refuses(token, &path).await;
                self.hosts[first].signal("-CONT");
            }
            During::Killed => {
                self.hosts[1 - first].refuses(token, &path).await;
                self.hosts[first].start_again();
            }
        }
        for host in &self.hosts {
            host.refuses(token, &path).await;
        }
        self.evidence.collect(&self.hosts);
        let reported = self.hosts[first].recover();
        self.evidence.reported(&reported);
        for host in &mut self.hosts {
            // As a supervisor does: the epoch has moved.
            host.has_ended();
            host.spawn();
        }
        self.hosts.iter_mut().for_each(Host::is_serving);
        self.hosts[first].resume_all();
    }

    /// Both gateways answer, from the same history; what was revoked is revoked.
    async fn continues(&mut self, round: &Round) {
        let token = poll_token(&self.hosts[0].bank).await;
        let path = Bank::data(&self.read, "grade");
        for host in &self.hosts {
            let answer = host.answers(&token, &path).await;
            self.evidence.answered(&[answer], false);
            for consent in &self.revoked {
                let path = Bank::data(consent, "grade");
                poll(async || {
                    let reply = host.bank.get(&token, &path).await;
                    // While a loaded machine keeps the gateway from reading changes, it answers nobody.
                    assert!(matches!(reply.refusal(), (403, "consent_not_active") | (503, _)), "{:?}", reply.json);
                    reply.status == 403
                })
                .await;
            }
        }
        self.evidence.collect(&self.hosts);
        assert_eq!(self.evidence.newest_epoch(), self.evidence.epoch() + u32::from(round.lossy));
    }

    /// The standby is the primary now. What the former primary had is read, and another standby made.
    async fn replace_standby(&mut self, ended: bool) {
        self.replication.lead_to(&self.standby);
        let next = tokio::task::block_in_place(|| self.standby.standby(self.replication.directory()));
        let primary = std::mem::replace(&mut self.standby, next);
        let former = std::mem::replace(&mut self.primary, primary);
        if ended {
            tokio::task::block_in_place(|| former.start_again());
            self.evidence.ended(&former.url(&self.database)).await;
        }
        poll(async || self.primary.ask("postgres", STATE).await == "streaming").await;
    }
}

const SYNC_STATE: &str = "SELECT coalesce(max(sync_state), '') FROM pg_stat_replication";
const STATE: &str = "SELECT coalesce(max(state), '') FROM pg_stat_replication";

/// Gets a token, as soon as the gateway knows its state.
async fn poll_token(bank: &Bank) -> String {
    poll(async || bank.form("/oauth2/token", &[("grant_type", "client_credentials")]).await.status == 200).await;
    bank.token().await
}

#[test]
fn ten_failovers_under_load_leave_one_history_and_no_answer_unaccounted_for() {
    // A bank reads at two gateways while their database fails over.
    block_on(async {
        let started_at = tokio::time::Instant::now();
        let mut site = Site::start().await;
        for (number, round) in ROUNDS.iter().enumerate() {
            let limit = Duration::from_secs(60);
            tokio::time::timeout(limit, site.round(round)).await.unwrap_or_else(|_| panic!("round {number} hangs"));
            eprintln!("round {number}: {:?}", started_at.elapsed());
        }
        let Site { app, primary, hosts, revoked, evidence, database, .. } = site;
        for host in hosts {
            host.stop();
        }
        evidence.must_be_one_history(&app, &primary.url(&database), &revoked).await;
    });
}

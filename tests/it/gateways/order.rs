//! The order of commits decides (I2), whichever process reads and whichever revokes.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use futures_util::future::join_all;
use medcredit::{
    consent::{Consent, Consents},
    ledger::Faults,
};

use super::UNLIMITED;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on, order, process,
    second_gateway::SecondGateway,
};

/// Consents of a bank that are read concurrently.
const WAVE: usize = 5;
/// So many times.
const WAVES: usize = 10;
/// Readers of each consent.
const READERS: usize = 6;

/// A consent that is read until it is revoked.
struct Read {
    consent: Consent,
    /// Answers so far, and from how many on it is revoked.
    answers: AtomicUsize,
    revoke_from: usize,
    reached: tokio::sync::Notify,
    /// The revocation has been acknowledged.
    revoked: AtomicBool,
}

/// Who revokes.
#[derive(Debug, Clone, Copy)]
enum Revoker {
    /// The bank, at this gateway, over its API.
    BankAt(usize),
    /// An operator, with connections of his own.
    Operator,
    /// `medcredit consent revoke` in a process of its own.
    CommandLine,
}

const REVOKERS: [Revoker; WAVE] =
    [Revoker::BankAt(0), Revoker::BankAt(1), Revoker::Operator, Revoker::CommandLine, Revoker::Operator];

/// Reads until refused; only a request sent before the revocation was acknowledged may be answered.
async fn read_on(bank: &Bank, token: &str, read: &Read) -> usize {
    let path = Bank::data(&read.consent, "grade");
    let mut answered = 0;
    loop {
        let revoked = read.revoked.load(Ordering::SeqCst);
        let reply = bank.get(token, &path).await;
        match reply.refusal() {
            (200, _) => {
                assert!(!revoked, "answered after the revocation was acknowledged");
                answered += 1;
                if read.answers.fetch_add(1, Ordering::SeqCst) + 1 == read.revoke_from {
                    read.reached.notify_one();
                }
            }
            // The versions changed twice while the answer was made: the next request decides.
            (503, "state_moving") => {}
            (403, "consent_not_active") => return answered,
            _ => panic!("{}: {:?}", reply.status, reply.json),
        }
    }
}

struct Several {
    app: TestApp,
    /// The origins banks connect to: twice the same when there is one gateway.
    origins: [String; 2],
    elsewhere: Consents,
    config: String,
}

impl Several {
    async fn revoke(&self, who: Revoker, bank: &Bank, token: &str, read: &Read) {
        read.reached.notified().await;
        let id = read.consent.id.to_string();
        match who {
            Revoker::BankAt(gateway) => {
                let reply = bank.at(&self.origins[gateway]).delete(token, &format!("/v1/consents/{id}")).await;
                assert!(reply.status < 300, "{:?}", reply.json);
            }
            Revoker::Operator => {
                self.elsewhere.revoke(&id, None, &crate::support::decided_by("tester")).await.unwrap();
            }
            Revoker::CommandLine => {
                let config = self.config.clone();
                let run = move || process::run(&["--config", &config, "consent", "revoke", &id]);
                let output = tokio::task::spawn_blocking(run).await.unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            }
        }
        read.revoked.store(true, Ordering::SeqCst);
    }

    /// Reads and revocations on all, and every way of revoking. Returns how many answers there were.
    async fn wave(&self, banks: &[(Bank, String)], wave: usize) -> usize {
        let mut reads = Vec::new();
        for (bank, token) in banks {
            for (number, revoker) in REVOKERS.into_iter().enumerate() {
                let consent = self.app.consent(bank, |_| {}).await;
                // After more and fewer answers, so that the two meet at every distance.
                let revoke_from = 1 + (wave * 7 + number * 11) % 61;
                let (answers, reached) = (AtomicUsize::new(0), tokio::sync::Notify::new());
                reads.push((
                    bank,
                    token,
                    revoker,
                    Read { consent, answers, revoke_from, reached, revoked: AtomicBool::new(false) },
                ));
            }
        }
        let reading = join_all(reads.iter().map(async |(bank, token, _, read)| {
            let readers =
                (0..READERS).map(async |reader| read_on(&bank.at(&self.origins[reader % 2]), token, read).await);
            let answered: usize = join_all(readers).await.into_iter().sum();
            let recorded = order::recorded_under(&self.app.store.db, &read.consent.id.to_string()).await;
            assert_eq!(i64::try_from(answered), Ok(recorded), "answers, and records under their consent");
            answered
        }));
        let revoking =
            join_all(reads.iter().map(|(bank, token, revoker, read)| self.revoke(*revoker, bank, token, read)));
        tokio::join!(reading, revoking).0.into_iter().sum()
    }
}

async fn read_and_revoke(app: TestApp, second: Option<&SecondGateway>) {
    let kinds = Arc::new(medcredit::domain::Kinds::built_in().unwrap());
    let policy = medcredit::app::consent_policy(&app.app.config);
    let (clock, entropy) = (app.store.clock.clone(), app.store.entropy.clone());
    let elsewhere = Consents::open(medcredit::store::Env::new(app.store.reopen().await, clock, entropy), kinds, policy);
    let origins = [app.origin.clone(), second.map_or(&app.origin, |second| &second.origin).clone()];
    let config = app.config_file("command-line");
    let mut banks = Vec::new();
    for name in ["Bank A", "Bank B"] {
        let bank = app.bank(name).await;
        let token = bank.token().await;
        banks.push((bank, token));
    }
    if let Some(second) = second {
        // The banks were registered after it was started; it learns of everything that follows only from the database.
        second.app.catch_up().await.unwrap();
    }
    let several = Several { app, origins, elsewhere, config };
    let mut answered = 0;
    for wave in 0..WAVES {
        answered += several.wave(&banks, wave).await;
    }
    let disclosures = order::revocations_come_last(&several.app.store).await;
    assert_eq!(i64::try_from(answered), Ok(disclosures), "answers, and records of them");
    assert!(answered > 20 * WAVE * WAVES, "{answered} answers: hardly anything met");
    eprintln!("{answered} answers, {} revocations", banks.len() * WAVE * WAVES);
}

#[test]
fn on_two_gateways_every_disclosure_is_committed_before_its_revocation() {
    // Two banks at two gateways, an operator and a command line.
    block_on(async {
        let app = TestApp::start_with(TestStore::postgres().await.today(), UNLIMITED).await;
        // The second has everything that runs beside; the first learns of changes only by having its records refused.
        let beside = app.second_gateway("second", Faults::default()).await;
        read_and_revoke(app, Some(&beside)).await;
        beside.stop().await;
    });
}

#[test]
fn on_one_file_every_disclosure_is_committed_before_its_revocation() {
    // Two banks at one gateway, an operator and a command line on the same SQLite files.
    block_on(async {
        read_and_revoke(TestApp::start_with(TestStore::sqlite().await.today(), UNLIMITED).await, None).await;
    });
}

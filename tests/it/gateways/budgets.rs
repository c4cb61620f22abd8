//! Budgets are exact on two gateways.

use std::time::Duration;

use futures_util::future::join_all;
use medcredit::ledger::Faults;

use super::UNLIMITED;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on, order,
    second_gateway::SecondGateway,
};

struct Two {
    app: TestApp,
    beside: SecondGateway,
    bank: Bank,
}

impl Two {
    async fn new() -> Self {
        let app = TestApp::start_with(TestStore::postgres().await, UNLIMITED).await;
        let bank = app.bank("Bank A").await;
        let beside = app.second_gateway("second", Faults::default()).await;
        Self { app, beside, bank }
    }

    /// Advances the clock and lets both gateways read all changes.
    async fn advance(&self, by: Duration) {
        self.app.advance(by).await;
        self.beside.app.catch_up().await.unwrap();
    }

    /// Sends `count` requests concurrently, half to each gateway. Returns how many are answered, and the codes of the
    /// others.
    async fn concurrently(&self, token: &str, path: &str, count: usize) -> (usize, Vec<String>) {
        let banks = [self.bank.clone(), self.bank.at(&self.beside.origin)];
        let replies = join_all((0..count).map(|at| banks[at % 2].get(token, path))).await;
        let (answers, refusals): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
        let mut codes: Vec<_> = refusals.iter().map(|reply| format!("{} {}", reply.status, reply.code())).collect();
        codes.sort_unstable();
        codes.dedup();
        (answers.len(), codes)
    }
}

#[test]
fn a_consent_for_forty_fetches_gives_forty() {
    // A bank that sends 120 requests in parallel to two gateways (C10).
    block_on(async {
        let two = Two::new().await;
        let consent = two.app.consent(&two.bank, |wish| wish.max_fetches = Some(40)).await;
        let token = two.bank.token().await;
        let path = Bank::data(&consent, "grade");
        let (answered, codes) = two.concurrently(&token, &path, 120).await;
        assert_eq!((answered, codes), (40, vec!["429 consent_used_up".to_owned()]));
        let (db, id) = (&two.app.store.db, consent.id.to_string());
        assert_eq!((order::recorded_under(db, &id).await, order::used(db, &id).await), (40, 40));
        two.beside.stop().await;
    });
}

#[test]
fn a_budget_of_a_day_is_exact_across_midnight() {
    // A bank that may fetch 15 times a day asks 60 times before midnight, while it strikes, and after.
    block_on(async {
        let two = Two::new().await;
        let consent = two.app.consent(&two.bank, |wish| wish.daily_budget = Some(15)).await;
        let (path, id) = (Bank::data(&consent, "grade"), consent.id.to_string());
        let used_up = vec!["429 consent_daily_budget_used_up".to_owned()];
        // 09:00 in the city; then a minute to midnight, when some are left.
        let (answered, _) = two.concurrently(&two.bank.token().await, &path, 10).await;
        assert_eq!(answered, 10);
        two.advance(Duration::from_secs(15 * 3600 - 60)).await;
        let token = two.bank.token().await;
        let strikes = async {
            // Lets the requests begin before the clock moves.
            tokio::task::yield_now().await;
            two.advance(Duration::from_secs(61)).await;
        };
        let ((struck, _), ()) = tokio::join!(two.concurrently(&token, &path, 60), strikes);
        assert!(struck <= 5 + 15, "{struck} answers, but 5 of the old day and 15 of the new one were left");
        let (rest, codes) = two.concurrently(&token, &path, 60).await;
        assert_eq!(codes, used_up);
        let db = &two.app.store.db;
        let (used, used_today): (i64, i64) =
            db.read("test").fetch_one("SELECT used, used_today FROM consent_use", vec![]).await.unwrap();
        assert_eq!(used_today, 15, "the new day's budget is used to the last");
        assert_eq!(usize::try_from(used), Ok(10 + struck + rest));
        assert_eq!(order::recorded_under(db, &id).await, used);
        // And once more on the day after, to the last.
        two.advance(Duration::from_secs(86_400)).await;
        let (answered, codes) = two.concurrently(&two.bank.token().await, &path, 60).await;
        assert_eq!((answered, codes), (15, used_up));
        two.beside.stop().await;
    });
}

//! The journal of answers outside the database: no answer leaves without its name in it, and it shows what a database lacks.

use medcredit::{app::App, ledger::HistoryState, store::Env};

use super::fixture::{GatewayFixture, LedgerCounts, holds_no_data, is_an_answer};
use crate::{
    ledger::vandal::turn_back,
    support::{TestStore, app::Bank, both_engines},
};

both_engines! {
    an_answer_without_its_name_in_the_journal_is_not_released,
    the_next_process_of_a_host_misses_an_answer_that_nobody_had_sealed,
}

/// A bank reads while the journal cannot be written: the answer is recorded and not released. It names the answers that are.
async fn an_answer_without_its_name_in_the_journal_is_not_released(store: TestStore) {
    let fixture = GatewayFixture::new(store).await;
    let uncounted = fixture.app.consent(&fixture.bank, |_| {}).await;
    let journal = fixture.app.path("checkpoint.answers.1");
    std::fs::create_dir(&journal).unwrap();
    let before = fixture.counts().await;
    let refused = fixture.read().await;
    assert_eq!(refused.refusal(), (503, "ledger_unavailable"), "{:?}", refused.json);
    holds_no_data(&refused);
    assert_eq!(fixture.counts().await.since(before), LedgerCounts::RECORD);
    let problem = fixture.app.app.recorder.problem().expect("the gateway is not ready");
    assert!(problem.contains("the journal of answers"), "{problem}");
    std::fs::remove_dir(&journal).unwrap();
    let mut expected = String::new();
    for consent in [&fixture.consent, &uncounted] {
        let answer = fixture.bank.get(fixture.token(), &Bank::data(consent, "grade")).await;
        is_an_answer(&answer);
        let id = answer.json["disclosure"].as_str().unwrap();
        expected.push_str(&format!("{id} {} {}\n", fixture.bank.id, consent.id));
    }
    assert_eq!(std::fs::read_to_string(&journal).unwrap(), expected);
    assert_eq!(fixture.app.app.recorder.problem(), None, "and ready again");
}

/// A gateway ends, and its database is replaced by one that lacks its last answer, of which no checkpoint speaks.
async fn the_next_process_of_a_host_misses_an_answer_that_nobody_had_sealed(store: TestStore) {
    let fixture = GatewayFixture::new(store).await;
    is_an_answer(&fixture.read().await);
    while fixture.app.app.sealer.seal_once().await.unwrap().is_some() {}
    let restarted = async || {
        let env = Env { db: fixture.app.store.reopen().await, ..fixture.app.store.env() };
        let app = App::open(fixture.app.app.config.clone(), env).await.unwrap();
        HistoryState::clone(&app.history.history().state())
    };
    assert_eq!(restarted().await, HistoryState::Current);
    let sealed = fixture.leaves().await;
    let answer = fixture.read().await;
    is_an_answer(&answer);
    turn_back(&fixture.app.store, u64::try_from(sealed).unwrap()).await;
    let lost = answer.json["disclosure"].as_str().unwrap().to_owned();
    assert_eq!(restarted().await, HistoryState::EntryMissing(lost));
}

//! Budgets are counted in the append, so they are exact on any number of gateways.

use std::{sync::Arc, time::Duration};

use medcredit::ledger::{Budget, BudgetUse, RecordError};

use super::fixture::LedgerFixture;
use crate::support::{TestStore, both_engines};

both_engines! {
    a_budget_is_exact_under_concurrency_on_two_gateways,
    a_refused_answer_uses_no_budget,
    a_past_day_is_never_counted_again,
}

/// 64 concurrent requests of one bank on two gateways, with a consent for 20 fetches, 10 a day: exactly so many are answered.
async fn a_budget_is_exact_under_concurrency_on_two_gateways(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    let gateways = [fixture.recorder(), fixture.recorder_with(fixture.store.reopen().await, Default::default())];
    let ask = async |day| {
        let tasks: Vec<_> = (0..64)
            .map(|at| {
                let (recorder, fixture) = (gateways[at % 2].clone(), fixture.clone());
                tokio::spawn(async move {
                    let mut draft = fixture.draft();
                    draft.budget = Budget { max_fetches: Some(20), per_day: Some(10), day };
                    recorder.record(draft).await.map(|_| ())
                })
            })
            .collect();
        let (mut answered, mut day_used, mut used_up) = (0, 0, 0);
        for task in tasks {
            match task.await.unwrap() {
                Ok(()) => answered += 1,
                Err(RecordError::DayUsedUp(_)) => day_used += 1,
                Err(RecordError::TotalUsedUp(_)) => used_up += 1,
                Err(other) => panic!("{other}"),
            }
        }
        (answered, day_used, used_up)
    };
    let today = fixture.today();
    assert_eq!(ask(today).await, (10, 54, 0));
    assert_eq!(fixture.entries().await, 10);
    fixture.store.clock.advance(Duration::from_secs(86_400));
    let tomorrow = fixture.today();
    let (answered, day_used, used_up) = ask(tomorrow).await;
    assert_eq!((answered, day_used + used_up), (10, 54));
    assert_eq!(fixture.entries().await, 20);
    assert_eq!(ask(tomorrow.plus_days(1)).await, (0, 0, 64));
    let used: (i64, String, i64) =
        fixture.store.db.read("test").fetch_one("SELECT used, day, used_today FROM consent_use", vec![]).await.unwrap();
    assert_eq!(used, (20, tomorrow.to_string(), 10));
}

/// A refused answer is not counted. One without a limit is, and the limit of an amendment counts it.
async fn a_refused_answer_uses_no_budget(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let limited = |change: fn(&mut medcredit::ledger::Draft)| {
        let mut draft = fixture.draft();
        draft.budget.max_fetches = Some(2);
        change(&mut draft);
        draft
    };
    assert_eq!(
        recorder.record(limited(|draft| draft.versions.consent_version = 1)).await.unwrap_err(),
        RecordError::Stale
    );
    assert_eq!(fixture.count("SELECT CAST(count(*) AS BIGINT) FROM consent_use").await, 0);
    recorder.record(fixture.draft()).await.unwrap();
    assert_eq!(fixture.count("SELECT CAST(sum(used) AS BIGINT) FROM consent_use").await, 1);
    recorder.record(limited(|_| {})).await.unwrap();
    assert!(matches!(recorder.record(limited(|_| {})).await.unwrap_err(), RecordError::TotalUsedUp(_)));
    assert_eq!(fixture.entries().await, 2);
}

/// An answer rendered before midnight and committed after one of the new day counts on the new day.
async fn a_past_day_is_never_counted_again(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let recorder = fixture.recorder();
    let on = |day| {
        let mut draft = fixture.draft();
        draft.budget = Budget { max_fetches: None, per_day: Some(2), day };
        draft
    };
    let (today, tomorrow) = (fixture.today(), fixture.today().plus_days(1));
    recorder.record(on(today)).await.unwrap();
    recorder.record(on(tomorrow)).await.unwrap();
    recorder.record(on(today)).await.unwrap();
    for day in [today, tomorrow] {
        let error = recorder.record(on(day)).await.unwrap_err();
        // The error names the day that is counted now, not the day on which the answer was rendered.
        let budget = Budget { max_fetches: None, per_day: Some(2), day: tomorrow };
        assert_eq!(error, RecordError::DayUsedUp(BudgetUse { budget, used: 3, used_today: 2 }));
    }
}

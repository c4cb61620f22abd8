//! Budgets are counted in the append: exact on any number of gateways.

use std::{sync::Arc, time::Duration};

use medcredit::ledger::{Budget, BudgetUse, RecordError};

use super::world::World;
use crate::support::{TestStore, both_engines};

both_engines! {
    a_budget_is_exact_under_concurrency_on_two_gateways,
    what_is_refused_uses_nothing_up,
    a_day_that_is_over_is_not_opened_again,
}

/// 64 requests of one bank at once on two gateways, with a consent for 20 fetches, 10 a day: exactly so many are answered.
async fn a_budget_is_exact_under_concurrency_on_two_gateways(store: TestStore) {
    let world = Arc::new(World::new(store).await);
    let gateways = [world.recorder(), world.recorder_with(world.store.reopen().await, Default::default())];
    let ask = async |day| {
        let tasks: Vec<_> = (0..64)
            .map(|at| {
                let (recorder, world) = (gateways[at % 2].clone(), world.clone());
                tokio::spawn(async move {
                    let mut draft = world.draft();
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
    let today = world.today();
    assert_eq!(ask(today).await, (10, 54, 0));
    assert_eq!(world.entries().await, 10);
    world.store.clock.advance(Duration::from_secs(86_400));
    let tomorrow = world.today();
    let (answered, day_used, used_up) = ask(tomorrow).await;
    assert_eq!((answered, day_used + used_up), (10, 54));
    assert_eq!(world.entries().await, 20);
    assert_eq!(ask(tomorrow.plus_days(1)).await, (0, 0, 64));
    let used: (i64, String, i64) =
        world.store.db.read("test").fetch_one("SELECT used, day, used_today FROM consent_use", vec![]).await.unwrap();
    assert_eq!(used, (20, tomorrow.to_string(), 10));
}

/// A refused answer of a bank uses nothing up, and a consent without limits is not counted.
async fn what_is_refused_uses_nothing_up(store: TestStore) {
    let world = World::new(store).await;
    let recorder = world.recorder();
    let limited = |change: fn(&mut medcredit::ledger::Draft)| {
        let mut draft = world.draft();
        draft.budget.max_fetches = Some(1);
        change(&mut draft);
        draft
    };
    assert_eq!(
        recorder.record(limited(|draft| draft.heads.consent_version = 1)).await.unwrap_err(),
        RecordError::Stale
    );
    assert_eq!(world.count("SELECT CAST(count(*) AS BIGINT) FROM consent_use").await, 0);
    recorder.record(world.draft()).await.unwrap();
    assert_eq!(world.count("SELECT CAST(count(*) AS BIGINT) FROM consent_use").await, 0);
    recorder.record(limited(|_| {})).await.unwrap();
    assert!(matches!(recorder.record(limited(|_| {})).await.unwrap_err(), RecordError::TotalUsedUp(_)));
    assert_eq!(world.entries().await, 2);
}

/// An answer rendered before midnight that is committed after one of the new day does not open the old day again.
async fn a_day_that_is_over_is_not_opened_again(store: TestStore) {
    let world = World::new(store).await;
    let recorder = world.recorder();
    let on = |day| {
        let mut draft = world.draft();
        draft.budget = Budget { max_fetches: None, per_day: Some(2), day };
        draft
    };
    let (today, tomorrow) = (world.today(), world.today().plus_days(1));
    recorder.record(on(today)).await.unwrap();
    recorder.record(on(tomorrow)).await.unwrap();
    recorder.record(on(today)).await.unwrap();
    for day in [today, tomorrow] {
        let error = recorder.record(on(day)).await.unwrap_err();
        // Told as of the day on which is counted now, whichever the answer was rendered on.
        let budget = Budget { max_fetches: None, per_day: Some(2), day: tomorrow };
        assert_eq!(error, RecordError::DayUsedUp(BudgetUse { budget, used: 3, used_today: 2 }));
    }
}

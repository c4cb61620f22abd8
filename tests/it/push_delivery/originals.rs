//! What a platform says that it lacks is sent to it as new, and what it may no longer have is withdrawn, without a person.

use std::sync::Arc;

use medcredit::push::{carrier::RejectReason, delivery::Deliveries, making::NotSent, platform::Operation};

use super::{City, MUNICIPAL, PUBLIC, deliveries};
use crate::{
    grading::line,
    push::platform as shipped,
    support::{TestStore, both_engines, tester},
};

const CODE: &str = "H33030200011";

const HOUR: std::time::Duration = std::time::Duration::from_hours(1);

both_engines! {
    a_change_to_a_record_that_the_platform_lacks_is_sent_as_a_new_one,
    a_kind_that_the_file_no_longer_names_is_withdrawn_and_comes_back_with_it,
    a_page_that_waits_does_not_leave_once_its_kind_is_not_named,
}

async fn a_change_to_a_record_that_the_platform_lacks_is_sent_as_a_new_one(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    let record = city.record(CODE);
    // Somebody there deletes it.
    city.municipal.change(|held| drop(held.remove(&record)));
    city.bureau.import(2, &[line(CODE, "market_penalty", 1, "2025-12-12")], true).await;
    let correction = medcredit::grading::Correction { subject: CODE, run: None, reason: "late", actor: tester() };
    assert!(city.bureau.rounds.correct(correction).await.unwrap().changed);
    city.settle().await;
    let rejected = city.deliveries.rejected(MUNICIPAL).await.unwrap();
    let reasons: Vec<_> = rejected.iter().map(|row| (row.operation.as_str(), row.reason.as_str())).collect();
    assert_eq!(reasons, [("U", RejectReason::NoOriginal.code())]);
    // Nobody does anything about it.
    city.settle().await;
    let row = city.municipal.row(&record).unwrap();
    assert_eq!((row.version, row.operation), (3, Operation::Insert));
    assert!(city.deliveries.rejected(MUNICIPAL).await.unwrap().is_empty());
    assert_eq!(city.public.row(&record).unwrap().version, 2, "the other platform gets nothing more");
    let state = city.deliveries.state(MUNICIPAL).await.unwrap();
    assert!(state.packages.iter().all(|package| package.state == "closed"), "{state:?}");
}

/// The gateway after its file of the municipal platform names the kind, or no longer does.
fn with_kind(city: &City, named: bool) -> Arc<Deliveries> {
    let mut platform = shipped(MUNICIPAL);
    if !named {
        platform.kinds.retain(|kind| kind != "medical_institution");
    }
    deliveries(&city.bureau, &[(platform, city.municipal.clone())])
}

async fn settle(of: &Arc<Deliveries>) -> Vec<(u64, u64, u64)> {
    let lock = of.maker().lock().await.unwrap().unwrap();
    let due = of.make_due(&[MUNICIPAL], tester()).await.unwrap();
    assert!(due.failed.is_empty(), "{due:?}");
    lock.release().await.unwrap();
    of.deliver(MUNICIPAL, &|| false, &|_| {}).await.unwrap();
    of.read_answers(MUNICIPAL, true).await.unwrap();
    of.release().await.unwrap();
    let grades = due.made.iter().filter(|made| made.plan.run.is_some() && made.package.is_some());
    grades.map(|made| (made.plan.new, made.plan.changed, made.plan.withdrawn)).collect()
}

async fn a_kind_that_the_file_no_longer_names_is_withdrawn_and_comes_back_with_it(store: TestStore) {
    let city = City::with(store).await;
    city.settle().await;
    city.deliveries.release().await.unwrap();
    let grades = || city.municipal.shows().keys().filter(|record| record.starts_with("wenzhou")).count();
    let before = u64::try_from(grades()).unwrap();
    assert!(before > 20);
    assert_eq!(settle(&with_kind(&city, false)).await, [], "another gateway may still have the former file");
    city.advance(HOUR);
    assert_eq!(settle(&with_kind(&city, false)).await, [(0, 0, before)]);
    assert_eq!(grades(), 0);
    assert_eq!(settle(&with_kind(&city, false)).await, [], "once");
    assert_eq!(settle(&with_kind(&city, true)).await, [], "the former file undoes nothing that was just done");
    city.advance(HOUR);
    assert_eq!(settle(&with_kind(&city, true)).await, [(before, 0, 0)]);
    assert_eq!(settle(&with_kind(&city, true)).await, []);
    assert_eq!(u64::try_from(grades()).unwrap(), before);
    city.advance(HOUR);
    assert_eq!(settle(&with_kind(&city, false)).await, [(0, 0, before)], "and a second time");
    assert_eq!(with_kind(&city, false).reconcile(MUNICIPAL).await.unwrap().different, 0);
    // A platform that never had the kind has nothing to withdraw.
    let run = medcredit::push::making::GradesOf {
        platform: &{
            let mut platform = shipped(PUBLIC);
            platform.id = "another".into();
            platform.kinds.retain(|kind| kind != "medical_institution");
            platform
        },
        run: &city.run,
        scope: &medcredit::push::making::Scope::All,
    };
    let refused = city.deliveries.maker().plan_grades(run).await.unwrap_err().to_string();
    assert!(refused.contains("may not have grades of medical_institution"), "{refused}");
}

async fn a_page_that_waits_does_not_leave_once_its_kind_is_not_named(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    let now = with_kind(&city, false);
    let delivered = now.deliver(MUNICIPAL, &|| false, &|_| {}).await.unwrap();
    assert!(delivered.withheld > 20, "{delivered:?}");
    assert_eq!(city.municipal.shows().keys().filter(|record| record.starts_with("wenzhou")).count(), 0);
    // Named again before anything was withdrawn: what was withheld is sent after all.
    now.release().await.unwrap();
    assert_eq!(settle(&with_kind(&city, true)).await, []);
    city.advance(HOUR);
    assert_eq!(settle(&with_kind(&city, true)).await, [(delivered.withheld, 0, 0)]);
    let found = city.bureau.db().read("test");
    let sql = "SELECT COUNT(*) FROM push_rows WHERE platform = $1 AND reason = $2 AND state = 'withheld'";
    let values = vec![
        medcredit::store::Arg::Text(MUNICIPAL.into()),
        medcredit::store::Arg::Text(NotSent::KindNotNamed.to_string()),
    ];
    let withheld = found.fetch_one::<(i64,)>(sql, values).await.unwrap().0;
    assert_eq!(u64::try_from(withheld).unwrap(), delivered.withheld);
}

//! Platforms that fail, and gateways that stop in the midst.

use std::time::Duration;

use super::{City, Fault, MUNICIPAL, PUBLIC, entries};
use crate::support::{TestStore, both_engines, tester};

both_engines! {
    a_platform_that_fails_is_left_alone_and_probed,
    a_page_that_is_refused_for_good_waits_for_an_operator,
    a_paused_platform_gets_nothing,
    another_gateway_continues_when_the_first_is_gone,
    what_was_being_made_when_the_process_ended_is_made_again,
    a_package_without_an_answer_becomes_overdue,
}

async fn a_platform_that_fails_is_left_alone_and_probed(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    city.public.fails([Fault::Refuse; 100]);
    // One lane, so that one page is tried: three failures in succession, by the schedule of retries.
    for wait in [0, 10, 400] {
        city.advance(Duration::from_secs(wait));
        city.pass(PUBLIC).await;
    }
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.state, state.last_error.as_deref()), ("stopped", Some("nothing listens")));
    let attempts = city.public.attempts();
    city.pass(PUBLIC).await;
    assert_eq!(city.public.attempts(), attempts, "nothing is sent while the breaker is open");
    // The other platform is not concerned.
    assert_eq!(city.pass(MUNICIPAL).await.0.failed, 0);
    city.public.fails([]);
    assert!(city.deliveries.resume(PUBLIC, tester()).await.unwrap());
    city.advance(Duration::from_hours(3));
    city.pass(PUBLIC).await;
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.state, state.accepted), ("working", 30));
}

async fn a_page_that_is_refused_for_good_waits_for_an_operator(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    city.public.fails([Fault::Final]);
    let (delivered, _) = city.pass(PUBLIC).await;
    assert_eq!(delivered.dead, 1);
    let dead = city.deliveries.dead_pages(PUBLIC).await.unwrap();
    assert_eq!((dead.len(), dead[0].rows, dead[0].because.as_str()), (1, 30, "422: refused"));
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.packages[0].pages_dead, state.packages[0].state.as_str()), (1, "open"));
    assert_eq!(city.deliveries.redrive(PUBLIC, tester()).await.unwrap(), 1);
    assert_eq!(city.deliveries.redrive(PUBLIC, tester()).await.unwrap(), 0);
    city.pass(PUBLIC).await;
    assert_eq!((city.public.shows().len(), entries(&city.bureau, "page_redriven").await), (30, 1));
}

async fn a_paused_platform_gets_nothing(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    assert!(city.deliveries.pause(PUBLIC, "平台维护", tester()).await.unwrap().is_some());
    assert!(city.deliveries.pause(PUBLIC, "again", tester()).await.unwrap().is_none());
    let (delivered, _) = city.pass(PUBLIC).await;
    assert!(delivered.is_stopped && city.public.attempts() == 0);
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.state, state.paused.as_deref()), ("paused", Some("by tester: 平台维护")));
    assert!(city.deliveries.resume(PUBLIC, tester()).await.unwrap());
    city.pass(PUBLIC).await;
    assert_eq!(city.public.shows().len(), 30);
    let counted = (entries(&city.bureau, "platform_paused").await, entries(&city.bureau, "platform_resumed").await);
    assert_eq!(counted, (1, 1));
}

async fn another_gateway_continues_when_the_first_is_gone(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    // It has the platform and a page under way when it is killed.
    city.public.fails([Fault::Refuse]);
    city.pass(PUBLIC).await;
    city.advance(Duration::from_secs(10));
    let lease = "UPDATE outbox_items SET state = 'leased', lease_owner = 'gone', lease_until_at = due_at + 3600000000
                 WHERE target = 'platform:' || $1";
    city.bureau.set(PUBLIC, lease).await;
    let other = city.another();
    let pass = async |seconds| {
        city.advance(Duration::from_secs(seconds));
        other.deliver(PUBLIC, &|| false, &|_| {}).await.unwrap()
    };
    assert!(!pass(1).await.is_leased, "one gateway at a time");
    let taken = pass(120).await;
    assert!(taken.is_leased && taken.rows == 30, "{taken:?}: its pages are begun again immediately");
    other.read_answers(PUBLIC, true).await.unwrap();
    assert_eq!(city.public.shows().len(), 30);
    // The first comes back, and finds that it has the platform no longer.
    let (back, _) = city.pass(PUBLIC).await;
    assert!(!back.is_leased);
    other.release().await.unwrap();
    assert!(city.pass(PUBLIC).await.0.is_leased, "given back");
}

async fn what_was_being_made_when_the_process_ended_is_made_again(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    // As if the process had been killed before it froze the package of one platform.
    let undo = "UPDATE push_packages SET state = 'building', number = 0 WHERE platform = $1";
    city.bureau.set(PUBLIC, undo).await;
    for sql in [
        "UPDATE push_pages SET item_id = NULL WHERE package_id IN (SELECT id FROM push_packages WHERE platform = $1)",
        "DELETE FROM outbox_items WHERE target = 'platform:' || $1",
        "DELETE FROM push_scheduled WHERE platform = $1",
    ] {
        city.bureau.set(PUBLIC, sql).await;
    }
    city.pass(PUBLIC).await;
    assert_eq!(city.public.attempts(), 0, "nothing of it leaves");
    let made = city.make().await;
    assert_eq!((made.len(), made[0].package.as_ref().unwrap().number, made[0].plan.new), (1, 1, 30));
    city.pass(PUBLIC).await;
    assert_eq!(city.public.shows().len(), 30);
}

async fn a_package_without_an_answer_becomes_overdue(store: TestStore) {
    let city = City::with(store).await;
    city.public.is_silent(true);
    city.settle().await;
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.waiting, state.packages[0].sent, state.packages[0].is_overdue), (30, 30, false));
    city.advance(Duration::from_hours(24 * 16));
    assert!(city.deliveries.state(PUBLIC).await.unwrap().packages[0].is_overdue);
    city.public.is_silent(false);
    city.pass(PUBLIC).await;
    let state = city.deliveries.state(PUBLIC).await.unwrap();
    assert_eq!((state.waiting, state.packages[0].state.as_str()), (0, "closed"));
}

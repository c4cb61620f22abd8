//! A platform that reports its receipts itself is asked for none.

use std::time::Duration;

use medcredit::{domain::Actor, push::platform::Receipts};
use serde_json::{Value, json};

use super::{City, Fault, PUBLIC, deliveries, entries};
use crate::{
    push::platform as shipped,
    support::{TestStore, both_engines},
};

both_engines! {
    a_platform_that_calls_back_is_asked_for_nothing,
}

async fn a_platform_that_calls_back_is_asked_for_nothing(store: TestStore) {
    let city = City::with(store).await;
    city.make().await;
    let mut platform = shipped(PUBLIC);
    platform.receipts = Receipts::CalledBack;
    let process = deliveries(&city.bureau, &[(platform, city.public.clone())]);
    // The platform takes the page, and its answer is lost: the page will be delivered again.
    city.public.fails([Fault::LoseAnswer]);
    assert_eq!(process.deliver(PUBLIC, &|| false, &|_| {}).await.unwrap().failed, 1);
    let answered = process.read_answers(PUBLIC, true).await.unwrap();
    assert_eq!((answered.accepted, answered.failed.len()), (0, 0), "what it lists is not read");
    let records: Vec<String> = city.public.shows().into_keys().collect();
    let receipts: Vec<Value> =
        records.iter().map(|record| json!({ "record_id": record, "version": 1, "verdict": "accepted" })).collect();
    let actor = Actor::system();
    let done = process.called_back(PUBLIC, 1, &receipts, &actor).await.unwrap();
    assert_eq!((done.accepted, done.is_closed), (30, false), "its page is still under way");
    city.advance(Duration::from_hours(1));
    assert_eq!(process.deliver(PUBLIC, &|| false, &|_| {}).await.unwrap().pages, 1);
    assert_eq!(process.read_answers(PUBLIC, true).await.unwrap().closed, 1, "and now nothing is open");
    assert!(process.called_back(PUBLIC, 1, &receipts, &actor).await.unwrap().is_closed);
    assert_eq!(entries(&city.bureau, "receipts_reported").await, 1, "the repeated call changed nothing");
}

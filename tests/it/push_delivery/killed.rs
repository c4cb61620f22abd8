//! A gateway that is killed again and again in the midst of a package: each row arrives, in effect once, in order.

use std::time::Duration;

use medcredit::{
    domain::{Entropy as _, SeededEntropy},
    push::platform::Carrier,
};

use super::{MUNICIPAL, TestPlatform, deliveries};
use crate::{
    grading::Bureau,
    push::{platform as shipped, round_of},
    support::{TestStore, both_engines, tester},
};

/// The subjects of the round.
const SUBJECTS: usize = 600;
/// How often the gateway is killed.
const KILLS: usize = 20;

both_engines! {
    a_gateway_that_is_killed_twenty_times_delivers_each_row_once,
}

async fn a_gateway_that_is_killed_twenty_times_delivers_each_row_once(store: TestStore) {
    let (bureau, ..) = round_of(Bureau::with(store), SUBJECTS).await;
    // Pages of a few rows, so that there are many moments in which it can be killed.
    let mut platform = shipped(MUNICIPAL);
    let Carrier::Https(https) = &mut platform.carrier else { panic!("a platform over HTTPS") };
    https.page_rows = 2;
    let receiver = TestPlatform::default();
    let process = || deliveries(&bureau, &[(platform.clone(), receiver.clone())]);
    let lock = process().maker().lock().await.unwrap().unwrap();
    process().make_due(&[MUNICIPAL], tester()).await.unwrap();
    lock.release().await.unwrap();
    let chance = SeededEntropy::new(20);
    let mut killed = 0;
    for kill in 0..KILLS {
        let mut byte = [0];
        chance.fill(&mut byte);
        receiver.kills_after(usize::from(byte[0] % 8), kill % 2 == 0);
        let gateway = process();
        let mut delivering = tokio::spawn(async move { gateway.deliver(MUNICIPAL, &|| false, &|_| {}).await });
        tokio::select! {
            () = receiver.kill_time() => {}
            done = &mut delivering => panic!("it was to be killed before it is done: {done:?}"),
        }
        // Everything that it has under way ends with it: nothing is reported.
        delivering.abort();
        assert!(delivering.await.unwrap_err().is_cancelled());
        killed += 1;
        receiver.lives();
        // Its lease of the platform ends by itself, and the next one begins its pages again.
        bureau.store.clock.advance(Duration::from_secs(61));
    }
    let gateway = process();
    // A page whose attempts were all killed waits as after other failures, and an operator may have to help.
    for _ in 0..12 {
        gateway.redrive(MUNICIPAL, tester()).await.unwrap();
        gateway.deliver(MUNICIPAL, &|| false, &|_| {}).await.unwrap();
        gateway.read_answers(MUNICIPAL, true).await.unwrap();
        bureau.store.clock.advance(Duration::from_hours(11));
    }
    assert_eq!(killed, KILLS);
    let state = gateway.state(MUNICIPAL).await.unwrap();
    assert!(state.packages.iter().all(|package| package.state == "closed"), "{state:?}");
    let shown = receiver.shows();
    assert_eq!(shown.keys().filter(|record| record.starts_with("wenzhou")).count(), SUBJECTS);
    assert!(shown.values().all(|row| row.version == 1), "nothing was sent as another version");
    assert_eq!(gateway.reconcile(MUNICIPAL).await.unwrap().different, 0);
}

//! SIGKILL, twenty times, at moments that the number of answers decides.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    driver::Load,
    ledger::{holds_everything, promised},
};
use crate::support::{TestStore, app::TestApp, both_engines, process::Gateway};

/// How often the gateway is killed.
const KILLS: u64 = 20;
/// A gateway must be back so soon; the program is not optimised here, and shares its machine with other tests.
const READY: Duration = Duration::from_secs(10);

/// Quotas nobody reaches.
pub const UNLIMITED: &str =
    "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 1000000, window_seconds = 60 }";

/// A number that looks drawn, and is the same in every run.
const fn drawn(seed: u64) -> u64 {
    let mixed = (seed + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}

both_engines! {
    no_answer_is_without_its_record_and_no_record_is_lost,
}

/// Two banks read and a gateway is killed under them, twenty times; consents are granted and revoked all the while.
async fn no_answer_is_without_its_record_and_no_record_is_lost(store: TestStore) {
    let app = TestApp::start_with(store.today(), UNLIMITED).await;
    let config = app.config_file("gateway");
    let load = Load::new(app).await;
    let mut tasks = load.start();
    let (mut promises, mut slowest) = (Vec::new(), Duration::ZERO);
    for kill in 0..KILLS {
        let began = Instant::now();
        let (gateway, origin) = tokio::task::block_in_place(|| {
            let mut gateway = Gateway::start(&config);
            let origin = gateway.serving();
            (gateway, origin)
        });
        slowest = slowest.max(began.elapsed());
        load.moved(&origin);
        let answers = usize::try_from(5 + drawn(kill) % 150).unwrap();
        tokio::time::timeout(Duration::from_secs(60), load.more(answers)).await.expect("banks are answered again");
        tokio::task::block_in_place(|| gateway.kill());
        // Whoever holds this can tell, later, that nothing before it was changed or cut off.
        promises.extend(promised(&load).await);
    }
    let mut last = Gateway::start(&config);
    load.moved(&last.serving());
    load.more(30).await;
    load.end();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    last.tell("-TERM");
    assert_eq!(last.end().0, Some(0));
    let disclosures = holds_everything(&load, &promises).await;
    let (broken, unavailable) = (load.broken.load(Ordering::SeqCst), load.unavailable.load(Ordering::SeqCst));
    eprintln!(
        "{} answers, {disclosures} records, {} checkpoints kept, {broken} connections broken, {unavailable} times unavailable, ready in {slowest:?}",
        load.answered(),
        promises.len()
    );
    assert!(broken > 20, "{broken} connections broke: the load was not there when the gateway was killed");
    assert!(promises.len() > 10, "{} checkpoints were outside", promises.len());
    assert!(slowest < READY, "a gateway was back after {slowest:?}");
}

//! SIGKILL, twenty times, each after a pseudo-random number of answers.

use std::{sync::atomic::Ordering, time::Duration};

use tokio::time::Instant;

use super::{
    driver::Load,
    ledger::{check_ledger, file_checkpoint},
};
use crate::support::{TestStore, app::TestApp, both_engines, process::Gateway};

/// How often the gateway is killed.
const KILLS: u64 = 20;
/// How soon a gateway must serve again; the program is not optimised here and shares the machine with other tests.
const READY: Duration = Duration::from_secs(10);

/// Quotas that are never reached.
pub const UNLIMITED: &str =
    "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 1000000, window_seconds = 60 }";

/// A pseudo-random number that is the same in every run.
const fn pseudo_random(seed: u64) -> u64 {
    // Rounds of SplitMix64: neighbouring seeds give unrelated numbers.
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
    let (mut heads, mut slowest) = (Vec::new(), Duration::ZERO);
    for kill in 0..KILLS {
        let began = Instant::now();
        // Waiting for the process blocks this thread; the readers' tasks move to others.
        let (gateway, origin) = tokio::task::block_in_place(|| {
            let mut gateway = Gateway::start(&config);
            let origin = gateway.serving();
            (gateway, origin)
        });
        slowest = slowest.max(began.elapsed());
        load.gateway_at(&origin);
        // From 5 to 154 answers: kills come early too, while nothing is cached.
        let answers = usize::try_from(5 + pseudo_random(kill) % 150).unwrap();
        tokio::time::timeout(Duration::from_secs(60), load.wait_for_answers(answers))
            .await
            .expect("banks are answered again");
        tokio::task::block_in_place(|| gateway.kill());
        // With this checkpoint a later change or truncation of anything before it can be detected.
        heads.extend(file_checkpoint(&load).await);
    }
    let mut last = Gateway::start(&config);
    load.gateway_at(&last.serving());
    load.wait_for_answers(30).await;
    load.end();
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    last.signal("-TERM");
    assert_eq!(last.end().0, Some(0));
    let disclosures = check_ledger(&load, &heads).await;
    let (broken, unavailable) = (load.broken.load(Ordering::SeqCst), load.unavailable.load(Ordering::SeqCst));
    eprintln!(
        "{} answers, {disclosures} records, {} checkpoints received, {broken} connections broken, {unavailable} times unavailable, ready in {slowest:?}",
        load.answered(),
        heads.len()
    );
    assert!(broken > 20, "{broken} connections broke: the load was not there when the gateway was killed");
    assert!(heads.len() > 10, "{} checkpoints were in the file", heads.len());
    assert!(slowest < READY, "a gateway was back after {slowest:?}");
}

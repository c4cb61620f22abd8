//! Two gateways seal one tree; one is killed, and the other continues.

use std::time::Duration;

use futures_util::future::join_all;
use medcredit::ledger::Faults;

use super::UNLIMITED;
use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    block_on, order,
    process::{Gateway, run},
};

/// Both checkpoint files belong to the one tree, and the ledger verifies.
pub(super) async fn both_verify(app: &TestApp, names: [&str; 2]) {
    for name in names {
        let config = app.config_file(name);
        let output =
            tokio::task::spawn_blocking(move || run(&["--config", &config, "ledger", "verify"])).await.unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("the ledger is whole"), "{name}: {said}");
        assert!(!said.contains("NO CHECKPOINT FROM OUTSIDE"), "{name}: {said}");
    }
}

#[test]
fn two_gateways_that_seal_at_the_same_time_make_one_tree() {
    // Banks read at both while both seal.
    block_on(async {
        let app = TestApp::start_with(TestStore::postgres().await.today(), UNLIMITED).await;
        let (one, two) =
            (app.second_gateway("one", Faults::default()).await, app.second_gateway("two", Faults::default()).await);
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |_| {}).await;
        let (token, path) = (bank.token().await, Bank::data(&consent, "grade"));
        one.app.catch_up().await.unwrap();
        two.app.catch_up().await.unwrap();
        let at = [bank.at(&one.origin), bank.at(&two.origin)];
        for _ in 0..10 {
            join_all((0..40).map(|reader| at[reader % 2].get(&token, &path))).await;
            // In addition to their own rounds, so that the two sealers collide often.
            let (first, second) = tokio::join!(one.app.sealer.seal_once(), two.app.sealer.seal_once());
            first.unwrap();
            second.unwrap();
        }
        one.stop().await;
        two.stop().await;
        assert!(order::leaves_are_one_tree(&app.store.db).await > 400);
        both_verify(&app, ["one", "two"]).await;
    });
}

#[test]
fn a_killed_gateways_sealing_is_taken_over_within_five_seconds() {
    // A bank at two gateways, each a process of its own; the one that seals is killed, and then the other way round.
    block_on(async {
        let app = TestApp::start_with(TestStore::postgres().await.today(), UNLIMITED).await;
        let bank = app.bank("Bank A").await;
        let consent = app.consent(&bank, |_| {}).await;
        let path = Bank::data(&consent, "grade");
        let names = ["one", "two"];
        for name in names {
            app.host(name).await;
        }
        let start = |name: &str| {
            let mut gateway = Gateway::start(&app.config_file(name));
            let bank = bank.at(&gateway.serving());
            (gateway, bank)
        };
        let mut gateways = names.map(|name| Some(start(name)));
        let token = gateways[0].as_ref().unwrap().1.token().await;
        for round in 0..4 {
            let (dies, lives) = (round % 2, 1 - round % 2);
            // Both have answers that wait when it happens.
            for (_, bank) in gateways.iter().flatten() {
                // One that has just started may ask for patience (503) on a busy machine.
                let answered = async { while bank.get(&token, &path).await.status != 200 {} };
                tokio::time::timeout(Duration::from_secs(5), answered).await.expect("each gateway answers");
            }
            gateways[dies].take().unwrap().0.kill();
            let (_, survivor) = gateways[lives].as_ref().unwrap();
            let answer = survivor.get(&token, &path).await;
            assert_eq!(answer.status, 200, "{:?}", answer.json);
            let proof = format!("/v1/disclosures/{}/proof", answer.json["disclosure"].as_str().unwrap());
            let sealed = async { while survivor.get(&token, &proof).await.status != 200 {} };
            tokio::time::timeout(Duration::from_secs(5), sealed).await.expect("the survivor seals");
            gateways[dies] = Some(start(names[dies]));
        }
        for (gateway, _) in gateways.into_iter().flatten() {
            gateway.signal("-TERM");
            assert_eq!(gateway.end().0, Some(0));
        }
        order::leaves_are_one_tree(&app.store.db).await;
        both_verify(&app, names).await;
    });
}

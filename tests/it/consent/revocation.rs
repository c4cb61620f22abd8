//! Revocation during reading: the order of commits decides (I2, C6).

use medcredit::{ledger::prove, store::consents};

use crate::support::{
    TestStore,
    app::{Bank, TestApp},
    both_engines,
};

both_engines! {
    no_disclosure_is_committed_after_its_consents_revocation,
}

/// Banks that read while consents are revoked under them, from this process and from another on the same database.
async fn no_disclosure_is_committed_after_its_consents_revocation(store: TestStore) {
    let app = TestApp::start_with(store, "[limits]\nburst = { quota = 100000, window_seconds = 1 }\nsustained = { quota = 1000000, window_seconds = 60 }").await;
    let bank = app.bank("Bank A").await;
    let token = bank.token().await;
    let elsewhere = app.store.reopen().await;
    let mut total = 0;
    for round in 0..12 {
        let consent = app.consent(&bank, |_| {}).await;
        let id = consent.id.to_string();
        let path = Bank::data(&consent, "grade");
        // Eight readers read until they are refused; the revocation comes while they do.
        let reading = tokio::sync::Notify::new();
        let reader = async || {
            let mut replies = Vec::new();
            loop {
                let reply = bank.get(&token, &path).await;
                let refused = reply.status != 200;
                replies.push(reply);
                reading.notify_one();
                if refused {
                    return replies;
                }
            }
        };
        let readers = futures_util::future::join_all((0..8).map(|_| reader()));
        let revoke = async {
            reading.notified().await;
            if round % 2 == 0 {
                app.app.consents.revoke(&id, None, &crate::support::decided_by("tester")).await.unwrap();
            } else {
                // As the command line does it: another process, another connection.
                let kinds = std::sync::Arc::new(medcredit::domain::Kinds::built_in().unwrap());
                let policy = medcredit::app::consent_policy(&app.app.config);
                let room = medcredit::consent::Consents::open(
                    medcredit::store::Env::new(elsewhere.clone(), app.store.clock.clone(), app.store.entropy.clone()),
                    kinds,
                    policy,
                );
                room.revoke(&id, None, &crate::support::decided_by("command-line")).await.unwrap();
            }
        };
        let (replies, ()) = tokio::join!(readers, revoke);
        let replies: Vec<_> = replies.into_iter().flatten().collect();
        let answered = replies.iter().filter(|reply| reply.status == 200).count();
        for reply in replies.iter().filter(|reply| reply.status != 200) {
            assert!(matches!(reply.refusal(), (403, "consent_not_active") | (503, _)), "{:?}", reply.json);
        }
        // Every later reading is refused, and every answer has its record.
        assert_eq!(bank.get(&token, &path).await.refusal(), (403, "consent_not_active"));
        for reply in replies.iter().filter(|reply| reply.status == 200) {
            let id = reply.json["disclosure"].as_str().unwrap();
            assert!(prove(&app.store.db, id, None).await.unwrap().is_some(), "an answer without its record");
        }
        let events = consents::events(&app.store.db, &id).await.unwrap();
        assert_eq!(events.last().unwrap().event, "revoked");
        total += answered;
    }
    assert!(total > 0, "no reading won against any revocation: nothing was tested");
}

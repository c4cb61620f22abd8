//! Consent is linearizable (I2): the order of commits decides.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use medcredit::{
    domain::ids::{ClientId, ConsentId},
    ledger::{RecordError, Recorder},
    store::Db,
};

use super::fixture::{LedgerFixture, run};
use crate::support::{TestStore, both_engines};

/// Revokes a consent as any process may, and returns how many disclosures under it were committed before.
async fn revoke(db: &Db, bank: ClientId, consent: ConsentId) -> i64 {
    let mut tx = db.begin("test.revoke").await.unwrap();
    tx.lock_banks_exclusive(&[bank.to_string()]).await.unwrap();
    run(
        &mut tx,
        "UPDATE consents SET state = 'revoked', version = version + 1 WHERE id = $1",
        vec![consent.to_string().into()],
    )
    .await;
    let (before,): (i64,) = tx
        .fetch_one(
            "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings WHERE consent_id = $1",
            vec![consent.to_string().into()],
        )
        .await
        .unwrap();
    tx.commit().await.unwrap();
    before
}

/// Reads until refused, and returns how many answers were released.
async fn read_on(
    fixture: Arc<LedgerFixture>,
    recorder: Recorder,
    bank: ClientId,
    consent: ConsentId,
    revoked: Arc<AtomicBool>,
) -> i64 {
    let mut released = 0;
    loop {
        let after = revoked.load(Ordering::SeqCst);
        match recorder.record(fixture.draft_of(bank, consent)).await {
            Ok(_) => {
                assert!(!after, "an answer was released after its consent's revocation had committed");
                released += 1;
            }
            Err(RecordError::Stale) => return released,
            Err(other) => panic!("{other}"),
        }
    }
}

both_engines! {
    no_disclosure_commits_after_its_revocation,
}

/// Two banks read on two gateways while a command line revokes their consents: what was committed before the
/// revocation is all there ever is.
async fn no_disclosure_commits_after_its_revocation(store: TestStore) {
    let fixture = Arc::new(LedgerFixture::new(store).await);
    let gateways = [fixture.recorder(), fixture.recorder_with(fixture.store.reopen().await, Default::default())];
    let command_line = fixture.store.reopen().await;
    for round in 0..6u64 {
        let mut readers = Vec::new();
        let mut consents = Vec::new();
        for _ in 0..2 {
            let (bank, consent) = fixture.new_bank();
            fixture.add_bank(bank).await;
            fixture.add_consent(bank, consent).await;
            let revoked = Arc::new(AtomicBool::new(false));
            for reader in 0..8 {
                let recorder = gateways[reader % 2].clone();
                readers
                    .push((consent, tokio::spawn(read_on(fixture.clone(), recorder, bank, consent, revoked.clone()))));
            }
            consents.push((bank, consent, revoked));
        }
        // Let the banks read for a while that differs from round to round.
        for _ in 0..=round * 40 {
            tokio::task::yield_now().await;
        }
        for (bank, consent, revoked) in consents {
            let before = revoke(&command_line, bank, consent).await;
            revoked.store(true, Ordering::SeqCst);
            let mut released = 0;
            for (of, reader) in &mut readers {
                if *of == consent {
                    released += reader.await.unwrap();
                }
            }
            assert_eq!(released, before, "every released answer was committed before the revocation, and no other");
            let (after,): (i64,) = fixture
                .store
                .db
                .read("test")
                .fetch_one(
                    "SELECT CAST(count(*) AS BIGINT) FROM ledger_openings WHERE consent_id = $1",
                    vec![consent.to_string().into()],
                )
                .await
                .unwrap();
            assert_eq!(after, before, "nothing was committed after the revocation");
        }
    }
}

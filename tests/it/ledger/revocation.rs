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

use super::world::{World, run};
use crate::support::{TestStore, both_engines};

/// Ends a consent as any process may, and tells how many disclosures under it were committed before that.
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

/// Asks until refused, and tells how many answers were released.
async fn read_on(
    world: Arc<World>,
    recorder: Recorder,
    bank: ClientId,
    consent: ConsentId,
    revoked: Arc<AtomicBool>,
) -> i64 {
    let mut released = 0;
    loop {
        let after = revoked.load(Ordering::SeqCst);
        match recorder.record(world.draft_of(bank, consent)).await {
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
    let world = Arc::new(World::new(store).await);
    let gateways = [world.recorder(), world.recorder_with(world.store.reopen().await, Default::default())];
    let command_line = world.store.reopen().await;
    for round in 0..6u64 {
        let mut readers = Vec::new();
        let mut consents = Vec::new();
        for _ in 0..2 {
            let (bank, consent) = world.new_bank();
            world.add_bank(bank).await;
            world.add_consent(bank, consent).await;
            let revoked = Arc::new(AtomicBool::new(false));
            for reader in 0..8 {
                let recorder = gateways[reader % 2].clone();
                readers.push((consent, tokio::spawn(read_on(world.clone(), recorder, bank, consent, revoked.clone()))));
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
            let (after,): (i64,) = world
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

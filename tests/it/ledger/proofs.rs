//! Proofs that a bank and the public can check without trusting the gateway.

use medcredit::{
    ledger::{ProofStatus, check_proof, consistency, erase, prove, published_tile},
    merkle::{Checkpoint, TileId, verify_consistency},
};

use super::fixture::{HOSPITAL, LedgerFixture};
use crate::support::{TestStore, both_engines};

async fn proof_of(fixture: &LedgerFixture, id: &str) -> medcredit::ledger::Proof {
    match prove(&fixture.store.db, id, Some(&fixture.bank.to_string())).await.unwrap() {
        Some(ProofStatus::Sealed(proof)) => *proof,
        other => panic!("{other:?}"),
    }
}

both_engines! {
    every_disclosure_is_proved_to_its_bank,
    a_disclosure_is_there_for_its_own_bank_only,
    an_entry_about_a_bank_is_hidden_from_it,
    an_erased_entry_still_has_its_proof,
    tiles_and_consistency_follow_the_log,
}

/// A bank requests the proof of each of its disclosures and verifies it with only the log's key.
async fn every_disclosure_is_proved_to_its_bank(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let ids = fixture.record_many(300).await;
    assert_eq!(prove(&fixture.store.db, &ids[0], None).await.unwrap(), Some(ProofStatus::Pending));
    fixture.sealer().seal_once().await.unwrap();
    for id in ids.iter().step_by(37).chain([ids.last().unwrap()]) {
        let proof = proof_of(&fixture, id).await;
        assert_eq!(proof.tree_size, 300);
        let json = serde_json::to_string(&proof).unwrap();
        let read = serde_json::from_str(&json).unwrap();
        let (entry, values) = check_proof(&read, &[fixture.verifier_key()]).unwrap();
        assert_eq!((&entry.id, values.unwrap()["client"].as_str()), (id, Some(fixture.bank.to_string().as_str())));
    }
    // A proof made later is of a larger tree.
    fixture.record(1).await;
    fixture.sealer().seal_once().await.unwrap();
    assert_eq!(proof_of(&fixture, &ids[0]).await.tree_size, 301);
}

/// Another bank does not find the disclosure, and nobody finds one that never was.
async fn a_disclosure_is_there_for_its_own_bank_only(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let ids = fixture.record(1).await;
    let (other, _) = fixture.new_bank();
    for sealed in [false, true] {
        if sealed {
            fixture.sealer().seal_once().await.unwrap();
        }
        assert_eq!(prove(&fixture.store.db, &ids[0], Some(&other.to_string())).await.unwrap(), None);
        assert_eq!(prove(&fixture.store.db, "dis_never", Some(&fixture.bank.to_string())).await.unwrap(), None);
    }
}

/// A bank requests the entry of its consent's revocation, whose opening names an operator: it is not found.
async fn an_entry_about_a_bank_is_hidden_from_it(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let facts = medcredit::ledger::ConsentFacts {
        id: medcredit::domain::ids::EntryId::new(&*fixture.store.clock, fixture.entropy()),
        at: fixture.now(),
        event: "revoked",
        actor: "operator:lin".into(),
        changes: serde_json::json!({ "state": ["active", "revoked"] }),
        channel: "console".into(),
        client_id: fixture.bank,
        codes: vec![HOSPITAL.into()],
        consent_id: fixture.consent,
        consent_version: 3,
        evidence: None,
        reason: Some("a reason".into()),
        uscc: "12330300470500001J".into(),
    };
    let (entry, opening) = facts.into_entry(fixture.entropy()).unwrap();
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    medcredit::ledger::append(&mut tx, &entry, Some(&opening)).await.unwrap();
    tx.commit().await.unwrap();
    fixture.sealer().seal_once().await.unwrap();
    assert_eq!(prove(&fixture.store.db, entry.id(), Some(&fixture.bank.to_string())).await.unwrap(), None);
    assert!(matches!(prove(&fixture.store.db, entry.id(), None).await.unwrap(), Some(ProofStatus::Sealed(_))));
    assert!(fixture.verify().await.sound());
}

/// An auditor proves an entry whose opening was erased: the proof verifies and reveals nothing about anybody.
async fn an_erased_entry_still_has_its_proof(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let ids = fixture.record(5).await;
    let facts = medcredit::ledger::ErasureFacts {
        id: medcredit::domain::ids::EntryId::new(&*fixture.store.clock, fixture.entropy()),
        at: fixture.now(),
        entries: vec![ids[2].clone()],
        ground: medcredit::ledger::ErasureGround::RetentionEnded,
        actor: "system".into(),
        reason: None,
    };
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    erase(&mut tx, facts.clone(), fixture.entropy()).await.unwrap();
    tx.commit().await.unwrap();
    let mut tx = fixture.store.db.begin("test").await.unwrap();
    let again = medcredit::ledger::ErasureFacts {
        id: medcredit::domain::ids::EntryId::new(&*fixture.store.clock, fixture.entropy()),
        ..facts
    };
    assert!(erase(&mut tx, again, fixture.entropy()).await.is_err(), "an opening that does not exist cannot be erased");
    drop(tx);
    fixture.sealer().seal_once().await.unwrap();
    let Some(ProofStatus::Sealed(proof)) = prove(&fixture.store.db, &ids[2], None).await.unwrap() else {
        panic!("it is there")
    };
    assert!(check_proof(&proof, &[fixture.verifier_key()]).unwrap().1.is_none());
    assert!(!serde_json::to_string(&proof).unwrap().contains(&fixture.bank.to_string()));
    let report = fixture.verify().await;
    assert!(report.sound() && report.erased == 1, "{report}");
}

/// The public follows the log from checkpoint to checkpoint with only tiles.
async fn tiles_and_consistency_follow_the_log(store: TestStore) {
    let fixture = LedgerFixture::new(store).await;
    let sealer = fixture.sealer();
    let mut former: Option<Checkpoint> = None;
    let id = |level, index| TileId { level, index };
    for more in [1, 99, 156, 44, 300] {
        fixture.record_many(more).await;
        let now = sealer.seal_once().await.unwrap().unwrap();
        if let Some(former) = former {
            let path = consistency(&fixture.store.db, former.size, now.size).await.unwrap();
            verify_consistency(former.head(), now.head(), &path).unwrap();
        }
        for (tile, width) in TileId::partials(now.size) {
            let bytes = published_tile(&fixture.store.db, tile, width).await.unwrap().unwrap();
            assert_eq!(bytes.len(), usize::from(width) * 32);
        }
        former = Some(now);
    }
    let db = &fixture.store.db;
    let full = published_tile(db, id(0, 0), 256).await.unwrap().unwrap();
    assert_eq!(full.len(), 8192);
    // A partial tile is a prefix of the full one, and no tile reaches beyond the checkpoint.
    assert_eq!(published_tile(db, id(0, 0), 7).await.unwrap().unwrap(), full[..7 * 32]);
    assert!(published_tile(db, id(1, 0), 2).await.unwrap().is_some());
    for (tile, width) in [(id(0, 2), 256), (id(0, 2), 89), (id(0, 3), 1), (id(1, 0), 3), (id(2, 0), 1), (id(0, 0), 0)] {
        assert!(published_tile(db, tile, width).await.unwrap().is_none(), "{tile} {width}");
    }
    assert!(consistency(db, 600, 601).await.is_err());
    assert!(consistency(db, 5, 4).await.is_err());
}

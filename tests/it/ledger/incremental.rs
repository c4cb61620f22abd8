//! A verification that continues after a verified checkpoint reads what was added, and finds every change to it.

use medcredit::ledger::verify::Report;

use super::{fixture::LedgerFixture, vandal::vandalise, verifying::grown};
use crate::support::{TestStore, both_engines};

both_engines! {
    a_later_verification_reads_only_what_was_added,
    a_later_verification_finds_changes_to_what_was_added,
}

async fn verified(fixture: &LedgerFixture) -> String {
    let report = fixture.verify().await;
    assert!(report.sound(), "{report}");
    report.newest_checkpoint.expect("three checkpoints were verified")
}

fn assert_reported(report: &Report, what: &str) {
    assert!(!report.sound() && report.to_string().contains(what), "expected {what:?} in\n{report}");
}

/// An auditor who verifies every day.
async fn a_later_verification_reads_only_what_was_added(store: TestStore) {
    let fixture = grown(store).await;
    let note = verified(&fixture).await;
    // Nothing was added since: nothing is read, and nothing is wrong.
    let again = fixture.verify_after(&note).await;
    assert!(again.sound() && again.newest_checkpoint.is_none(), "{again}");
    assert_eq!((again.verified_before, again.leaves, again.waiting), (600, 0, 1));
    fixture.record_many(300).await;
    fixture.sealer().seal_once().await.unwrap();
    fixture.record(1).await;
    let later = fixture.verify_after(&note).await;
    assert!(later.sound(), "{later}");
    assert_eq!((later.verified_before, later.leaves, later.checkpoints, later.waiting), (600, 301, 1, 1), "{later}");
    assert!(later.to_string().contains("before       600 leaves were verified earlier and not read again"), "{later}");
    assert_eq!(later.newest_checkpoint, fixture.checkpoint_file().read().await.unwrap());
}

/// An auditor who verifies every day, and everything from time to time: a change to what was added is found, one to what was
/// verified before only by verifying everything.
async fn a_later_verification_finds_changes_to_what_was_added(store: TestStore) {
    let fixture = grown(store).await;
    let note = verified(&fixture).await;
    let added = fixture.record_many(300).await;
    fixture.sealer().seal_once().await.unwrap();
    fixture.record(1).await;
    let change =
        |id: &str| format!("UPDATE ledger_entries SET body = replace(body, '2026-', '2027-') WHERE id = '{id}'");
    let undo = |id: &str| format!("UPDATE ledger_entries SET body = replace(body, '2027-', '2026-') WHERE id = '{id}'");
    vandalise(&fixture, &change(&added[7])).await;
    let found = fixture.verify_after(&note).await;
    assert_reported(&found, &added[7]);
    vandalise(&fixture, &undo(&added[7])).await;
    let old: (String,) = {
        let sql = "SELECT entry_id FROM ledger_leaves WHERE leaf_index = 5";
        fixture.store.db.read("test").fetch_one(sql, vec![]).await.unwrap()
    };
    vandalise(&fixture, &change(&old.0)).await;
    assert!(fixture.verify_after(&note).await.sound());
    assert!(!fixture.verify().await.sound());
    vandalise(&fixture, &undo(&old.0)).await;
    // An entry that was taken out of the queue, so that it is never sealed.
    vandalise(&fixture, "DELETE FROM ledger_unsealed").await;
    assert_reported(&fixture.verify_after(&note).await, "it is not in the sealer's queue either");
    // The verified leaves are not those of the tree any more.
    vandalise(&fixture, "DELETE FROM ledger_leaves WHERE leaf_index >= 500").await;
    vandalise(&fixture, "DELETE FROM ledger_checkpoints WHERE tree_size > 300").await;
    let gone = "the 600 leaves that were verified before are not in the tree any more";
    assert_reported(&fixture.verify_after(&note).await, gone);
}

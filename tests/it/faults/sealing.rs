//! The fault table of sealing, as a bank sees it: answers are unaffected, and the proof is available later.

use medcredit::ledger::Step;

use super::fixture::{GatewayFixture, is_an_answer};
use crate::{
    ledger::fixture::broken,
    support::{TestStore, both_engines},
};

/// What fails, whether the leaves are in the tree afterwards, and whether the checkpoint file covers them.
#[rustfmt::skip]
const TABLE: &[(Step, &str, bool, bool)] = &[
    (Step::SealRead,      "reading the queue",               false, false),
    (Step::SealSign,      "extending the tree, signing it",  false, false),
    (Step::SealInsert,    "storing leaves and checkpoint",   false, false),
    // Stored, and then undone with the transaction.
    (Step::SealCommit,    "committing them",                 false, false),
    // Committed, with the checkpoint file one checkpoint behind.
    (Step::SealCommitted, "writing the file",               true,  false),
    (Step::CheckpointFileRename, "renaming the file", true, false),
    // Renamed, and then reported as failed.
    (Step::CheckpointFileSync,   "syncing the directory",                true,  true),
];

both_engines! {
    a_proof_waits_for_the_sealer_and_is_never_wrong,
}

/// A bank reads and requests its proof while sealing fails: the proof is available once sealing works again.
async fn a_proof_waits_for_the_sealer_and_is_never_wrong(store: TestStore) {
    let fixture = GatewayFixture::new(store).await;
    fixture.seals_and_verifies().await;
    for (step, what, in_the_tree, outside) in TABLE {
        let answer = fixture.read().await;
        is_an_answer(&answer);
        assert_eq!(fixture.proof(&answer).await.refusal(), (409, "disclosure_not_sealed"), "{what}");
        let (leaves, covered) = (fixture.leaves().await, fixture.covered().await);
        fixture.arm(*step, broken);
        fixture.app.app.sealer.seal_once().await.unwrap_err();
        assert!(fixture.went_off(), "{what} was not reached: nothing was tested");
        assert_eq!(fixture.leaves().await - leaves, i64::from(*in_the_tree), "{what}");
        assert_eq!(fixture.covered().await - covered, i64::from(*outside), "{what}");
        let status = if *in_the_tree { 200 } else { 409 };
        assert_eq!(fixture.proof(&answer).await.status, status, "{what}");
        // Banks are still answered.
        is_an_answer(&fixture.read().await);
        // The next round repairs everything.
        let report = fixture.seals_and_verifies().await;
        assert_eq!(i64::try_from(report.leaves), Ok(fixture.covered().await), "{what}");
        assert_eq!(fixture.proof(&answer).await.status, 200, "{what}");
    }
}

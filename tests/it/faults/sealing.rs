//! The fault table of sealing, as a bank sees it: its answer is good all the while, and its proof comes a little later.

use medcredit::ledger::Step;

use super::world::{World, broken, is_an_answer};
use crate::support::{TestStore, both_engines};

/// What fails, whether the leaves are in the tree then, and whether the checkpoint outside covers them.
#[rustfmt::skip]
const TABLE: &[(Step, &str, bool, bool)] = &[
    (Step::SealRead,      "taking what waits",               false, false),
    (Step::SealSign,      "extending the tree, signing it",  false, false),
    (Step::SealInsert,    "storing leaves and checkpoint",   false, false),
    // Stored, and then undone with the transaction.
    (Step::SealCommit,    "committing them",                 false, false),
    // Committed, and the file outside one checkpoint behind.
    (Step::SealCommitted, "going outside with it",           true,  false),
    (Step::OutsideRename, "putting it in the old one's place", true, false),
    // Put there, and said to have failed.
    (Step::OutsideSync,   "keeping it there",                true,  true),
];

both_engines! {
    a_proof_waits_for_the_sealer_and_is_never_wrong,
}

/// A bank reads and asks for its proof while sealing fails: the proof waits, and is given once sealing goes on.
async fn a_proof_waits_for_the_sealer_and_is_never_wrong(store: TestStore) {
    let world = World::new(store).await;
    world.seals_and_verifies().await;
    for (step, what, in_the_tree, outside) in TABLE {
        let answer = world.read().await;
        is_an_answer(&answer);
        assert_eq!(world.proof(&answer).await.refusal(), (409, "disclosure_not_sealed"), "{what}");
        let (leaves, covered) = (world.leaves().await, world.covered().await);
        world.arm(*step, broken);
        world.app.app.sealer.seal_once().await.unwrap_err();
        assert!(world.went_off(), "{what} was not reached: nothing was tested");
        assert_eq!(world.leaves().await - leaves, i64::from(*in_the_tree), "{what}");
        assert_eq!(world.covered().await - covered, i64::from(*outside), "{what}");
        let status = if *in_the_tree { 200 } else { 409 };
        assert_eq!(world.proof(&answer).await.status, status, "{what}");
        // Banks are answered all the while.
        is_an_answer(&world.read().await);
        // The next round puts everything right.
        let report = world.seals_and_verifies().await;
        assert_eq!(i64::try_from(report.leaves), Ok(world.covered().await), "{what}");
        assert_eq!(world.proof(&answer).await.status, 200, "{what}");
    }
}

//! The fault table of a disclosure, through the front door: a bank asks over TLS while one step goes wrong.
//!
//! Each row says what the bank saw and what the ledger holds of it: entry, opening, place in the sealer's queue and count
//! of the consent's use come together or not at all.

use medcredit::ledger::Step;

use super::world::{Held, World, broken, contention, holds_no_data, is_an_answer};
use crate::support::{TestStore, app::Reply, both_engines};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The step fails, and did nothing.
    Failed,
    /// The step does its work, and is said to have failed.
    FailedButDone,
    /// Another transaction is in the way, once.
    InTheWay,
}

/// What the bank sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// 200 and the data.
    Answer,
    /// 503 with this code, and no data.
    Refusal(&'static str),
}

use How::{Failed, FailedButDone, InTheWay};
use Sees::{Answer, Refusal};
use Step::{
    Append, Begin, Budget, Caller, Commit, Committed, Insert, Limits, Lock, Permit, Read, ReadVersions, Release, Render,
};

const STORE: Sees = Refusal("store_unavailable");
const LEDGER: Sees = Refusal("ledger_unavailable");

/// The steps in their order: a step that did its work and then fails, fails on the threshold of the next one.
const ORDER: [Step; 14] = [
    Caller,
    Limits,
    Permit,
    Read,
    Render,
    Append,
    Begin,
    Lock,
    ReadVersions,
    Budget,
    Insert,
    Commit,
    Committed,
    Release,
];

#[rustfmt::skip]
const TABLE: &[(Step, How, Sees, Held)] = &[
    // 1 to 5: nothing has been written, so there is nothing to be left behind.
    (Caller,    Failed,        STORE,  Held::NOTHING),
    (Caller,    FailedButDone, STORE,  Held::NOTHING),
    (Limits,    Failed,        STORE,  Held::NOTHING),
    (Limits,    FailedButDone, STORE,  Held::NOTHING),
    (Permit,    Failed,        STORE,  Held::NOTHING),
    (Permit,    FailedButDone, STORE,  Held::NOTHING),
    (Read,      Failed,        STORE,  Held::NOTHING),
    (Read,      FailedButDone, STORE,  Held::NOTHING),
    (Render,    Failed,        STORE,  Held::NOTHING),
    // Signed: the signature is thrown away with its bytes.
    (Render,    FailedButDone, STORE,  Held::NOTHING),
    (Append,    Failed,        STORE,  Held::NOTHING),
    // 6: one transaction. What it did before it failed is undone with it.
    (Append,    FailedButDone, LEDGER, Held::NOTHING),
    (Begin,     Failed,        LEDGER, Held::NOTHING),
    (Begin,     FailedButDone, LEDGER, Held::NOTHING),
    (Lock,      Failed,        LEDGER, Held::NOTHING),
    (Lock,      FailedButDone, LEDGER, Held::NOTHING),
    (ReadVersions,     Failed,        LEDGER, Held::NOTHING),
    (ReadVersions,     FailedButDone, LEDGER, Held::NOTHING),
    (Budget,    Failed,        LEDGER, Held::NOTHING),
    (Budget,    FailedButDone, LEDGER, Held::NOTHING),
    (Insert,    Failed,        LEDGER, Held::NOTHING),
    (Insert,    FailedButDone, LEDGER, Held::NOTHING),
    // In another transaction's way, a batch is tried again, and answered once.
    (Begin,     InTheWay,      Answer, Held::RECORD),
    (Lock,      InTheWay,      Answer, Held::RECORD),
    (ReadVersions,     InTheWay,      Answer, Held::RECORD),
    (Budget,    InTheWay,      Answer, Held::RECORD),
    (Insert,    InTheWay,      Answer, Held::RECORD),
    (Commit,    InTheWay,      Answer, Held::RECORD),
    // 7: before the commit is sent, nothing; once it may have been done, a record without an answer.
    (Commit,    Failed,        LEDGER, Held::NOTHING),
    (Commit,    FailedButDone, LEDGER, Held::RECORD),
    (Committed, Failed,        LEDGER, Held::RECORD),
    // It may be there, so it is not tried again.
    (Committed, InTheWay,      LEDGER, Held::RECORD),
    // 8: the record is there, whatever becomes of the answer.
    (Committed, FailedButDone, STORE,  Held::RECORD),
    (Release,   Failed,        STORE,  Held::RECORD),
];

fn saw(reply: &Reply) -> Sees {
    match reply.status {
        200 => {
            is_an_answer(reply);
            Answer
        }
        503 => {
            holds_no_data(reply);
            let known = ["store_unavailable", "ledger_unavailable"].into_iter().find(|code| *code == reply.code());
            Refusal(known.unwrap_or_else(|| panic!("{:?}", reply.json)))
        }
        status => panic!("{status}: {:?}", reply.json),
    }
}

both_engines! {
    a_bank_gets_a_recorded_answer_or_none,
    a_bank_that_goes_away_leaves_a_record_without_an_answer,
}

/// A bank reads while a step fails: it gets its answer with a record, or 503 and no data; the next one is answered.
async fn a_bank_gets_a_recorded_answer_or_none(store: TestStore) {
    let world = World::new(store).await;
    for (step, how, sees, holds) in TABLE {
        let at = match how {
            Failed | InTheWay => *step,
            FailedButDone => ORDER[ORDER.iter().position(|of| of == step).unwrap() + 1],
        };
        world.arm(at, if *how == InTheWay { contention } else { broken });
        let before = world.held().await;
        assert_eq!(saw(&world.read().await), *sees, "{step:?} {how:?}");
        assert!(world.went_off(), "{step:?} {how:?} was not reached: nothing was tested");
        assert_eq!(world.held().await.since(before), *holds, "{step:?} {how:?}");
        // The gateway goes on as if nothing had been.
        assert_eq!(saw(&world.read().await), Answer, "after {step:?} {how:?}");
    }
    world.seals_and_verifies().await;
}

/// A bank goes away while its answer is being committed: the record stays, and nobody else notices.
async fn a_bank_that_goes_away_leaves_a_record_without_an_answer(store: TestStore) {
    let (reached, go_on) =
        (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let (told, wait) = (reached.clone(), go_on.clone());
    let once = std::sync::atomic::AtomicBool::new(true);
    let faults = medcredit::ledger::Faults::new(move |step| {
        let held = step == Commit && once.swap(false, std::sync::atomic::Ordering::SeqCst);
        let (told, wait) = (told.clone(), wait.clone());
        async move {
            if held {
                told.notify_one();
                wait.notified().await;
            }
            Ok(())
        }
    });
    let world = World::with(store, faults).await;
    let before = world.held().await;
    tokio::select! {
        reply = world.read() => panic!("answered: {:?}", reply.json),
        () = reached.notified() => {}
    }
    // The request is dropped: the bank has closed its stream.
    go_on.notify_one();
    // Batches are committed one after the other, so this one comes after it.
    assert_eq!(saw(&world.read().await), Answer);
    let Held { entries, openings, unsealed, fetches } = world.held().await.since(before);
    assert_eq!((entries, openings, unsealed, fetches), (2, 2, 2, 2));
    world.seals_and_verifies().await;
}

//! The fault table of a disclosure over TLS: a bank sends a request while one step fails.
//!
//! Each row states what the bank sees and what the ledger holds: entry, opening, queued row and count of the consent's use
//! are written together or not at all.

use medcredit::ledger::Step;

use super::fixture::{GatewayFixture, LedgerCounts, holds_no_data, is_an_answer};
use crate::{
    ledger::fixture::{broken, contention},
    support::{TestStore, app::Reply, both_engines},
};

/// What goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    /// The step fails, and did nothing.
    Failed,
    /// The step does its work and then reports a failure.
    FailedButDone,
    /// The step conflicts with another transaction, once.
    Contention,
}

/// What the bank sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sees {
    /// 200 and the data.
    Answer,
    /// 503 with this code, and no data.
    Refusal(&'static str),
}

use How::{Contention, Failed, FailedButDone};
use Sees::{Answer, Refusal};
use Step::{
    Append, Begin, Budget, Caller, Commit, Committed, Insert, Limits, Lock, Permit, Read, ReadVersions, Release, Render,
};

const STORE: Sees = Refusal("store_unavailable");
const LEDGER: Sees = Refusal("ledger_unavailable");

/// The steps in order. A step that fails after its work fails at the beginning of the next step.
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
const TABLE: &[(Step, How, Sees, LedgerCounts)] = &[
    // 1 to 5: nothing has been written, so there is nothing to be left behind.
    (Caller,    Failed,        STORE,  LedgerCounts::NOTHING),
    (Caller,    FailedButDone, STORE,  LedgerCounts::NOTHING),
    (Limits,    Failed,        STORE,  LedgerCounts::NOTHING),
    (Limits,    FailedButDone, STORE,  LedgerCounts::NOTHING),
    (Permit,    Failed,        STORE,  LedgerCounts::NOTHING),
    (Permit,    FailedButDone, STORE,  LedgerCounts::NOTHING),
    (Read,      Failed,        STORE,  LedgerCounts::NOTHING),
    (Read,      FailedButDone, STORE,  LedgerCounts::NOTHING),
    (Render,    Failed,        STORE,  LedgerCounts::NOTHING),
    // Signed: the signature is thrown away with its bytes.
    (Render,    FailedButDone, STORE,  LedgerCounts::NOTHING),
    (Append,    Failed,        STORE,  LedgerCounts::NOTHING),
    // 6: one transaction. What it did before it failed is undone with it.
    (Append,    FailedButDone, LEDGER, LedgerCounts::NOTHING),
    (Begin,     Failed,        LEDGER, LedgerCounts::NOTHING),
    (Begin,     FailedButDone, LEDGER, LedgerCounts::NOTHING),
    (Lock,      Failed,        LEDGER, LedgerCounts::NOTHING),
    (Lock,      FailedButDone, LEDGER, LedgerCounts::NOTHING),
    (ReadVersions,     Failed,        LEDGER, LedgerCounts::NOTHING),
    (ReadVersions,     FailedButDone, LEDGER, LedgerCounts::NOTHING),
    (Budget,    Failed,        LEDGER, LedgerCounts::NOTHING),
    (Budget,    FailedButDone, LEDGER, LedgerCounts::NOTHING),
    (Insert,    Failed,        LEDGER, LedgerCounts::NOTHING),
    (Insert,    FailedButDone, LEDGER, LedgerCounts::NOTHING),
    // After a conflict a batch is tried again, and answered once.
    (Begin,     Contention,      Answer, LedgerCounts::RECORD),
    (Lock,      Contention,      Answer, LedgerCounts::RECORD),
    (ReadVersions,     Contention,      Answer, LedgerCounts::RECORD),
    (Budget,    Contention,      Answer, LedgerCounts::RECORD),
    (Insert,    Contention,      Answer, LedgerCounts::RECORD),
    (Commit,    Contention,      Answer, LedgerCounts::RECORD),
    // 7: before the commit is sent, nothing; once it may have been done, a record without an answer.
    (Commit,    Failed,        LEDGER, LedgerCounts::NOTHING),
    (Commit,    FailedButDone, LEDGER, LedgerCounts::RECORD),
    (Committed, Failed,        LEDGER, LedgerCounts::RECORD),
    // The record may exist, so the batch is not tried again.
    (Committed, Contention,      LEDGER, LedgerCounts::RECORD),
    // 8: the record is durable, whether or not the answer arrives.
    (Committed, FailedButDone, STORE,  LedgerCounts::RECORD),
    (Release,   Failed,        STORE,  LedgerCounts::RECORD),
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
    let fixture = GatewayFixture::new(store).await;
    for (step, how, sees, holds) in TABLE {
        let at = match how {
            Failed | Contention => *step,
            FailedButDone => ORDER[ORDER.iter().position(|of| of == step).unwrap() + 1],
        };
        fixture.arm(at, if *how == Contention { contention } else { broken });
        let before = fixture.counts().await;
        assert_eq!(saw(&fixture.read().await), *sees, "{step:?} {how:?}");
        assert!(fixture.went_off(), "{step:?} {how:?} was not reached: nothing was tested");
        assert_eq!(fixture.counts().await.since(before), *holds, "{step:?} {how:?}");
        // The gateway continues normally.
        assert_eq!(saw(&fixture.read().await), Answer, "after {step:?} {how:?}");
    }
    fixture.seals_and_verifies().await;
}

/// A bank disconnects while its answer is being committed: the record remains, and other banks are unaffected.
async fn a_bank_that_goes_away_leaves_a_record_without_an_answer(store: TestStore) {
    let (reached, resume) =
        (std::sync::Arc::new(tokio::sync::Notify::new()), std::sync::Arc::new(tokio::sync::Notify::new()));
    let (at_step, wait) = (reached.clone(), resume.clone());
    let once = std::sync::atomic::AtomicBool::new(true);
    let faults = medcredit::ledger::Faults::new(move |step| {
        // Only the first commit is held: the request after it must pass.
        let held = step == Commit && once.swap(false, std::sync::atomic::Ordering::SeqCst);
        let (at_step, wait) = (at_step.clone(), wait.clone());
        async move {
            if held {
                at_step.notify_one();
                wait.notified().await;
            }
            Ok(())
        }
    });
    let fixture = GatewayFixture::with(store, faults).await;
    let before = fixture.counts().await;
    tokio::select! {
        reply = fixture.read() => panic!("answered: {:?}", reply.json),
        () = reached.notified() => {}
    }
    // The request is dropped: the bank has closed its stream.
    resume.notify_one();
    // Batches are committed one after the other, so this one comes after it.
    assert_eq!(saw(&fixture.read().await), Answer);
    let LedgerCounts { entries, openings, unsealed, fetches } = fixture.counts().await.since(before);
    assert_eq!((entries, openings, unsealed, fetches), (2, 2, 2, 2));
    fixture.seals_and_verifies().await;
}

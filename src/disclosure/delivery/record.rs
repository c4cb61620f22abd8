//! Steps 6 and 7 for the lines of a page: recorded concurrently, none released.

use tokio::task::JoinSet;

use super::{close::LineReceipt, line::LineDraft};
use crate::{
    disclosure::refusal::refused,
    domain::{Clock, Failure, ids::ConsentId},
    ledger::{Disclosed, RecordError, Recorder},
};

/// The most lines of a page that wait for their commit. Enough that many share a commit, and few enough that a single
/// answer behind them waits for one batch and not for a whole page.
pub(super) const MAX_PENDING: usize = 64;

/// The outcome of recording a line.
pub(super) enum Outcome {
    /// The record is durable.
    Recorded(Box<Disclosed>),
    /// A version moved between reading and append.
    Stale,
    /// The consent's budget is used up.
    UsedUp,
}

/// Records lines. When an append fails or its outcome is unknown, there is no delivery (I1). The lines recorded before that
/// are records without an answer, which is safe.
pub(super) async fn record_all(
    recorder: &Recorder,
    drafts: Vec<LineDraft>,
    clock: &dyn Clock,
) -> Result<Vec<(ConsentId, Option<LineReceipt>, Outcome)>, Failure> {
    let mut recorded = Vec::with_capacity(drafts.len());
    let mut waiting = drafts.into_iter();
    let mut pending = JoinSet::new();
    let mut failed = None;
    loop {
        while pending.len() < MAX_PENDING
            && failed.is_none()
            && let Some(LineDraft { consent, receipt, draft }) = waiting.next()
        {
            let recorder = recorder.clone();
            // In tasks, so that many lines are before the ledger together and share a commit.
            pending.spawn(async move { (consent, receipt, recorder.record(draft).await) });
        }
        // After a failure the pending appends still run to their end, so that no page leaves work behind.
        let Some(joined) = pending.join_next().await else {
            return failed.map_or(Ok(recorded), |error| Err(refused(error, clock.now())));
        };
        // After a panic the outcome of that line is unknown, so there is no page.
        let (consent, receipt, outcome) = joined.map_err(|error| Failure::internal(error.to_string()))?;
        let outcome = match outcome {
            Ok(line) => Outcome::Recorded(Box::new(line)),
            Err(RecordError::Stale) => Outcome::Stale,
            Err(RecordError::TotalUsedUp(_) | RecordError::DayUsedUp(_)) => Outcome::UsedUp,
            Err(
                error @ (RecordError::Unavailable(_) | RecordError::HistoryBehind(_) | RecordError::ClockUntrusted(_)),
            ) => {
                failed = Some(error);
                continue;
            }
        };
        recorded.push((consent, receipt, outcome));
    }
}

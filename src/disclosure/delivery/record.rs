//! Steps 6 and 7 for the lines of a page: recorded in company, none released.

use tokio::task::JoinSet;

use super::{close::LineReceipt, line::Drafted};
use crate::{
    disclosure::refusal::refused,
    domain::{Clock, Failure, ids::ConsentId},
    ledger::{Disclosed, RecordError, Recorder},
};

/// How many lines of a page wait for their commit at a time. Enough that a commit is shared by many, and few enough that a
/// single answer behind them waits for one batch and not for a page.
pub(super) const TOGETHER: usize = 64;

/// What became of a line.
pub(super) enum Outcome {
    /// Its record is durable.
    Recorded(Box<Disclosed>),
    /// What it rests on has moved.
    Stale,
    /// Its consent has been used as often as it may be.
    UsedUp,
}

/// Records lines. When the ledger fails for one, or nobody knows, there is no delivery (I1): what was recorded already is
/// recorded too much, never too little.
pub(super) async fn together(
    recorder: &Recorder,
    drafts: Vec<Drafted>,
    clock: &dyn Clock,
) -> Result<Vec<(ConsentId, LineReceipt, Outcome)>, Failure> {
    let mut told = Vec::with_capacity(drafts.len());
    let mut waiting = drafts.into_iter();
    let mut under_way = JoinSet::new();
    let mut failed = None;
    loop {
        while under_way.len() < TOGETHER
            && failed.is_none()
            && let Some(Drafted { consent, receipt, draft }) = waiting.next()
        {
            let recorder = recorder.clone();
            under_way.spawn(async move { (consent, receipt, recorder.record(draft).await) });
        }
        // After a failure what is under way comes to its end, so that no page leaves work behind it.
        let Some(joined) = under_way.join_next().await else {
            return failed.map_or(Ok(told), |error| Err(refused(error, clock.now())));
        };
        let (consent, receipt, outcome) = joined.map_err(|error| Failure::internal(error.to_string()))?;
        let outcome = match outcome {
            Ok(line) => Outcome::Recorded(Box::new(line)),
            Err(RecordError::Stale) => Outcome::Stale,
            Err(RecordError::TotalUsedUp(_) | RecordError::DayUsedUp(_)) => Outcome::UsedUp,
            Err(error @ RecordError::Unavailable(_)) => {
                failed = Some(error);
                continue;
            }
        };
        told.push((consent, receipt, outcome));
    }
}

//! An answer before and after its record is durable: [`Draft`] and [`Disclosed`].

use std::fmt;

use http::HeaderMap;

use super::{
    body::AnswerBody,
    budget::{Budget, BudgetUse},
    entry::{Entry, Opening},
};
use crate::domain::{
    Timestamp,
    ids::{ClientId, ConsentId},
};

/// The versions that an answer rests on, as they were when it was rendered. The append compares them again (I2).
#[derive(Debug, Clone)]
pub struct ReadVersions {
    pub client_id: ClientId,
    /// The bank's epoch, raised when it is suspended or a certificate or token of it is revoked.
    pub client_epoch: i64,
    pub consent_id: ConsentId,
    pub consent_version: i64,
    /// The subjects of the answer with their versions.
    pub subjects: Vec<(String, i64)>,
    /// The number of the published grades in force.
    pub publication: i64,
    /// When the answer was rendered. The consent must be active and unexpired then, and at the time of the commit.
    pub now: Timestamp,
    /// When the consent expires: checked once more after the commit, which may have waited for a lock.
    pub expires_at: Timestamp,
}

/// The exact bytes of an answer, digested and signed.
#[derive(Clone)]
pub struct Answer {
    pub headers: HeaderMap,
    pub body: AnswerBody,
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a subject's data (I8).
        write!(f, "Answer({} bytes)", self.body.len())
    }
}

/// An answer to be recorded.
#[derive(Debug, Clone)]
pub struct Draft {
    /// The versions it rests on.
    pub versions: ReadVersions,
    /// The budget it is charged to.
    pub budget: Budget,
    pub entry: Entry,
    pub opening: Opening,
    /// The answer itself.
    pub answer: Answer,
}

/// An answer whose record is durable. Nothing else can be released to a bank, and only this room makes one.
#[derive(Debug)]
pub struct Disclosed {
    id: String,
    answer: Answer,
    budget: Option<BudgetUse>,
}

impl Disclosed {
    /// Private to this room: its callers have seen the commit succeed.
    pub(super) const fn after_commit(id: String, answer: Answer, budget: Option<BudgetUse>) -> Self {
        Self { id, answer, budget }
    }

    /// The disclosure's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The use of the consent's budget including this answer, where the consent has one.
    pub const fn budget(&self) -> Option<BudgetUse> {
        self.budget
    }

    /// The answer, to be released.
    pub fn into_answer(self) -> Answer {
        self.answer
    }
}

/// Why an answer may not be released.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A version it rests on has changed. It may be rendered again, once.
    #[error("the consent, the bank, a subject or the published grades changed while the answer was made")]
    Stale,
    /// All fetches of the consent are used.
    #[error("the consent is used up")]
    TotalUsedUp(BudgetUse),
    /// All fetches of the consent for one day are used.
    #[error("the consent is used up for the day")]
    DayUsedUp(BudgetUse),
    /// The ledger in the database is not the newest that is known outside (I9).
    #[error("{0}")]
    HistoryBehind(String),
    /// The gateway's clock is not to be relied on (I10).
    #[error("{0}")]
    ClockUntrusted(String),
    /// The record failed, or its outcome is unknown: there is no answer (I1).
    #[error("the disclosure could not be recorded: {0}")]
    Unavailable(String),
}

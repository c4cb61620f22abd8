//! Why a call of a carrier failed: one word for metrics, a sentence for an operator, and what it means for the next attempt.

use std::time::Duration;

use crate::outbox::{FailedAttempt, Receipt};

/// Why a call failed, in a word of a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FailureReason {
    /// The receiver did not answer in time: whether it has the page is unknown.
    Timeout,
    /// Nothing listens at the address.
    Refused,
    /// The name resolves to no address.
    Name,
    /// The name resolves to addresses outside the platform's networks. No connection was made.
    Network,
    /// The receiver's certificate is not accepted.
    Certificate,
    /// The receiver does not accept our certificate, or TLS failed in another way.
    Tls,
    /// The connection ended before the answer was complete: whether the receiver has the page is unknown.
    Closed,
    /// The connection failed in another way.
    Connection,
    /// The receiver answered with a redirect, which is never followed.
    Redirect,
    /// The receiver answered with a status that is no success.
    Status,
    /// The answer has more bytes than are read.
    TooLarge,
    /// The answer cannot be read.
    Answer,
    /// Our certificate or key cannot be read or used.
    Credentials,
    /// The request could not be signed.
    Signature,
    /// The page does not belong to the package, or the package does not have the rows that it states.
    Page,
    /// A row or a field cannot be written in the receiver's format.
    Field,
    /// A dataset's or a source's name is no part of a file name.
    FileName,
    /// Earlier pages are missing.
    Incomplete,
    /// The receiver has something else under the same name.
    Conflict,
    /// The directory or the table is missing.
    Missing,
    /// The directory, a file or a table may not be read or written.
    Permission,
    /// The disk or the database is full.
    DiskFull,
    /// The file system failed in another way.
    Disk,
    /// The database failed in another way.
    Database,
    /// The server does not prove the key that is pinned.
    HostKey,
    /// The carrier cannot do this.
    Unsupported,
}

impl FailureReason {
    /// The word, in attempts and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Refused => "refused",
            Self::Name => "name",
            Self::Network => "network_not_allowed",
            Self::Certificate => "certificate",
            Self::Tls => "tls",
            Self::Closed => "closed",
            Self::Connection => "connection",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::TooLarge => "answer_too_large",
            Self::Answer => "answer",
            Self::Credentials => "credentials",
            Self::Signature => "signature",
            Self::Page => "page",
            Self::Field => "field",
            Self::FileName => "file_name",
            Self::Incomplete => "incomplete",
            Self::Conflict => "conflict",
            Self::Missing => "missing",
            Self::Permission => "permission",
            Self::DiskFull => "disk_full",
            Self::Disk => "disk",
            Self::Database => "database",
            Self::HostKey => "host_key",
            Self::Unsupported => "unsupported",
        }
    }
}

/// A failed call of a carrier.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{detail}")]
pub struct Failed {
    pub reason: FailureReason,
    /// What is wrong, where, and what to do; without personal data.
    pub detail: String,
    /// The receiver's answer, as far as there was one. Boxed, because most results are successes.
    pub receipt: Box<Receipt>,
    /// The wait that the receiver requests. The outbox's policy bounds it.
    pub retry_after: Option<Duration>,
    /// Whether a repeated attempt cannot succeed.
    pub permanent: bool,
}

impl Failed {
    /// A failure after which the same call may succeed later.
    pub fn passing(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), receipt: Box::default(), retry_after: None, permanent: false }
    }

    /// A failure that a repeated call would meet again.
    pub fn permanent(reason: FailureReason, detail: impl Into<String>) -> Self {
        Self { permanent: true, ..Self::passing(reason, detail) }
    }
}

impl From<Failed> for FailedAttempt {
    fn from(failed: Failed) -> Self {
        let Failed { reason, detail, receipt, retry_after, permanent } = failed;
        let receipt = Receipt { detail: Some(detail), ..*receipt };
        Self { reason: reason.as_str(), receipt, retry_after, permanent }
    }
}

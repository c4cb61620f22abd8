//! Errors of accounts and sign-in.

use super::PasswordFault;
use crate::{
    domain::{Failure, FailureKind, Malformed, Timestamp, error_chain},
    ledger::LedgerError,
    store::{CrypterError, DbError},
};

/// Why something could not be done with an account.
#[derive(Debug, thiserror::Error)]
pub enum PrincipalsError {
    /// The name cannot be an operator's.
    #[error("{0}")]
    Name(#[source] Malformed),
    /// An operator has the name, or one that is the same without differences of case and spaces.
    #[error("an operator is named {0:?} already, or the same but for spaces and capitals")]
    Exists(String),
    /// There is no such operator.
    #[error("no operator is named {0:?}: `medcredit operator list` lists them")]
    NoSuchOperator(String),
    /// A suspended operator gets no link.
    #[error("the operator {0} is suspended: resume it first")]
    Suspended(String),
    /// The reason is empty, too long, or has characters that cannot be seen.
    #[error("the reason: {0}")]
    Reason(#[source] Malformed),
    /// A password's hash could not be computed or read.
    #[error("the password's hash: {0}")]
    Hash(&'static str),
    /// The picture of a secret could not be drawn.
    #[error("the name is too long for a QR code")]
    QrCode,
    /// A secret could not be sealed or opened.
    #[error("the secret of one-time codes")]
    Crypter(#[from] CrypterError),
    #[error("the ledger")]
    Ledger(#[from] LedgerError),
    #[error("the database")]
    Store(#[from] DbError),
}

impl From<PrincipalsError> for Failure {
    fn from(error: PrincipalsError) -> Self {
        let text = error.to_string();
        match error {
            PrincipalsError::Name(_) => Self::invalid("name", "invalid_request", text),
            PrincipalsError::Reason(_) => Self::invalid("reason", "invalid_request", text),
            PrincipalsError::Exists(_) => Self::new(FailureKind::Conflict, "operator_exists", text),
            PrincipalsError::NoSuchOperator(_) => Self::not_found("operator_not_found", text),
            PrincipalsError::Suspended(_) => Self::new(FailureKind::Conflict, "operator_suspended", text),
            PrincipalsError::Store(error) => error.into(),
            PrincipalsError::Ledger(error) => error.into(),
            PrincipalsError::Hash(_) | PrincipalsError::QrCode | PrincipalsError::Crypter(_) => {
                Self::internal(error_chain(&error))
            }
        }
    }
}

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum SignInError {
    /// Name, password or code are wrong, or the operator may not sign in: which it is, is not said.
    #[error("the name, the password or the code is not right")]
    Refused,
    /// Too many attempts under the name have failed.
    #[error("too many attempts have failed")]
    LockedUntil(Timestamp),
    #[error(transparent)]
    Principals(#[from] PrincipalsError),
}

/// Why an operator could not enrol. The link can be used again.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The link was used, replaced or never made, or it has expired.
    #[error("the link is not valid any more")]
    NoInvitation,
    /// The password may not be chosen.
    #[error("{0}")]
    Password(#[source] PasswordFault),
    /// The code is not that of the shown secret.
    #[error("the code is not right")]
    Code,
    #[error(transparent)]
    Principals(#[from] PrincipalsError),
}

/// The operator does not have the role that an act needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the act needs the role {0}")]
pub struct RoleMissing(pub super::Role);

impl From<DbError> for SignInError {
    fn from(error: DbError) -> Self {
        Self::Principals(error.into())
    }
}

impl From<DbError> for EnrolError {
    fn from(error: DbError) -> Self {
        Self::Principals(error.into())
    }
}

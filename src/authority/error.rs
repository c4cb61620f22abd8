//! Errors of this room.

use std::path::PathBuf;

use super::Purpose;
use crate::{
    config::ConfigError,
    domain::{Failure, FailureKind, error_chain},
    identity::{IdentityError, SuiteError},
    ledger::LedgerError,
    store::{CrypterError, DbError},
};

/// An error of an operation on keys and certificates.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The database failed.
    #[error("the store failed")]
    Store(#[source] DbError),
    /// The ledger refused the entry.
    #[error("the change could not be recorded in the ledger")]
    Ledger(#[source] LedgerError),
    /// A sealed key could not be opened or sealed.
    #[error("a sealed private key cannot be used")]
    Crypter(#[source] CrypterError),
    /// The store is sealed under a key-encryption key that the file does not have.
    #[error(
        "the file of key-encryption keys does not have the key under which the store seals: insert it again, or copy the \
         file of a gateway that has it"
    )]
    KeyMissing,
    /// The configuration of the key-encryption keys is invalid.
    #[error("the key-encryption keys cannot be read")]
    Config(#[source] ConfigError),
    /// A signing key is invalid.
    #[error("a {0} key cannot be used")]
    Key(Purpose, #[source] SuiteError),
    /// No key signs for the purpose.
    #[error("there is no active {0} key: create it with `medcredit keys init`")]
    NoKey(Purpose),
    /// The purpose has an active key already.
    #[error("there is an active {0} key already")]
    KeyExists(Purpose),
    /// A row has an unexpected value.
    #[error("{0}")]
    Corrupt(String),
    /// The object does not exist.
    #[error("there is no {0}")]
    Unknown(String),
    /// The request contradicts the current state.
    #[error("{0}")]
    Conflict(String),
    /// The input is invalid.
    #[error("{0}")]
    Invalid(String),
    /// A certificate cannot be used.
    #[error("the certificate of {0} cannot be used")]
    Certificate(String, #[source] IdentityError),
    /// A certificate or list could not be created.
    #[error("{0} could not be created")]
    Create(&'static str, #[source] rcgen::Error),
    /// The TLS library refused the material.
    #[error("the TLS material cannot be used")]
    Tls(#[source] rustls::Error),
    /// A file could not be read or written.
    #[error("{} cannot be {verb}", path.display())]
    File {
        path: PathBuf,
        /// `read` or `written`.
        verb: &'static str,
        #[source]
        source: std::io::Error,
    },
}

impl From<AuthorityError> for Failure {
    fn from(error: AuthorityError) -> Self {
        let context = error_chain(&error);
        match error {
            AuthorityError::Store(error) => error.into(),
            AuthorityError::Unknown(_) => Self::not_found("authority_unknown", context),
            AuthorityError::Conflict(_) | AuthorityError::KeyExists(_) => {
                Self::new(FailureKind::Conflict, "authority_conflict", context)
            }
            AuthorityError::Invalid(_) | AuthorityError::Certificate(..) => {
                Self::new(FailureKind::Unprocessable, "authority_invalid", context)
            }
            // The others name rows, keys and files: details for the operator's log and not for a caller.
            _ => Self::internal(context),
        }
    }
}

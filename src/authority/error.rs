//! What can go wrong with keys and certificates.

use std::path::PathBuf;

use super::Purpose;
use crate::{
    config::ConfigError,
    domain::{Failure, FailureKind, error_chain},
    identity::{IdentityError, SuiteError},
    ledger::LedgerError,
    store::{CrypterError, DbError},
};

/// A failure of this room.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The database.
    #[error("the store failed")]
    Store(#[source] DbError),
    /// The ledger did not take the entry of the act.
    #[error("the act could not be recorded in the ledger")]
    Ledger(#[source] LedgerError),
    /// A sealed secret, or the keys that seal.
    #[error("a sealed private key cannot be used")]
    Crypter(#[source] CrypterError),
    /// The configuration.
    #[error("the key-encryption keys cannot be read")]
    Config(#[source] ConfigError),
    /// A signing key.
    #[error("a {0} key cannot be used")]
    Key(Purpose, #[source] SuiteError),
    /// No key signs for the purpose.
    #[error("there is no active {0} key: `medcredit keys rotate {0}` makes one")]
    NoKey(Purpose),
    /// The key exists already.
    #[error("there is an active {0} key already")]
    KeyExists(Purpose),
    /// A row holds something this build does not know.
    #[error("{0}")]
    Corrupt(String),
    /// There is no such thing.
    #[error("there is no {0}")]
    Unknown(String),
    /// It was done before, or stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// What was given cannot be used.
    #[error("{0}")]
    Invalid(String),
    /// A certificate cannot be used.
    #[error("the certificate of {0} cannot be used")]
    Certificate(String, #[source] IdentityError),
    /// A certificate or list could not be made.
    #[error("{0} could not be made")]
    Making(&'static str, #[source] rcgen::Error),
    /// The TLS library refused the material.
    #[error("the TLS material cannot be used")]
    Tls(#[source] rustls::Error),
    /// A file.
    #[error("{} cannot be {verb}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was tried: `read` or `written`.
        verb: &'static str,
        /// Why not.
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
            _ => Self::internal(context),
        }
    }
}

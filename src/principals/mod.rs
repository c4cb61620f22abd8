//! Operators: the people who administer the gateway. Accounts, roles, enrolment, sign-in and sessions.
//!
//! Invariants: only this room makes a [`SignedIn`] and an [`OperatorSession`], from a cookie's token that the database knows; the
//! database decides, so that every gateway sees the end of a session with the next request, and a restart ends none; a wrong name, a
//! wrong password and a wrong code have one answer and take the same time; nothing that opens an account is stored as it is: tokens and
//! recovery codes as digests, passwords as argon2id, the secrets of one-time codes sealed. Every change is one ledger entry. This room
//! knows nothing of HTTP, and of what operators do only that it needs a role.

mod accounts;
mod enrol;
mod error;
mod hashing;
mod lockout;
mod password;
mod qr;
mod reseal;
mod roles;
mod secrets;
mod session;
mod sign_in;
mod totp;

use std::{sync::Arc, time::Duration};

pub use accounts::{Invited, OperatorDetail, OperatorState, OperatorSummary};
pub use enrol::{Invitation, RecoveryCodes};
pub use error::{EnrolError, PrincipalsError, RoleMissing, SignInError};
pub use password::PasswordFault;
pub use reseal::reseal_operators;
pub use roles::{
    Auditor, ConsentOfficer, PushOfficer, Reader, Role, RoleMarker, Roles, ScoringOfficer, SecurityOfficer,
    SystemOfficer,
};
pub use session::{OperatorSession, SessionRow, SignedIn, Visit};
pub use sign_in::NewSession;

use crate::{
    domain::names::comparable,
    store::{Crypter, Env},
};

/// The settings of accounts and sessions.
#[derive(Debug, Clone)]
pub struct PrincipalsPolicy {
    /// The console's origin: links begin with it, and authenticators show its host.
    pub origin: String,
    /// How long a session may be without a request.
    pub session_idle: Duration,
    /// How long a session lasts at most.
    pub session_absolute: Duration,
    /// How long a link to enrol is valid.
    pub invitation: Duration,
}

/// The entry point of the room. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Principals {
    env: Env,
    crypter: Arc<Crypter>,
    policy: Arc<PrincipalsPolicy>,
    hasher: hashing::Hasher,
}

impl Principals {
    /// Opens the room.
    pub fn open(env: Env, crypter: Arc<Crypter>, policy: PrincipalsPolicy) -> Self {
        Self { env, crypter, policy: Arc::new(policy), hasher: hashing::Hasher::new() }
    }
}

/// A name as it is compared: two that look alike are one.
fn name_key(name: &str) -> String {
    comparable(name).to_lowercase()
}

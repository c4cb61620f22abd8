//! Clients: registration, suspension, tokens, and the authentication of callers.
//!
//! Invariants: only this room makes a [`Caller`], from a handshaken connection's identity and a token bound to its
//! certificate; a client is found by its authority **and** its subject, so that no authority can issue certificates for
//! another's bank; the state of client, certificate, token and key is checked on every request, from a snapshot that is
//! never older than a second (I3). This room knows nothing of HTTP, and of consents only whether those of a token are
//! still in force.

mod assertion;
mod caller;
mod client;
mod directory;
mod issue;
mod manage;
mod nonce;
mod read;

use std::sync::Arc;

pub use caller::{Caller, Refused};
pub use client::{AuthMethod, Client, ClientKind, ClientState, Delivers, LimitOverrides, NewClient, SignedRequests};
pub use directory::Directory;
pub use issue::{ActiveToken, Introspection, IssuedToken, TokenRequest};
pub use manage::{MOST_PENDING, SigningChange, change_signing, check_new, list, register, resume, suspend};
pub use read::{ClientFilter, ClientRecord, counts, find, page};

use crate::{
    domain::Failure,
    identity::{ClientIdentity, keyset::LiveKeys, token::Expected},
    store::Env,
};

/// The settings of access tokens.
#[derive(Debug, Clone)]
pub struct TokenPolicy {
    /// The issuer and the audience of every token.
    pub expected: Expected,
    /// The URL of the token endpoint: an assertion may have it as its audience (K3).
    pub token_endpoint: String,
    /// The lifetime of a token in seconds (K6: two to ten minutes).
    pub lifetime_seconds: i64,
}

/// The entry point of the room: authenticates callers, issues and revokes tokens.
#[derive(Debug, Clone)]
pub struct Access(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    env: Env,
    keys: LiveKeys,
    policy: TokenPolicy,
    directory: directory::LiveDirectory,
    tokens: caller::TokenCache,
    nonces: nonce::Nonces,
}

impl Access {
    /// Opens the room and reads the directory for the first time.
    pub async fn open(env: Env, keys: LiveKeys, policy: TokenPolicy) -> Result<Self, crate::store::DbError> {
        let directory = directory::LiveDirectory::open(&env.db, &*env.clock).await?;
        Ok(Self(Arc::new(Inner {
            env,
            keys,
            policy,
            directory,
            tokens: caller::TokenCache::default(),
            nonces: nonce::Nonces::default(),
        })))
    }

    /// Reads the directory again. Call it when the change number has moved, and after changes by this process.
    pub async fn reload(&self) -> Result<(), crate::store::DbError> {
        self.0.directory.reload(&self.0.env.db).await
    }

    /// Reads the directory again if the change number has moved. Returns whether it had.
    pub async fn catch_up(&self) -> Result<bool, crate::store::DbError> {
        self.0.directory.catch_up(&self.0.env.db, &*self.0.env.clock).await
    }

    /// Reads the directory again if anything was changed since, so that what is decided next knows every change that was
    /// committed before: of a suspension, for instance, by another process a millisecond ago.
    pub async fn follow(&self, identity: &ClientIdentity) -> Result<(), Failure> {
        let Env { db, clock, .. } = &self.0.env;
        // First: a gateway that is cut off from the database refuses immediately.
        let directory = self.0.directory.fresh(&**clock)?;
        let client = directory.by_identity(identity.authority(), identity.subject());
        // A stranger is refused by what was read last, and must not cost a query.
        if !client.is_some_and(|client| client.is_active()) {
            return Ok(());
        }
        // Bounded by the age at which the directory counts as out of date: then the answer is the same.
        let followed = tokio::time::timeout(directory::MAX_AGE, self.0.directory.follow(db)).await;
        let unknown =
            || Failure::unavailable("state_unknown", "the database did not say in time whether anything changed");
        Ok(followed.map_err(|_| unknown())??)
    }

    /// Fails if the directory may be out of date.
    pub fn is_current(&self) -> Result<(), Failure> {
        self.0.directory.fresh(&*self.0.env.clock).map(|_| ())
    }

    /// The current snapshot of the directory.
    pub fn directory(&self) -> Arc<Directory> {
        self.0.directory.snapshot()
    }
}

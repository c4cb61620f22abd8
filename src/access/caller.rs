//! Authentication of callers: by the certificate of the connection, and a token bound to it.

use std::{
    collections::HashMap,
    sync::{Arc, RwLock},
};

use super::{Access, client::Client};
use crate::{
    domain::{Failure, FailureKind, Timestamp, ids::ClientId, permission::Scope},
    identity::{
        ClientIdentity,
        token::{AccessClaims, ConsentDetail, TokenRefusal, claimed_client, verify_access_token},
    },
    store::consents,
};

/// A verified token, cached by the hash of its text until it expires.
#[derive(Debug)]
pub(super) struct VerifiedToken {
    pub(super) claims: AccessClaims,
    kid: String,
    scopes: Vec<Scope>,
}

/// An authenticated client with a token that is bound to its connection. Only this file makes one.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Arc<Client>,
    token: Arc<VerifiedToken>,
    thumbprint: String,
    change: i64,
}

impl Caller {
    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The client's id.
    pub fn id(&self) -> ClientId {
        self.client.id
    }

    /// The thumbprint of the connection's certificate.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The change number at which the client and its epoch were read.
    pub const fn seen_at_change(&self) -> i64 {
        self.change
    }

    /// The scopes of the token.
    pub fn scopes(&self) -> &[Scope] {
        &self.token.scopes
    }

    /// When the token expires.
    pub fn token_expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.token.claims.exp)
    }

    /// The consents that the token is limited to, if it is.
    pub fn consents(&self) -> Option<&[ConsentDetail]> {
        self.token.claims.authorization_details.as_deref()
    }

    /// Refuses a token that has none of these scopes (K16).
    pub fn require(&self, one_of: &[Scope]) -> Result<(), Failure> {
        if one_of.iter().any(|scope| self.token.scopes.contains(scope)) {
            return Ok(());
        }
        let scopes: Vec<_> = one_of.iter().map(|scope| scope.as_str()).collect();
        Err(Failure::forbidden(
            "insufficient_scope",
            format!("This needs a token with the scope {}.", scopes.join(" or ")),
        ))
    }
}

/// The most tokens in the cache. A full cache drops the expired ones, and then all: each costs a signature check again.
const CACHE_LIMIT: usize = 10_000;

/// Verified tokens by the SHA-256 of their text. Only signature and claims are cached, never a decision.
#[derive(Debug, Default)]
pub(super) struct TokenCache(RwLock<HashMap<[u8; 32], Arc<VerifiedToken>>>);

impl TokenCache {
    fn get(&self, hash: &[u8; 32]) -> Option<Arc<VerifiedToken>> {
        // A poisoned lock is usable: no insertion leaves the map half changed.
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(hash).cloned()
    }

    fn put(&self, hash: [u8; 32], token: Arc<VerifiedToken>, now: Timestamp) {
        let mut cache = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.len() >= CACHE_LIMIT {
            // Only under memory pressure: dropping tokens costs signature checks, never a wrong answer.
            cache.retain(|_, token| token.claims.exp > now.seconds());
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
        }
        cache.insert(hash, token);
    }
}

/// The refusal of a caller that could not be authenticated.
#[derive(Debug, Clone)]
pub struct Refused {
    /// The answer to the caller.
    pub failure: Failure,
    /// Whether the token was issued to this client and has ended since. `whoami` explains that to the client, and it does
    /// not count as a failed authentication: tokens end in the ordinary course of things.
    pub ended: bool,
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, ended: false }
    }
}

impl From<crate::store::DbError> for Refused {
    fn from(error: crate::store::DbError) -> Self {
        Failure::from(error).into()
    }
}

fn ended(context: impl Into<String>) -> Refused {
    Refused { failure: invalid_token(context), ended: true }
}

/// The only answer to a refused token. The reason goes to the log.
pub(super) fn invalid_token(context: impl Into<String>) -> Failure {
    Failure::new(
        FailureKind::Unauthenticated,
        "invalid_token",
        "The access token is not valid for this connection. Get a new one from the token endpoint over the same certificate.",
    )
    .because(context)
}

impl Access {
    /// Authenticates a caller: the connection's certificate belongs to an active client, and the token was issued to that
    /// client, for that certificate, and has not ended (K2, K7, K8, T5).
    pub async fn authenticate(&self, identity: &ClientIdentity, unverified_token: &str) -> Result<Caller, Refused> {
        let now = self.0.env.clock.now();
        // Fails closed: with a snapshot older than a second, no caller is authenticated (I3).
        let directory = self.0.directory.fresh(&*self.0.env.clock)?;
        let client = directory
            .by_identity(identity.authority(), identity.subject())
            .filter(|client| client.is_active())
            .ok_or_else(|| invalid_token("the certificate belongs to no active client"))?;
        let token = self.verified(client.id, unverified_token, now)?;
        let claims = &token.claims;
        // Not `ended`: another certificate is how a stolen token is tried (T5), so it counts as a failure.
        if claims.cnf.x5t_s256 != identity.thumbprint() {
            return Err(invalid_token("the token is bound to another certificate").into());
        }
        if directory.is_revoked(&claims.jti) {
            return Err(ended("the token was revoked"));
        }
        if let Some(details) = &claims.authorization_details {
            // Boxed: few tokens are limited to consents, and the future of every request should not have room for this.
            Box::pin(self.require_consents(client.id, details, now)).await?;
        }
        Ok(Caller {
            client: client.clone(),
            token,
            thumbprint: identity.thumbprint().to_owned(),
            change: directory.change,
        })
    }

    /// Checks a caller again after something changed during its request.
    pub async fn refresh(&self, caller: &Caller) -> Result<Caller, Failure> {
        // The change that made the answer stale may not be in this process's snapshot yet.
        self.reload().await?;
        let now = self.0.env.clock.now();
        let directory = self.0.directory.fresh(&*self.0.env.clock)?;
        let client = directory
            .client(&caller.client.id)
            .filter(|client| client.is_active())
            .ok_or_else(|| invalid_token("the client was suspended during its request"))?;
        if client.epoch != caller.client.epoch {
            // Its certificate, a token or the client itself was revoked. The next request is authenticated from the start;
            // this one began before the revocation, so it gets no answer after it (I3).
            return Err(Failure::unavailable("state_moving", "the client's epoch was raised during its request"));
        }
        let claims = &caller.token.claims;
        if directory.is_revoked(&claims.jti) || claims.exp <= now.seconds() {
            return Err(invalid_token("the token ended during its request"));
        }
        if let Some(details) = &claims.authorization_details {
            self.require_consents(client.id, details, now).await.map_err(|refused| refused.failure)?;
        }
        Ok(Caller { client: client.clone(), ..caller.clone() })
    }

    /// The active client that a certificate belongs to. Needs no token.
    pub fn client_of(&self, identity: &ClientIdentity) -> Result<Arc<Client>, Failure> {
        let directory = self.0.directory.fresh(&*self.0.env.clock)?;
        directory
            .by_identity(identity.authority(), identity.subject())
            .filter(|client| client.is_active())
            .cloned()
            .ok_or_else(|| {
                Failure::new(
                    FailureKind::Unauthenticated,
                    "invalid_client",
                    "The certificate on this connection belongs to no active client.",
                )
            })
    }

    /// Verifies a client's own token: signature and claims from the cache where they were verified before, expiry and key
    /// every time.
    pub(super) fn verified(
        &self,
        client: ClientId,
        unverified_token: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, Refused> {
        let foreign = || Refused::from(invalid_token("the token was issued to another client"));
        // The text itself is a credential, and stays out of the cache.
        let hash = sha256(unverified_token.as_bytes());
        let keys = self.0.keys.load();
        if let Some(token) = self.0.tokens.get(&hash) {
            // Before expiry and key: a client learns nothing about the tokens of others, not even that they have expired.
            if token.claims.client_id != client {
                return Err(foreign());
            }
            if token.claims.exp <= now.seconds() {
                return Err(ended("the token has expired"));
            }
            // The key may have been revoked after the token was cached.
            if !keys.verification.contains(&token.kid) {
                return Err(ended("the key that signed the token was withdrawn"));
            }
            return Ok(token);
        }
        let verified = verify_access_token(unverified_token, &keys.verification, &self.0.policy.expected, now);
        let (claims, kid) = verified.map_err(|refusal| match refusal {
            // Expiry is checked last: signature, issuer and audience were right.
            TokenRefusal::Expired if claimed_client(unverified_token) == Some(client) => ended(refusal.to_string()),
            _ => invalid_token(refusal.to_string()).into(),
        })?;
        if claims.client_id != client {
            return Err(foreign());
        }
        // A scope that this version does not have is dropped: nothing here asks for it.
        let scopes = claims.scope.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        let token = Arc::new(VerifiedToken { claims, kid, scopes });
        self.0.tokens.put(hash, token.clone(), now);
        Ok(token)
    }

    /// Checks the consents that a token is limited to: each must be active, and unchanged since the token was issued (K8,
    /// K14, C5).
    pub(super) async fn require_consents(
        &self,
        client: ClientId,
        details: &[ConsentDetail],
        now: Timestamp,
    ) -> Result<(), Refused> {
        // Read from the tables each time: a change of a consent must end the token immediately.
        let ids: Vec<String> = details.iter().map(|detail| detail.identifier.to_string()).collect();
        let rows = consents::standings(&self.0.env.db, &ids).await?;
        let client = client.to_string();
        let is_in_force = |detail: &ConsentDetail| {
            let id = detail.identifier.to_string();
            rows.iter().any(|row| {
                // The version too: any change since the token was issued ends it (C5).
                row.id == id
                    && row.version == detail.version
                    && row.client_id == client
                    && row.state == "active"
                    && row.expires_at.is_some_and(|at| at > now.micros())
            })
        };
        if details.iter().all(is_in_force) {
            return Ok(());
        }
        Err(ended("a consent the token is limited to has changed or ended"))
    }
}

pub(super) fn sha256(bytes: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    out.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, bytes).as_ref());
    out
}

//! Who is calling, proved: a certificate the connection proved, and a token bound to it.

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

/// A verified token, kept by the hash of its text until it expires.
#[derive(Debug)]
pub(super) struct VerifiedToken {
    pub(super) claims: AccessClaims,
    kid: String,
    scopes: Vec<Scope>,
}

/// An authenticated client with a token for this very connection. Made here alone.
#[derive(Debug, Clone)]
pub struct Caller {
    client: Arc<Client>,
    token: Arc<VerifiedToken>,
    thumbprint: String,
    change: i64,
}

impl Caller {
    /// Who it is.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// Its identifier.
    pub fn id(&self) -> ClientId {
        self.client.id
    }

    /// The certificate on the connection.
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }

    /// The change number at which its client, and the client's epoch, were read.
    pub const fn seen_at_change(&self) -> i64 {
        self.change
    }

    /// What the token may be used for.
    pub fn scopes(&self) -> &[Scope] {
        &self.token.scopes
    }

    /// When the token expires.
    pub fn token_expires_at(&self) -> Timestamp {
        Timestamp::from_seconds(self.token.claims.exp)
    }

    /// The consents the token is limited to, where it is.
    pub fn consents(&self) -> Option<&[ConsentDetail]> {
        self.token.claims.authorization_details.as_deref()
    }

    /// Refuses a token that was issued for none of these scopes (K16).
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

/// The most tokens remembered; beyond it the expired and then all are forgotten, which costs a signature check each.
const CACHE_LIMIT: usize = 10_000;

/// Verified tokens by SHA-256 of their text. Only the signature and the claims are remembered, never a decision.
#[derive(Debug, Default)]
pub(super) struct TokenCache(RwLock<HashMap<[u8; 32], Arc<VerifiedToken>>>);

impl TokenCache {
    fn get(&self, hash: &[u8; 32]) -> Option<Arc<VerifiedToken>> {
        self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner).get(hash).cloned()
    }

    fn put(&self, hash: [u8; 32], token: Arc<VerifiedToken>, now: Timestamp) {
        let mut cache = self.0.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        if cache.len() >= CACHE_LIMIT {
            cache.retain(|_, token| token.claims.exp > now.seconds());
            if cache.len() >= CACHE_LIMIT {
                cache.clear();
            }
        }
        cache.insert(hash, token);
    }
}

/// A caller that was not proved.
#[derive(Debug, Clone)]
pub struct Refused {
    /// What it is told.
    pub failure: Failure,
    /// Whether the token was really issued to this client and has merely ended. It is told so at `whoami`, and it is no
    /// failure of authentication: tokens end in the ordinary course of things.
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

/// The one thing a refused token is told; why is for the log.
pub(super) fn invalid_token(context: impl Into<String>) -> Failure {
    Failure::new(
        FailureKind::Unauthenticated,
        "invalid_token",
        "The access token is not valid for this connection. Get a new one from the token endpoint over the same certificate.",
    )
    .because(context)
}

impl Access {
    /// Proves who is calling: the connection's certificate belongs to an active client, and the token was issued to that
    /// client, for that certificate, and has not ended (K2, K7, K8, T5).
    pub async fn authenticate(&self, identity: &ClientIdentity, unverified_token: &str) -> Result<Caller, Refused> {
        let now = self.0.env.clock.now();
        let directory = self.0.directory.fresh(now)?;
        let client = directory
            .by_identity(identity.authority(), identity.subject())
            .filter(|client| client.is_active())
            .ok_or_else(|| invalid_token("the certificate belongs to no active client"))?;
        let token = self.verified(client.id, unverified_token, now)?;
        let claims = &token.claims;
        if claims.cnf.x5t_s256 != identity.thumbprint() {
            return Err(invalid_token("the token is bound to another certificate").into());
        }
        if directory.is_revoked(&claims.jti) {
            return Err(ended("the token was revoked"));
        }
        if let Some(details) = &claims.authorization_details {
            Box::pin(self.require_standing(client.id, details, now)).await?;
        }
        Ok(Caller {
            client: client.clone(),
            token,
            thumbprint: identity.thumbprint().to_owned(),
            change: directory.change,
        })
    }

    /// The same caller looked at again, after something changed while it was being answered.
    pub async fn refresh(&self, caller: &Caller) -> Result<Caller, Failure> {
        self.reload().await?;
        let now = self.0.env.clock.now();
        let directory = self.0.directory.fresh(now)?;
        let client = directory
            .client(&caller.client.id)
            .filter(|client| client.is_active())
            .ok_or_else(|| invalid_token("the client was suspended while it was answered"))?;
        if client.epoch != caller.client.epoch {
            // Its certificate, a token or the client itself was ended. The next request is proved from the beginning; this
            // one was begun before, and is not answered after (I3).
            return Err(Failure::unavailable("state_moving", "the client's epoch was raised while it was answered"));
        }
        let claims = &caller.token.claims;
        if directory.is_revoked(&claims.jti) || claims.exp <= now.seconds() {
            return Err(invalid_token("the token ended while it was answered"));
        }
        if let Some(details) = &claims.authorization_details {
            self.require_standing(client.id, details, now).await.map_err(|refused| refused.failure)?;
        }
        Ok(Caller { client: client.clone(), ..caller.clone() })
    }

    /// The active client this certificate belongs to, without a token.
    pub fn client_of(&self, identity: &ClientIdentity) -> Result<Arc<Client>, Failure> {
        let directory = self.0.directory.fresh(self.0.env.clock.now())?;
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

    /// Signature and claims of a client's own token, from memory where they were checked before; time and key again in any
    /// case.
    pub(super) fn verified(
        &self,
        client: ClientId,
        unverified_token: &str,
        now: Timestamp,
    ) -> Result<Arc<VerifiedToken>, Refused> {
        let foreign = || Refused::from(invalid_token("the token was issued to another client"));
        let hash = sha256(unverified_token.as_bytes());
        let keys = self.0.keys.load();
        if let Some(token) = self.0.tokens.get(&hash) {
            if token.claims.client_id != client {
                return Err(foreign());
            }
            if token.claims.exp <= now.seconds() {
                return Err(ended("the token has expired"));
            }
            if !keys.verification.contains(&token.kid) {
                return Err(ended("the key that signed the token was withdrawn"));
            }
            return Ok(token);
        }
        let verified = verify_access_token(unverified_token, &keys.verification, &self.0.policy.expected, now);
        let (claims, kid) = verified.map_err(|refusal| match refusal {
            // Time is looked at last: the signature, issuer and audience were right.
            TokenRefusal::Expired if claimed_client(unverified_token) == Some(client) => ended(refusal.to_string()),
            _ => invalid_token(refusal.to_string()).into(),
        })?;
        if claims.client_id != client {
            return Err(foreign());
        }
        let scopes = claims.scope.split(' ').filter_map(|scope| scope.parse().ok()).collect();
        let token = Arc::new(VerifiedToken { claims, kid, scopes });
        self.0.tokens.put(hash, token.clone(), now);
        Ok(token)
    }

    /// A token limited to consents dies with any of them (K8, K14, C5): each must be active and as it was at issue.
    pub(super) async fn require_standing(
        &self,
        client: ClientId,
        details: &[ConsentDetail],
        now: Timestamp,
    ) -> Result<(), Refused> {
        let ids: Vec<String> = details.iter().map(|detail| detail.identifier.to_string()).collect();
        let rows = consents::standings(&self.0.env.db, &ids).await?;
        let client = client.to_string();
        let stands = |detail: &ConsentDetail| {
            let id = detail.identifier.to_string();
            rows.iter().any(|row| {
                row.id == id
                    && row.version == detail.version
                    && row.client_id == client
                    && row.state == "active"
                    && row.expires_at.is_some_and(|at| at > now.micros())
            })
        };
        if details.iter().all(stands) {
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

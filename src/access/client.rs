//! A client as registered.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::{
    domain::{
        Malformed,
        ids::{AuthorityId, ClientId},
        permission::Scope,
        words::words,
    },
    identity::assertion::ClientKeys,
    store::clients::ClientRow,
};

words! {
    /// What a client is.
    ClientKind: "kind of client" {
        /// A partner bank.
        Bank = "bank",
        /// A department whose systems deliver records.
        Department = "department",
        /// Somebody who checks the ledger whole, and reads nothing else.
        Auditor = "auditor",
    }
}

impl ClientKind {
    /// Whether a client of this kind may be registered for a scope: auditors see every entry and no subject's data, all
    /// others the other way round.
    pub fn may_have(self, scope: Scope) -> bool {
        match scope {
            Scope::LedgerAudit => self == Self::Auditor,
            Scope::ImportsWrite => self == Self::Department,
            _ => self == Self::Bank,
        }
    }

    /// Every scope a client of this kind may have.
    pub fn scopes(self) -> Vec<Scope> {
        Scope::ALL.iter().copied().filter(|scope| self.may_have(*scope)).collect()
    }
}

words! {
    /// Whether a client may do anything.
    ClientState: "state of a client" {
        /// In good order.
        Active = "active",
        /// Stopped by an operator, until resumed.
        Suspended = "suspended",
        /// Gone for good.
        Closed = "closed",
    }
}

words! {
    /// How a client authenticates at the token endpoint, beside its certificate on the connection.
    AuthMethod: "authentication method" {
        /// The certificate itself (RFC 8705 section 2.1).
        TlsClientAuth = "tls_client_auth",
        /// A signed assertion (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
    }
}

words! {
    /// Whether a client's requests are signed (RFC 9421), beside its token and certificate.
    SignedRequests: "way with signed requests" {
        /// Signatures are not looked at.
        Ignored = "ignored",
        /// A signature that is there must be good.
        Allowed = "allowed",
        /// Every request with a token must have one.
        Required = "required",
    }
}

/// A bank's own values of named limits; what is absent has the configured default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitOverrides(pub BTreeMap<String, u32>);

/// What a department may deliver. It speaks for itself alone: a fact names its source, and only sources it is registered
/// for are taken from it; templates without a source are given to the one department that answers for them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivers {
    /// The templates.
    pub templates: Vec<String>,
    /// The sources of facts.
    pub sources: Arc<BTreeSet<String>>,
}

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    /// Its identifier, made by us: it cannot be chosen to look like a subject's (K9).
    pub id: ClientId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// The authority that issues its certificates.
    pub authority: AuthorityId,
    /// The subject its certificates carry (RFC 4514).
    pub subject: String,
    /// How it may authenticate.
    pub auth_methods: Vec<AuthMethod>,
    /// Its own keys, where it signs assertions or requests.
    pub keys: ClientKeys,
    /// Whether its requests are signed.
    pub signed_requests: SignedRequests,
    /// The most a token of it can be used for.
    pub scopes: Vec<Scope>,
    /// Its own limits.
    pub limits: LimitOverrides,
    /// What it may deliver, where it is a department.
    pub delivers: Delivers,
    /// How many of its consent requests may be pending at once.
    pub max_pending: i64,
    /// Raised when it is suspended, or its certificate or a token revoked.
    pub epoch: i64,
    /// Whether it may do anything.
    pub state: ClientState,
}

impl Client {
    /// Whether it may do anything.
    pub fn is_active(&self) -> bool {
        self.state == ClientState::Active
    }

    pub(super) fn from_row(row: &ClientRow) -> Result<Self, Malformed> {
        let json = |what: &str, error: serde_json::Error| Malformed(format!("client {}: {what}: {error}", row.id));
        let kind: ClientKind = row.kind.parse()?;
        let mut scopes: Vec<Scope> = serde_json::from_str(&row.scopes).map_err(|error| json("scopes", error))?;
        // Whatever was registered once: a kind has its own scopes and no others.
        scopes.retain(|scope| kind.may_have(*scope));
        Ok(Self {
            id: row.id.parse()?,
            name: row.name.clone(),
            kind,
            authority: row.authority_id.parse()?,
            subject: row.subject.clone(),
            auth_methods: serde_json::from_str(&row.auth_methods).map_err(|error| json("auth_methods", error))?,
            keys: match &row.jwks {
                Some(jwks) => {
                    ClientKeys::parse(jwks).map_err(|error| Malformed(format!("client {}: jwks: {error}", row.id)))?
                }
                None => ClientKeys::default(),
            },
            signed_requests: row.signed_requests.parse()?,
            scopes,
            delivers: match &row.delivers {
                Some(delivers) => serde_json::from_str(delivers).map_err(|error| json("delivers", error))?,
                None => Delivers::default(),
            },
            limits: serde_json::from_str(&row.limits).map_err(|error| json("limits", error))?,
            max_pending: row.max_pending,
            epoch: row.epoch,
            state: row.state.parse()?,
        })
    }
}

/// What an operator says to register a client.
#[derive(Debug, Clone)]
pub struct NewClient {
    /// Its name, unique.
    pub name: String,
    /// What it is.
    pub kind: ClientKind,
    /// The authority that issues its certificates.
    pub authority: AuthorityId,
    /// The subject its certificates carry (RFC 4514).
    pub subject: String,
    /// How it may authenticate.
    pub auth_methods: Vec<AuthMethod>,
    /// Its JSON Web Key Set, where it signs assertions or requests.
    pub jwks: Option<String>,
    /// Whether its requests are signed.
    pub signed_requests: SignedRequests,
    /// The most a token of it can be used for.
    pub scopes: Vec<Scope>,
    /// Its own limits.
    pub limits: LimitOverrides,
    /// What it may deliver, where it is a department.
    pub delivers: Delivers,
    /// How many of its consent requests may be pending at once.
    pub max_pending: i64,
}

//! A registered client.

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
    /// The kind of a client.
    ClientKind: "kind of client" {
        /// A partner bank.
        Bank = "bank",
        /// A department whose systems deliver records.
        Department = "department",
        /// An auditor, who checks the whole ledger and reads nothing else.
        Auditor = "auditor",
        /// A platform, which reports what it decided about its packages and reads nothing.
        Platform = "platform",
    }
}

impl ClientKind {
    /// Whether a client of this kind may be registered for a scope. Auditors see every entry and no subject's data; for
    /// the others it is the reverse.
    pub fn may_have(self, scope: Scope) -> bool {
        match scope {
            Scope::LedgerAudit => self == Self::Auditor,
            Scope::ImportsWrite => self == Self::Department,
            Scope::ReceiptsWrite => self == Self::Platform,
            _ => self == Self::Bank,
        }
    }

    /// Whether a client of this kind may deliver something.
    pub(super) const fn delivers(self) -> bool {
        matches!(self, Self::Department | Self::Platform)
    }

    /// All scopes that a client of this kind may have.
    pub fn scopes(self) -> Vec<Scope> {
        Scope::ALL.iter().copied().filter(|scope| self.may_have(*scope)).collect()
    }
}

words! {
    /// The state of a client.
    ClientState: "state of a client" {
        /// The client may call.
        Active = "active",
        /// Suspended by an operator until resumed.
        Suspended = "suspended",
        /// Closed for ever.
        Closed = "closed",
    }
}

words! {
    /// The method by which a client authenticates at the token endpoint, besides the certificate of its connection.
    AuthMethod: "authentication method" {
        /// The certificate itself (RFC 8705 section 2.1).
        TlsClientAuth = "tls_client_auth",
        /// A signed assertion (RFC 7523).
        PrivateKeyJwt = "private_key_jwt",
    }
}

words! {
    /// The policy for a client's request signatures (RFC 9421), besides its token and certificate.
    SignedRequests: "way with signed requests" {
        /// Signatures are not verified.
        Ignored = "ignored",
        /// A signature is optional, and must be valid if present.
        Allowed = "allowed",
        /// Every request with a token must be signed.
        Required = "required",
    }
}

/// A bank's own values of named limits. Absent ones have the configured default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LimitOverrides(pub BTreeMap<String, u32>);

/// The data that a department or a platform may deliver. Facts name their source, and a department may deliver only for the
/// sources it is registered for. Templates without a source are registered for the one department that is responsible for
/// them. A platform delivers receipts for its own packages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Delivers {
    pub templates: Vec<String>,
    pub sources: Arc<BTreeSet<String>>,
    /// The id of the platform whose receipts a client of this kind delivers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
}

/// A registered client.
#[derive(Debug, Clone)]
pub struct Client {
    /// The id. The gateway generates it, so that it cannot be chosen to look like a subject's (K9).
    pub id: ClientId,
    pub name: String,
    pub kind: ClientKind,
    /// The authority that issues the client's certificates.
    pub authority: AuthorityId,
    /// The subject of the client's certificates (RFC 4514).
    pub subject: String,
    pub auth_methods: Vec<AuthMethod>,
    /// The client's public keys, if it signs assertions or requests.
    pub keys: ClientKeys,
    pub signed_requests: SignedRequests,
    /// The scopes that its tokens can have.
    pub scopes: Vec<Scope>,
    pub limits: LimitOverrides,
    /// The data that it may deliver, if it is a department or a platform.
    pub delivers: Delivers,
    /// The most consent requests that may be pending at a time.
    pub max_pending: i64,
    /// Raised when the client is suspended, or its certificate or a token is revoked. Every append compares it.
    pub epoch: i64,
    pub state: ClientState,
}

impl Client {
    /// Whether the client may call.
    pub fn is_active(&self) -> bool {
        self.state == ClientState::Active
    }

    pub(super) fn from_row(row: &ClientRow) -> Result<Self, Malformed> {
        let json = |what: &str, error: serde_json::Error| Malformed(format!("client {}: {what}: {error}", row.id));
        let kind: ClientKind = row.kind.parse()?;
        let mut scopes: Vec<Scope> = serde_json::from_str(&row.scopes).map_err(|error| json("scopes", error))?;
        // A registration may be older than the rules: scopes that its kind may not have are dropped.
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

/// A client that an operator registers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewClient {
    /// Its name, unique.
    pub name: String,
    pub kind: ClientKind,
    /// The authority that issues the client's certificates.
    pub authority: AuthorityId,
    /// The subject of the client's certificates (RFC 4514).
    pub subject: String,
    pub auth_methods: Vec<AuthMethod>,
    /// The client's JSON Web Key Set, if it signs assertions or requests.
    pub jwks: Option<String>,
    pub signed_requests: SignedRequests,
    /// The scopes that its tokens can have.
    pub scopes: Vec<Scope>,
    pub limits: LimitOverrides,
    /// The data that it may deliver, if it is a department or a platform.
    pub delivers: Delivers,
    /// The most consent requests that may be pending at a time.
    pub max_pending: i64,
}

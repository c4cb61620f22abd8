//! Access tokens: issuing, introspection and revocation.

use serde::{Deserialize, Serialize};
use utoipa::openapi::{ObjectBuilder, RefOr, Schema, Type};

use super::{Access, client::Client};
use crate::{
    domain::{
        Failure, Timestamp,
        ids::{ConsentId, TokenId},
        permission::Scope,
    },
    identity::{
        ClientIdentity,
        token::{ACCESS_TOKEN_TYPE, AccessClaims, CONSENT_DETAIL_TYPE, Confirmation, ConsentDetail, sign_jwt},
    },
    store::{changes, clients, consents, tokens},
};

/// The most consents one token may be limited to.
const MAX_DETAILS: usize = 50;

/// The parameters of a token request, unverified.
#[derive(Debug, Clone, Default)]
pub struct TokenRequest {
    pub grant_type: Option<String>,
    pub scope: Option<String>,
    pub client_id: Option<String>,
    /// Whether a shared secret was sent, in the body or by Basic authentication.
    pub client_secret: bool,
    pub client_assertion_type: Option<String>,
    pub client_assertion: Option<String>,
    /// `authorization_details` (RFC 9396), JSON.
    pub authorization_details: Option<String>,
}

/// An issued token.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct IssuedToken {
    /// The token, a JWT bound to the connection's certificate.
    pub access_token: String,
    /// Always `Bearer`: the binding is in the token (RFC 8705).
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// The lifetime in seconds.
    #[schema(example = 300)]
    pub expires_in: i64,
    /// The scopes of the token.
    #[schema(example = "grade:read settlements:read")]
    pub scope: String,
    /// The consents that the token is limited to, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    pub authorization_details: Option<Vec<ConsentDetail>>,
}

/// The state of a token, for the client it belongs to (RFC 7662). For any other token it is only `active: false`.
#[derive(Debug, Clone, Serialize)]
pub struct Introspection {
    /// Whether the token is valid and belongs to the caller.
    active: bool,
    #[serde(flatten)]
    token: Option<ActiveToken>,
}

impl utoipa::ToSchema for Introspection {}

// Not derived: the derivation takes a flattened `None` for `null`.
impl utoipa::PartialSchema for Introspection {
    fn schema() -> RefOr<Schema> {
        let RefOr::T(Schema::Object(mut schema)) = ActiveToken::schema() else { return ActiveToken::schema() };
        let active = ObjectBuilder::new()
            .schema_type(Type::Boolean)
            .description(Some("Whether the token is valid and belongs to the caller"));
        schema.properties.insert("active".into(), active.into());
        schema.required = vec!["active".into()];
        schema.description = Some(
            "The state of a token, for the client it belongs to. For any other token it is only `active: false`."
                .into(),
        );
        RefOr::T(Schema::Object(schema))
    }
}

/// A valid token.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
pub struct ActiveToken {
    /// The scopes of the token.
    scope: String,
    /// The client that the token was issued to.
    client_id: String,
    /// Always `Bearer`.
    token_type: &'static str,
    /// The time of expiry, in seconds since the epoch.
    exp: i64,
    /// The time of issue, in seconds since the epoch.
    iat: i64,
    /// The same as `client_id`.
    sub: String,
    aud: String,
    iss: String,
    /// The id of the token.
    jti: String,
    /// The certificate that the token is bound to.
    #[schema(value_type = Object)]
    cnf: Confirmation,
    /// The consents that the token is limited to.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Object>>)]
    authorization_details: Option<Vec<ConsentDetail>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestedDetail {
    #[serde(rename = "type")]
    kind: String,
    identifier: String,
}

impl Access {
    /// Issues a token bound to the connection's certificate (RFC 6749 section 4.4, RFC 8705).
    pub async fn issue(&self, identity: &ClientIdentity, request: &TokenRequest) -> Result<IssuedToken, Failure> {
        // A token of a clock that is ahead would be valid for as long everywhere else.
        self.0.env.require_clock()?;
        let now = self.0.env.clock.now();
        match request.grant_type.as_deref() {
            Some("client_credentials") => {}
            Some(_) => return Err(Failure::forbidden("unsupported_grant_type", "Only client_credentials is offered.")),
            None => {
                return Err(Failure::invalid(
                    "grant_type",
                    "invalid_request",
                    "grant_type is missing. Send client_credentials.",
                ));
            }
        }
        // Before scopes and consents are looked at: a stranger learns nothing about a client's registration.
        let client = self.authenticate_client(identity, request, now).await?;
        let scopes = grantable(&client, request.scope.as_deref())?;
        let details = match &request.authorization_details {
            Some(text) => Some(self.details(&client, text, now).await?),
            None => None,
        };
        let scope = scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" ");
        let lifetime = self.0.policy.lifetime_seconds;
        let claims = AccessClaims {
            iss: self.0.policy.expected.issuer.clone(),
            aud: self.0.policy.expected.audience.clone(),
            sub: client.id.to_string(),
            client_id: client.id,
            iat: now.seconds(),
            nbf: None,
            exp: now.seconds() + lifetime,
            jti: TokenId::new(&*self.0.env.clock, &*self.0.env.entropy),
            scope: scope.clone(),
            cnf: Confirmation { x5t_s256: identity.thumbprint().to_owned() },
            authorization_details: details.clone(),
        };
        let keys = self.0.keys.load();
        let access_token = sign_jwt(ACCESS_TOKEN_TYPE, &claims, &*keys.token)
            .map_err(|error| Failure::internal(format!("signing a token: {error}")))?;
        // The token's id and never its text, which is a credential.
        tracing::info!(client.id = %client.id, token.id = %claims.jti, scope = %scope, "issued an access token");
        Ok(IssuedToken {
            access_token,
            token_type: "Bearer",
            expires_in: lifetime,
            scope,
            authorization_details: details,
        })
    }

    async fn details(&self, client: &Client, text: &str, now: Timestamp) -> Result<Vec<ConsentDetail>, Failure> {
        let refuse = |public: String| Failure::forbidden("invalid_authorization_details", public);
        let requested: Vec<RequestedDetail> = serde_json::from_str(text)
            .map_err(|error| refuse(format!("authorization_details does not follow RFC 9396: {error}.")))?;
        // Bounded, because each is looked up on every request with the token (K8).
        if requested.is_empty() || requested.len() > MAX_DETAILS {
            return Err(refuse(format!("Name between 1 and {MAX_DETAILS} consents in authorization_details.")));
        }
        if let Some(other) = requested.iter().find(|detail| detail.kind != CONSENT_DETAIL_TYPE) {
            return Err(refuse(format!("The type {:?} is unknown. Use {CONSENT_DETAIL_TYPE}.", other.kind)));
        }
        // A malformed id is left out of the query and so has no row, like an unknown one (C7).
        let parsed = |detail: &RequestedDetail| detail.identifier.parse::<ConsentId>().ok().map(|id| id.to_string());
        let ids: Vec<String> = requested.iter().filter_map(parsed).collect();
        let rows = consents::standings(&self.0.env.db, &ids).await?;
        let own = client.id.to_string();
        requested
            .iter()
            .enumerate()
            .map(|(at, detail)| {
                let row = rows.iter().find(|row| {
                    row.id == detail.identifier
                        && row.client_id == own
                        && row.state == "active"
                        && row.expires_at.is_some_and(|end| end > now.micros())
                });
                let identifier: Option<ConsentId> = detail.identifier.parse().ok();
                match (row, identifier) {
                    (Some(row), Some(identifier)) => {
                        Ok(ConsentDetail { kind: CONSENT_DETAIL_TYPE.into(), identifier, version: row.version })
                    }
                    // Unknown, foreign and inactive consents have the same answer (C7).
                    _ => Err(refuse(format!(
                        "authorization_details[{at}].identifier is no active consent of this client."
                    ))),
                }
            })
            .collect()
    }

    /// Introspects a token for its own client.
    pub async fn introspect(&self, client: &Client, unverified_token: &str) -> Result<Introspection, Failure> {
        let now = self.0.env.clock.now();
        let inactive = Introspection { active: false, token: None };
        // Whatever is wrong with it: unknown, foreign and expired tokens look the same (K13).
        let Ok(token) = self.verified(client.id, unverified_token, now) else { return Ok(inactive) };
        let claims = token.claims.clone();
        if self.0.directory.fresh(&*self.0.env.clock)?.is_revoked(&claims.jti) {
            return Ok(inactive);
        }
        if let Some(details) = &claims.authorization_details {
            match self.require_consents(client.id, details, now).await {
                Ok(()) => {}
                // Undecided is an error: on `inactive` the client would throw a good token away.
                Err(refused) if refused.failure.retryable() => return Err(refused.failure),
                Err(_) => return Ok(inactive),
            }
        }
        let token = ActiveToken {
            scope: claims.scope,
            client_id: claims.client_id.to_string(),
            token_type: "Bearer",
            exp: claims.exp,
            iat: claims.iat,
            sub: claims.sub,
            aud: claims.aud,
            iss: claims.iss,
            jti: claims.jti.to_string(),
            cnf: claims.cnf,
            authorization_details: claims.authorization_details,
        };
        Ok(Introspection { active: true, token: Some(token) })
    }

    /// Revokes a token of this client. An unknown, foreign or expired one is no error (RFC 7009 section 2.2).
    pub async fn revoke(&self, client: &Client, unverified_token: &str) -> Result<(), Failure> {
        let now = self.0.env.clock.now();
        let Ok(token) = self.verified(client.id, unverified_token, now) else { return Ok(()) };
        let claims = &token.claims;
        let id = client.id.to_string();
        let mut tx = self.0.env.db.begin("access::revoke_token").await?;
        // The bank's lock, exclusively: answers in progress under this token are committed before, or checked again (I2, I3).
        tx.lock_banks_exclusive(std::slice::from_ref(&id)).await?;
        // Only the first time: a higher epoch makes the client's answers in progress stale.
        if tokens::revoke(&mut tx, &claims.jti.to_string(), &id, Timestamp::from_seconds(claims.exp), now).await? {
            clients::raise_epoch(&mut tx, &id).await?;
            // Last: every transaction that raises the change number waits for its row.
            changes::raise(&mut tx).await?;
        }
        tx.commit().await?;
        // After the commit: from here on this process refuses the token; other gateways do within a second.
        self.reload().await?;
        tracing::info!(client.id = %client.id, token.id = %claims.jti, "revoked an access token");
        Ok(())
    }
}

/// The scopes that a token gets: those requested, all of which must be registered; all registered ones if none is
/// requested (K10).
fn grantable(client: &Client, requested: Option<&str>) -> Result<Vec<Scope>, Failure> {
    let Some(text) = requested.filter(|text| !text.trim().is_empty()) else { return Ok(client.scopes.clone()) };
    let mut scopes = Vec::new();
    for word in text.split_ascii_whitespace() {
        let scope = word.parse::<Scope>().ok().filter(|scope| client.scopes.contains(scope)).ok_or_else(|| {
            Failure::forbidden("invalid_scope", format!("The scope {word:?} is not registered for this client."))
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

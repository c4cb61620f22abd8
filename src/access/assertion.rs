//! Client authentication at the token endpoint.

use std::sync::Arc;

use data_encoding::BASE64URL_NOPAD;

use super::{
    Access, TokenRequest,
    caller::sha256,
    client::{AuthMethod, Client},
};
use crate::{
    domain::{Failure, FailureKind, Timestamp},
    identity::{
        ClientIdentity,
        assertion::{unverified_subject, verify_assertion},
    },
    store::tokens,
};

/// The one assertion type (RFC 7523 section 2.2).
pub(super) const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

fn invalid_client(public: &str) -> Failure {
    Failure::new(FailureKind::Unauthenticated, "invalid_client", public)
}

impl Access {
    /// Authenticates the client by its certificate alone, or by an assertion over a connection with its certificate (K1).
    pub(super) async fn authenticate_client(
        &self,
        identity: &ClientIdentity,
        request: &TokenRequest,
        now: Timestamp,
    ) -> Result<Arc<Client>, Failure> {
        let client = self.client_of(identity)?;
        // Only compared: the certificate identifies the client, whatever this names.
        if request.client_id.as_deref().is_some_and(|id| id != client.id.to_string()) {
            return Err(invalid_client("client_id is not the client this connection's certificate belongs to."));
        }
        if request.client_secret {
            return Err(invalid_client("Shared secrets are not accepted; use tls_client_auth or private_key_jwt."));
        }
        match (&request.client_assertion_type, &request.client_assertion) {
            (None, None) if client.auth_methods.contains(&AuthMethod::TlsClientAuth) => Ok(client),
            (None, None) => {
                Err(invalid_client("This client authenticates with private_key_jwt: client_assertion is missing."))
            }
            (Some(kind), Some(assertion)) if kind == ASSERTION_TYPE => {
                if !client.auth_methods.contains(&AuthMethod::PrivateKeyJwt) {
                    return Err(invalid_client("This client is not registered for private_key_jwt."));
                }
                self.use_assertion(&client, assertion, now).await?;
                Ok(client)
            }
            _ => Err(invalid_client(
                "client_assertion and client_assertion_type go together; the type is that of RFC 7523.",
            )),
        }
    }

    async fn use_assertion(&self, client: &Client, unverified_assertion: &str, now: Timestamp) -> Result<(), Failure> {
        let refused = |context: String| invalid_client("The client assertion is not valid.").because(context);
        // Unverified, but it can only lead to a refusal.
        if unverified_subject(unverified_assertion) != Some(client.id) {
            return Err(refused("the assertion names another client".into()));
        }
        let policy = &self.0.policy;
        let audiences = [policy.expected.issuer.as_str(), policy.token_endpoint.as_str()];
        let assertion = verify_assertion(unverified_assertion, &client.id, &client.keys, &audiences, now)
            .map_err(|refusal| refused(refusal.to_string()))?;
        // Recorded in the database, so that it cannot be replayed at another gateway either.
        // A digest has one length, whatever the client chose.
        let jti = BASE64URL_NOPAD.encode(&sha256(assertion.jti.as_bytes()));
        let mut tx = self.0.env.db.begin("access::use_assertion").await?;
        let new = tokens::use_assertion(&mut tx, &client.id.to_string(), &jti, assertion.expires_at).await?;
        // Committed before a token is issued: after a crash the assertion stays used, and the client signs another
        // (K3).
        tx.commit().await?;
        if new { Ok(()) } else { Err(refused("the assertion was used before".into())) }
    }
}

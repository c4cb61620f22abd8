//! `POST /oauth2/token`.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderMap, header};
use serde::Deserialize;

use super::{Client, Form, OauthProblem};
use crate::{
    access::{IssuedToken, TokenRequest},
    app::App,
    http::{
        authentication::{Connected, Proof, failed},
        reply::Reply,
    },
};

/// A token request (RFC 6749 section 4.4).
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[schema(as = TokenRequest)]
pub struct TokenForm {
    /// Always `client_credentials`.
    #[schema(value_type = String, required = true, pattern = "^client_credentials$", example = "client_credentials")]
    grant_type: Option<String>,
    /// Scopes, separated by spaces. Default: all registered scopes.
    #[schema(value_type = String, required = false, example = "grade:read settlements:read")]
    scope: Option<String>,
    /// Client identifier, for libraries that require it. The certificate identifies the client.
    #[schema(value_type = String, required = false, pattern = "^cli_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    client_id: Option<String>,
    // Shared secrets are refused: it is parsed to be refused, and left out of the document so that nobody sends one.
    #[schema(ignore)]
    client_secret: Option<String>,
    /// Assertion type of `private_key_jwt`: `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`.
    #[schema(value_type = String, required = false, pattern = "^urn:ietf:params:oauth:client-assertion-type:jwt-bearer$")]
    client_assertion_type: Option<String>,
    /// Signed assertion of `private_key_jwt` (RFC 7523).
    #[schema(value_type = String, required = false)]
    client_assertion: Option<String>,
    /// Consents that the token is limited to (RFC 9396), as JSON: `[{"type":"medcredit_consent","identifier":"con_..."}]`.
    #[schema(value_type = String, required = false)]
    authorization_details: Option<String>,
}

/// Get an access token.
///
/// Client credentials with the client's certificate (RFC 8705), and with a signed assertion if the client is registered for
/// `private_key_jwt`. The token is bound to the certificate, expires after minutes, and has the requested scopes, or all
/// registered ones.
#[utoipa::path(
    post, path = "/oauth2/token", operation_id = "token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "A token", body = IssuedToken),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Client(Connected { peer, .. }): Client,
    headers: HeaderMap,
    Form { value: form, .. }: Form<TokenForm>,
) -> Result<Reply<IssuedToken>, OauthProblem> {
    let identity = peer.identity();
    let request = TokenRequest {
        grant_type: form.grant_type,
        scope: form.scope,
        client_id: form.client_id,
        // HTTP Basic is the other way to send a shared secret (K1).
        client_secret: form.client_secret.is_some() || headers.contains_key(header::AUTHORIZATION),
        client_assertion_type: form.client_assertion_type,
        client_assertion: form.client_assertion,
        authorization_details: form.authorization_details,
    };
    let issued = app.access.issue(identity, &request).await;
    issued.map(Reply::ok).map_err(|failure| OauthProblem(failed(&app, identity, Proof::Assertion, failure)))
}

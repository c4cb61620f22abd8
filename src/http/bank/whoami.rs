//! `GET /v1/whoami`: how the gateway sees the caller. Reads no subject data.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;

use crate::{
    access::Refused,
    app::App,
    domain::Timestamp,
    http::{
        authentication::{Connected, UnverifiedToken},
        problem::Problem,
        reply::Reply,
        request_signature::SignatureView,
    },
    identity::ClientIdentity,
};

/// The caller as the gateway sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WhoAmI {
    /// The client that the certificate belongs to.
    client: ClientView,
    /// The connection.
    connection: ConnectionView,
    /// The token, or the reason why it is refused.
    token: TokenView,
    /// The request's signature, as it would be verified with a token.
    request_signature: SignatureView,
    /// The limits that apply to the client.
    limits: Vec<LimitView>,
    /// The time of the gateway's clock, to compare with yours.
    #[schema(value_type = String)]
    server_time: Timestamp,
}

/// A client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ClientView {
    /// The id, `client_id` in OAuth.
    id: String,
    /// The name.
    name: String,
    /// `bank`, `department`, `auditor` or `platform`.
    kind: String,
    /// The authentication methods allowed at the token endpoint.
    auth_methods: Vec<String>,
    /// All scopes that the client is registered for.
    scopes: Vec<String>,
}

/// A connection.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConnectionView {
    /// The subject of the certificate (RFC 4514).
    subject: String,
    /// The serial number of the certificate, in hex.
    serial: String,
    /// The SHA-256 of the certificate's DER in base64url, `x5t#S256` in tokens.
    thumbprint: String,
    /// The end of the certificate's validity.
    #[schema(value_type = String)]
    not_after: Timestamp,
    /// The authority that issued the certificate.
    authority: String,
    /// The TLS version.
    protocol: String,
    /// The TLS cipher suite.
    cipher_suite: String,
    /// The TLS key exchange group.
    key_exchange: String,
    /// `h2` or `http/1.1`.
    alpn: String,
}

/// A token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TokenView {
    /// Whether a token was sent.
    present: bool,
    /// Whether the token is valid on this connection.
    valid: bool,
    /// The reason why the token is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// The scopes of the token.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// The time of expiry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// The consents that the token is limited to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    consents: Vec<String>,
}

/// A limit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LimitView {
    /// The name, as in `RateLimit-Policy`.
    name: String,
    /// The number of requests allowed in the window.
    quota: u32,
    /// The length of the window in seconds.
    window_seconds: u32,
}

/// Show the caller as the gateway sees it.
///
/// TLS, certificate, clock, token, request signature and limits, to help in setting up a client. The token is optional. The
/// reason why a token is refused is explained here, and nowhere else.
#[utoipa::path(
    get, path = "/v1/whoami", operation_id = "whoami", tag = "about", security((), ("access_token" = [])),
    responses(
        (status = 200, description = "The caller as the gateway sees it", body = WhoAmI),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    connected: Connected,
    token: Option<UnverifiedToken>,
    request_signature: SignatureView,
) -> Result<Reply<WhoAmI>, Problem> {
    let Connected { client, peer } = connected;
    let identity = peer.identity();
    let token = view_of(&app, identity, token).await?;
    let limits = app.limits.policies(&client.limits.0).into_iter().map(|policy| LimitView {
        name: policy.name,
        quota: policy.quota.get(),
        window_seconds: policy.window_seconds.get(),
    });
    let facts = peer.negotiated();
    Ok(Reply::ok(WhoAmI {
        client: ClientView {
            id: client.id.to_string(),
            name: client.name.clone(),
            kind: client.kind.to_string(),
            auth_methods: client.auth_methods.iter().map(ToString::to_string).collect(),
            scopes: client.scopes.iter().map(ToString::to_string).collect(),
        },
        connection: ConnectionView {
            subject: identity.subject().to_owned(),
            serial: identity.serial().to_owned(),
            thumbprint: identity.thumbprint().to_owned(),
            not_after: identity.not_after(),
            authority: identity.authority().to_string(),
            protocol: facts.protocol.clone(),
            cipher_suite: facts.cipher_suite.clone(),
            key_exchange: facts.key_exchange.clone(),
            alpn: facts.alpn.clone(),
        },
        token,
        request_signature,
        limits: limits.collect(),
        server_time: app.env.clock.now(),
    }))
}

/// The view of a token, or of the reason why it is refused. Fails only if that cannot be decided now.
async fn view_of(app: &App, identity: &ClientIdentity, token: Option<UnverifiedToken>) -> Result<TokenView, Problem> {
    let none =
        TokenView { present: false, valid: false, problem: None, scopes: vec![], expires_at: None, consents: vec![] };
    let Some(UnverifiedToken(text)) = token else { return Ok(none) };
    match app.access.authenticate(identity, &text).await {
        Ok(caller) => Ok(TokenView {
            present: true,
            valid: true,
            scopes: caller.scopes().iter().map(ToString::to_string).collect(),
            expires_at: Some(caller.token_expires_at()),
            consents: caller.consents().unwrap_or_default().iter().map(|one| one.identifier.to_string()).collect(),
            ..none
        }),
        // The check itself failed, which says nothing about the token.
        Err(refused) if refused.failure.retryable() => Err(refused.failure.into()),
        // The reason is given only for a token of this client (K13).
        Err(Refused { failure, ended: true }) => {
            Ok(TokenView { present: true, problem: Some(failure.context.unwrap_or(failure.public)), ..none })
        }
        Err(Refused { failure, .. }) => Ok(TokenView { present: true, problem: Some(failure.public), ..none }),
    }
}

//! `GET /v1/whoami`: what the gateway sees of the caller. Touches no data.

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
};

/// What the gateway sees.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct WhoAmI {
    /// The client this certificate belongs to.
    client: ClientView,
    /// The connection.
    connection: ConnectionView,
    /// The token, or what is wrong with it.
    token: TokenView,
    /// The request's signature, as it would be judged with a token.
    request_signature: SignatureView,
    /// The limits that apply.
    limits: Vec<LimitView>,
    /// The gateway's clock: compare it with yours.
    #[schema(value_type = String)]
    server_time: Timestamp,
}

/// A client.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ClientView {
    /// Its identifier, the `client_id` of OAuth.
    id: String,
    /// Its name.
    name: String,
    /// `bank`, `department` or `auditor`.
    kind: String,
    /// How it may authenticate at the token endpoint.
    auth_methods: Vec<String>,
    /// Every scope it is registered for.
    scopes: Vec<String>,
}

/// A connection.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct ConnectionView {
    /// The certificate's subject (RFC 4514).
    subject: String,
    /// Its serial number, hex.
    serial: String,
    /// base64url of the SHA-256 of its DER: the `x5t#S256` of tokens.
    thumbprint: String,
    /// The last instant of its validity.
    #[schema(value_type = String)]
    not_after: Timestamp,
    /// The authority that proved it.
    authority: String,
    /// TLS version.
    protocol: String,
    /// Cipher suite.
    cipher_suite: String,
    /// Key exchange group.
    key_exchange: String,
    /// `h2` or `http/1.1`.
    alpn: String,
}

/// A token.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct TokenView {
    /// Whether one was sent.
    present: bool,
    /// Whether it is good on this connection.
    valid: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
    /// What it may be used for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    scopes: Vec<String>,
    /// When it expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// The consents it is limited to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    consents: Vec<String>,
}

/// A limit.
#[derive(Debug, Serialize, utoipa::ToSchema)]
struct LimitView {
    /// Its name, as in `RateLimit-Policy`.
    name: String,
    /// How many.
    quota: u32,
    /// In how many seconds.
    window_seconds: u32,
}

/// See yourself as the gateway does.
///
/// TLS, certificate, clock, token, request signature and limits, for whoever sets up a client. A token may be left out; one that is refused
/// is explained here, and nowhere else.
#[utoipa::path(
    get, path = "/v1/whoami", tag = "about", security((), ("access_token" = [])),
    responses(
        (status = 200, description = "What the gateway sees", body = WhoAmI),
    )
)]
pub async fn whoami(
    State(app): State<Arc<App>>,
    connected: Connected,
    token: Option<UnverifiedToken>,
    request_signature: SignatureView,
) -> Result<Reply<WhoAmI>, Problem> {
    let Connected { client, peer } = connected;
    let identity = peer.identity();
    let token = match token {
        None => TokenView {
            present: false,
            valid: false,
            problem: None,
            scopes: vec![],
            expires_at: None,
            consents: vec![],
        },
        Some(UnverifiedToken(text)) => match app.access.authenticate(identity, &text).await {
            Ok(caller) => TokenView {
                present: true,
                valid: true,
                problem: None,
                scopes: caller.scopes().iter().map(ToString::to_string).collect(),
                expires_at: Some(caller.token_expires_at()),
                consents: caller
                    .consents()
                    .unwrap_or_default()
                    .iter()
                    .map(|detail| detail.identifier.to_string())
                    .collect(),
            },
            Err(refused) if refused.failure.retryable() => return Err(refused.failure.into()),
            Err(Refused { failure, ended }) => TokenView {
                present: true,
                valid: false,
                // Of a token that is not this client's own nothing is told (K13).
                problem: Some(if ended { failure.context.unwrap_or(failure.public) } else { failure.public }),
                scopes: vec![],
                expires_at: None,
                consents: vec![],
            },
        },
    };
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

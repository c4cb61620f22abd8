//! `POST /oauth2/introspect`.

use std::sync::Arc;

use axum::extract::State;

use super::{Client, Form, OauthProblem, TokenForm};
use crate::{
    access::Introspection,
    app::App,
    http::{authentication::Connected, reply::Reply},
};

/// Introspect a token (RFC 7662).
///
/// Only for the client that the token belongs to. For any other token the response is `{"active": false}` and nothing else.
#[utoipa::path(
    post, path = "/oauth2/introspect", operation_id = "introspect", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "State and scopes of the token", body = Introspection),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Client(Connected { client, .. }): Client,
    Form { value: form, .. }: Form<TokenForm>,
) -> Result<Reply<Introspection>, OauthProblem> {
    let token = form.require()?;
    app.access.introspect(&client, &token).await.map(Reply::ok).map_err(OauthProblem)
}

//! `POST /oauth2/introspect`.

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;

use super::{Form, OauthProblem, TokenForm};
use crate::{
    access::Introspection,
    app::App,
    http::extract::{Connected, Reply},
    http::problem::Problem,
};

/// Look into a token (RFC 7662).
///
/// Only for the client it belongs to; of any other token the answer is `{"active": false}` and nothing else.
#[utoipa::path(
    post, path = "/oauth2/introspect", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "What the token is good for", body = Introspection),
    )
)]
pub async fn introspect(
    State(app): State<Arc<App>>,
    connected: Result<Connected, Problem>,
    Form(form): Form<TokenForm>,
) -> Result<Reply<Introspection>, OauthProblem> {
    let connected = connected.map_err(|problem| OauthProblem(problem.failure().clone()))?;
    let token = form.require()?;
    app.access
        .introspect(&connected.client, &token)
        .await
        .map(|answer| Reply(StatusCode::OK, answer))
        .map_err(OauthProblem)
}

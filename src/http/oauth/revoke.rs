//! `POST /oauth2/revoke`.

use std::sync::Arc;

use axum::extract::State;

use super::{Client, Form, OauthProblem, TokenForm};
use crate::{app::App, http::authentication::Connected};

/// Revoke a token (RFC 7009).
///
/// Effective immediately on this gateway and within a second on others. A token that is unknown, expired or of another client
/// is no error.
#[utoipa::path(
    post, path = "/oauth2/revoke", operation_id = "revoke_token", tag = "oauth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, description = "The token is not valid any more, if it ever was"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    Client(Connected { client, .. }): Client,
    Form { value: form, .. }: Form<TokenForm>,
) -> Result<(), OauthProblem> {
    let token = form.require()?;
    app.access.revoke(&client, &token).await.map_err(OauthProblem)
}

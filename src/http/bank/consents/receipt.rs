//! `GET /v1/consents/{id}/receipt`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header};

use crate::{
    app::App,
    consent::RECEIPT_TYPE,
    domain::Failure,
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::Problem,
    },
    identity::token::sign_jwt,
};

/// Get the signed receipt of a consent.
///
/// A JWS (RFC 7515, compact) of the consent's current record and its history, after ISO/IEC TS 27560. Store it: it can be
/// verified with the published answer-signing key, without the gateway.
#[utoipa::path(
    get, path = "/v1/consents/{id}/receipt", operation_id = "receipt", tag = "consents",
    params(("id" = String, Path, description = "The consent")),
    security(("access_token" = ["consents:read"])),
    responses(
        (status = 200, description = "A compact JWS", body = String, content_type = "application/jose"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsRead>,
    PathValue(id): PathValue,
) -> Result<Response, Problem> {
    let client = authorized.caller.client();
    let consent = app.consents.get(client.id, &id).await?;
    let receipt = app.consents.receipt(&consent, &client.name, app.config.gateway.issuer()).await?;
    let keys = app.keys.load();
    let signed = sign_jwt(RECEIPT_TYPE, &receipt, &*keys.answer)
        .map_err(|error| Failure::unavailable("signing_unavailable", error.to_string()))?;
    Ok(([(header::CONTENT_TYPE, HeaderValue::from_static("application/jose"))], signed).into_response())
}

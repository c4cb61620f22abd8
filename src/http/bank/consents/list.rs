//! `GET /v1/consents`.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::view::{ConsentView, view};
use crate::{
    app::App,
    domain::{Failure, ids::ConsentId},
    http::{
        authentication::{Authorized, scope},
        input::Query,
        problem::Problem,
        reply::Reply,
    },
};

/// A page of consents.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentPage {
    /// The consents, oldest first.
    consents: Vec<ConsentView>,
    /// The `after` of the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Query parameters of the list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// The consent after which the page begins: `next` of the previous page.
    #[param(value_type = String, required = false, pattern = "^con_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// The size of the page, 1 to 200; by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// List the bank's consents, oldest first.
#[utoipa::path(
    get, path = "/v1/consents", operation_id = "list_consents", tag = "consents", params(ListQuery),
    security(("access_token" = ["consents:read"])),
    responses(
        (status = 200, description = "A page of consents", body = ConsentPage),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsRead>,
    Query(query): Query<ListQuery>,
) -> Result<Reply<ConsentPage>, Problem> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(Failure::invalid("limit", "invalid_request", "Send a number between 1 and 200.").into());
    }
    if query.after.as_ref().is_some_and(|after| after.parse::<ConsentId>().is_err()) {
        return Err(Failure::invalid(
            "after",
            "invalid_request",
            "Send the `next` of the previous page: the id of a consent.",
        )
        .into());
    }
    // One more than the page, to know whether another page follows.
    let mut found = app.consents.list(authorized.caller.id(), query.after.as_deref(), limit + 1).await?;
    // `limit` is at most 200 here, so it always fits.
    let page = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = found.len() > page;
    found.truncate(page);
    let next = found.last().filter(|_| more).map(|consent| consent.id.to_string());
    let mut consents = Vec::with_capacity(found.len());
    for consent in &found {
        consents.push(view(&app, consent).await?);
    }
    Ok(Reply::ok(ConsentPage { consents, next }))
}

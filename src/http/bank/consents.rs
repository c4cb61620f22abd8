//! `/v1/consents`: requested, listed, shown and ended by a bank.

use crate::domain::Actor;
use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    consent::{Consent, ConsentState, Decision, NewConsent, Once, Requested, StoredResponse},
    domain::{
        Failure, Month, Timestamp,
        ids::ConsentId,
        permission::{Permission, Purpose},
    },
    http::{
        authentication::{Authorized, scope},
        header_names::IDEMPOTENT_REPLAYED,
        idempotency::Idempotent,
        input::Query,
        problem::{CREATED, Problem, ProblemDocument},
        reply::Reply,
    },
};

/// A request for a consent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequest {
    /// 统一社会信用代码 of the legal entity (GB 32100-2015).
    #[schema(example = "91330302MA2AB3C47J", min_length = 18, max_length = 18)]
    uscc: String,
    /// Its medical-insurance codes to be covered.
    #[schema(example = json!(["H33030200090"]), min_items = 1, max_items = 200)]
    codes: Vec<String>,
    /// What is to be read, ticked one by one.
    #[schema(example = json!(["grade", "settlements"]), min_items = 1)]
    permissions: Vec<Permission>,
    /// What for.
    #[schema(example = json!(["pre_loan_review"]), min_items = 1)]
    purposes: Vec<Purpose>,
    /// The bank's product.
    #[schema(example = "医保信用贷", min_length = 1, max_length = 100)]
    product: String,
    /// The bank's own number.
    #[schema(example = "A-2026-000123", min_length = 1, max_length = 64)]
    reference: Option<String>,
    /// First month of data; by default 24 months back.
    #[schema(value_type = Option<String>, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2024-07")]
    data_from: Option<Month>,
    /// Last month of data; by default the present one.
    #[schema(value_type = Option<String>, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-06")]
    data_to: Option<Month>,
    /// Validity once granted, in days.
    #[schema(example = 90, minimum = 1, maximum = 1096)]
    valid_for_days: Option<i64>,
    /// The most fetches in all.
    #[schema(example = 20, minimum = 1, maximum = 1_000_000)]
    max_fetches: Option<i64>,
    /// The most fetches in a day.
    #[schema(example = 4, minimum = 1, maximum = 1_000_000)]
    daily_budget: Option<i64>,
}

/// A consent as its bank sees it.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentView {
    /// Its identifier.
    #[schema(example = "con_06fzgv9a41wdkxs8q2e7mtb3rc")]
    id: String,
    /// Raised by every change.
    #[schema(example = 1)]
    version: i64,
    /// Where it stands now.
    status: ConsentState,
    /// The legal entity.
    #[schema(example = "91330302MA2AB3C47J")]
    uscc: String,
    /// The codes covered.
    #[schema(example = json!(["H33030200090"]))]
    codes: Vec<String>,
    /// What may be read.
    permissions: Vec<Permission>,
    /// What for.
    purposes: Vec<Purpose>,
    /// The bank's product.
    product: String,
    /// The bank's own number.
    #[serde(skip_serializing_if = "Option::is_none")]
    reference: Option<String>,
    /// First month of data.
    #[schema(value_type = String, example = "2024-07")]
    data_from: Month,
    /// Last month of data.
    #[schema(value_type = String, example = "2026-06")]
    data_to: Month,
    /// When it was requested.
    #[schema(value_type = String, example = "2026-07-01T01:02:03Z")]
    requested_at: Timestamp,
    /// Until when the request waits.
    #[schema(value_type = String, example = "2026-07-31T01:02:03Z")]
    request_expires_at: Timestamp,
    /// When it was granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    granted_at: Option<Timestamp>,
    /// End of validity, once granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    expires_at: Option<Timestamp>,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    ended_at: Option<Timestamp>,
    /// The most fetches in all, where limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    max_fetches: Option<i64>,
    /// The most fetches in a day, where limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    daily_budget: Option<i64>,
    /// Fetches made, in all and today, where limited.
    #[serde(skip_serializing_if = "Option::is_none")]
    fetches: Option<Fetches>,
}

/// Fetches made under a consent.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct Fetches {
    /// In all.
    used: i64,
    /// On the present day (UTC+8).
    used_today: i64,
}

/// A page of consents.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub struct ConsentPage {
    /// Oldest first.
    consents: Vec<ConsentView>,
    /// Where the next page begins: `?after=`; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Shows a consent as it stands now.
async fn view(app: &App, consent: &Consent) -> Result<ConsentView, Failure> {
    let now = app.env.clock.now();
    let fetches = if consent.max_fetches.is_some() || consent.daily_budget.is_some() {
        let (used, used_today) = app.consents.used(consent, now.day()).await?;
        Some(Fetches { used, used_today })
    } else {
        None
    };
    Ok(view_of(consent, now, fetches))
}

/// A consent's view at an instant.
fn view_of(consent: &Consent, now: Timestamp, fetches: Option<Fetches>) -> ConsentView {
    let status = consent.state_at(now);
    ConsentView {
        id: consent.id.to_string(),
        version: consent.version,
        status,
        uscc: consent.uscc.clone(),
        codes: consent.codes.clone(),
        permissions: consent.permissions.clone(),
        purposes: consent.purposes.clone(),
        product: consent.product.clone(),
        reference: consent.reference.clone(),
        data_from: consent.data_from,
        data_to: consent.data_to,
        requested_at: consent.requested_at,
        request_expires_at: consent.request_expires_at,
        granted_at: consent.granted_at,
        expires_at: consent.granted_at.map(|_| consent.expires_at),
        ended_at: consent.ended_at,
        max_fetches: consent.max_fetches,
        daily_budget: consent.daily_budget,
        fetches,
    }
}

/// The answer to a request, to be given now and, under its key, again.
fn created(consent: &Consent, now: Timestamp) -> Result<StoredResponse, Failure> {
    let limited = consent.max_fetches.is_some() || consent.daily_budget.is_some();
    let fetches = limited.then_some(Fetches { used: 0, used_today: 0 });
    let body = serde_json::to_string(&view_of(consent, now, fetches))
        .map_err(|error| Failure::internal(format!("an answer does not serialise: {error}")))?;
    Ok(StoredResponse { location: format!("/v1/consents/{}", consent.id), body })
}

/// Ask for a consent.
///
/// The answer is the same whether the codes exist or not; a request that nobody grants expires.
#[utoipa::path(
    post, path = "/v1/consents", operation_id = "request_consent", tag = "consents", request_body = ConsentRequest,
    params(
        ("Idempotency-Key" = Option<String>, Header, pattern = r#"^"[ !#-\[\]-~]{1,40}"$"#, description = "A quoted string of 1 to 40 characters, such as a UUID. Within 24 hours the same key and body give the same answer and create nothing", example = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""),
    ),
    security(("access_token" = ["consents:write"])),
    responses(
        (status = 201, description = "Requested", body = ConsentView, headers(
            ("Location" = String, description = "Where it is"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` where this is the answer of an earlier request under the same key"),
        )),
        (status = 409, description = "A request under the same Idempotency-Key is still running", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used with another request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too often, or too many requests pending", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn request(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsWrite>,
    Idempotent { body, key }: Idempotent<ConsentRequest>,
) -> Result<Response, Problem> {
    let new = NewConsent {
        uscc: body.uscc,
        codes: body.codes,
        permissions: body.permissions,
        purposes: body.purposes,
        product: body.product,
        reference: body.reference,
        data_from: body.data_from,
        data_to: body.data_to,
        valid_for_days: body.valid_for_days,
        max_fetches: body.max_fetches,
        daily_budget: body.daily_budget,
    };
    let client = authorized.caller.client();
    let now = app.env.clock.now();
    let requested = match &key {
        None => {
            let consent = app.consents.request(client.id, client.max_pending, &new).await?;
            Requested::Created(created(&consent, now)?)
        }
        Some(key) => {
            let once = Once { key, answer: &|consent| created(consent, now) };
            app.consents.request_once(client.id, client.max_pending, &new, once).await?
        }
    };
    answered(requested)
}

/// 201 with the body that was made or kept.
fn answered(requested: Requested) -> Result<Response, Problem> {
    let (answer, replayed) = match requested {
        Requested::Created(answer) => (answer, false),
        Requested::Replayed(answer) => (answer, true),
    };
    let location = HeaderValue::try_from(answer.location)
        .map_err(|error| Failure::internal(format!("a consent's id is no header value: {error}")))?;
    let headers = [(header::LOCATION, location), (header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (CREATED, headers, answer.body).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

/// What the list may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// Go on behind this consent.
    #[param(value_type = String, required = false, pattern = "^con_[0-7][0-9a-hjkmnp-tv-z]{25}$")]
    after: Option<String>,
    /// How many, 1 to 200; by default 50.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<i64>,
}

/// List one's own consents, oldest first.
#[utoipa::path(
    get, path = "/v1/consents", operation_id = "list_consents", tag = "consents", params(ListQuery),
    security(("access_token" = ["consents:read"])),
    responses(
        (status = 200, description = "A page", body = ConsentPage),
    )
)]
pub async fn list(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsRead>,
    Query(query): Query<ListQuery>,
) -> Result<Reply<ConsentPage>, Problem> {
    let limit = query.limit.unwrap_or(50);
    if !(1..=200).contains(&limit) {
        return Err(Failure::invalid("limit", "invalid_request", "Between 1 and 200.").into());
    }
    if query.after.as_ref().is_some_and(|after| after.parse::<ConsentId>().is_err()) {
        return Err(Failure::invalid(
            "after",
            "invalid_request",
            "It is the id of a consent, from `next` of the page before.",
        )
        .into());
    }
    let mut found = app.consents.list(authorized.caller.id(), query.after.as_deref(), limit + 1).await?;
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

/// Show a consent.
#[utoipa::path(
    get, path = "/v1/consents/{id}", operation_id = "show_consent", tag = "consents",
    params(("id" = String, Path, description = "The consent")),
    security(("access_token" = ["consents:read"])),
    responses(
        (status = 200, description = "As it stands now", body = ConsentView),
    )
)]
pub async fn show(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsRead>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Reply<ConsentView>, Problem> {
    let id = id.map(|path| path.0).unwrap_or_default();
    let consent = app.consents.get(authorized.caller.id(), &id).await?;
    Ok(Reply::ok(view(&app, &consent).await?))
}

/// End a consent, or withdraw a request.
///
/// Effective for every answer that is not recorded yet, here and on every other gateway.
#[utoipa::path(
    delete, path = "/v1/consents/{id}", operation_id = "revoke_consent", tag = "consents",
    params(("id" = String, Path, description = "The consent")),
    security(("access_token" = ["consents:write"])),
    responses(
        (status = 200, description = "Revoked", body = ConsentView),
        (status = 409, description = "It has ended already", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn revoke(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsWrite>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Reply<ConsentView>, Problem> {
    let id = id.map(|path| path.0).unwrap_or_default();
    let client = authorized.caller.id();
    let consent = app.consents.revoke(&id, Some(client), &Decision::by(Actor::bank(client))).await?;
    Ok(Reply::ok(view(&app, &consent).await?))
}

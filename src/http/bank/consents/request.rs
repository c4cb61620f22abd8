//! `POST /v1/consents`.

use std::sync::Arc;

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, header};
use serde::Deserialize;

use super::view::{ConsentView, Fetches, view_of};
use crate::{
    app::App,
    consent::{Consent, NewConsent, Requested, ResponseUnderKey, StoredResponse},
    domain::{
        Failure, Month, Timestamp,
        permission::{Permission, Purpose},
    },
    http::{
        authentication::{Authorized, scope},
        header_names::IDEMPOTENT_REPLAYED,
        idempotency::Idempotent,
        problem::{CREATED, Problem, ProblemDocument},
    },
};

/// A request for a consent.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ConsentRequest {
    /// 统一社会信用代码 of the legal entity (GB 32100-2015).
    #[schema(
        example = "91330302MA2AB3C47J",
        min_length = 18,
        max_length = 18,
        pattern = "^[0-9A-HJ-NPQRTUWXYa-hj-npqrtuwxy]{18}$"
    )]
    uscc: String,
    /// The medical-insurance codes of that entity to cover.
    #[schema(example = json!(["H33030200090"]), min_items = 1, max_items = 200)]
    codes: Vec<String>,
    /// The permissions requested, each named.
    #[schema(example = json!(["grade", "settlements"]), min_items = 1)]
    permissions: Vec<Permission>,
    /// The purposes of the readings.
    #[schema(example = json!(["pre_loan_review"]), min_items = 1)]
    purposes: Vec<Purpose>,
    /// The bank's name for its product. Control, zero-width and direction characters are refused.
    #[schema(
        example = "医保信用贷",
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb][^\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]*$"
    )]
    product: String,
    /// The bank's own reference number. Control, zero-width and direction characters are refused.
    #[schema(
        example = "A-2026-000123",
        min_length = 1,
        max_length = 64,
        pattern = r"^[^\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]*[^\s\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb][^\u0000-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f-\u1160\u17b4-\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufeff\uffa0\ufff9-\ufffb]*$"
    )]
    reference: Option<String>,
    /// The first month of data; by default 24 months back.
    #[schema(value_type = Option<String>, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2024-07")]
    data_from: Option<Month>,
    /// The last month of data; by default the current one.
    #[schema(value_type = Option<String>, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-06")]
    data_to: Option<Month>,
    /// The validity from the grant on, in days.
    #[schema(example = 90, minimum = 1, maximum = 1096)]
    valid_for_days: Option<i64>,
    /// The most fetches in total.
    #[schema(example = 20, minimum = 1, maximum = 1_000_000)]
    max_fetches: Option<i64>,
    /// The most fetches in a day.
    #[schema(example = 4, minimum = 1, maximum = 1_000_000)]
    daily_budget: Option<i64>,
}

/// The response to a request. It is stored under the idempotency key, if there is one.
fn response_for(consent: &Consent, now: Timestamp) -> Result<StoredResponse, Failure> {
    let limited = consent.max_fetches.is_some() || consent.daily_budget.is_some();
    let fetches = limited.then_some(Fetches { used: 0, used_today: 0 });
    let body = serde_json::to_string(&view_of(consent, now, fetches))
        .map_err(|error| Failure::internal(format!("an answer does not serialise: {error}")))?;
    Ok(StoredResponse { location: format!("/v1/consents/{}", consent.id), body })
}

/// Request a consent.
///
/// The answer is the same whether the codes exist or not. A request that is not granted expires.
#[utoipa::path(
    post, path = "/v1/consents", operation_id = "request_consent", tag = "consents", request_body = ConsentRequest,
    params(
        ("Idempotency-Key" = Option<String>, Header, pattern = r#"^"[ !#-\[\]-~]{1,40}"$"#, description = "A quoted string of 1 to 40 characters, such as a UUID. Within 24 hours the same key and body get the same answer and create nothing", example = "\"8e03978e-40d5-43dd-bc93-6894a57f9324\""),
    ),
    security(("access_token" = ["consents:write"])),
    responses(
        (status = 201, description = "Requested", body = ConsentView, headers(
            ("Location" = String, description = "The path of the consent"),
            ("Idempotent-Replayed" = Option<String>, description = "`true` if this is the answer of an earlier request under the same key"),
        )),
        (status = 409, description = "A request under the same Idempotency-Key is still running", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The Idempotency-Key was used with another request", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 429, description = "Too often, or too many requests pending", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::ConsentsWrite>,
    Idempotent { body, key, .. }: Idempotent<ConsentRequest>,
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
            Requested::Created(response_for(&consent, now)?)
        }
        Some(key) => {
            let under_key = ResponseUnderKey { key, respond: &|consent| response_for(consent, now) };
            app.consents.request_idempotent(client.id, client.max_pending, &new, under_key).await?
        }
    };
    respond(requested)
}

/// 201 with the body that was made now or stored before.
fn respond(requested: Requested) -> Result<Response, Problem> {
    let (answer, replayed) = match requested {
        Requested::Created(answer) => (answer, false),
        Requested::Replayed(answer) => (answer, true),
    };
    let location = HeaderValue::try_from(answer.location)
        .map_err(|error| Failure::internal(format!("a consent's id is not a header value: {error}")))?;
    let headers = [(header::LOCATION, location), (header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (CREATED, headers, answer.body).into_response();
    if replayed {
        response.headers_mut().insert(IDEMPOTENT_REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(response)
}

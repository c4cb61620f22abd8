//! `POST /v1/deliveries`.

use serde::{Deserialize, Serialize};

use super::data_call::DataCall;
use crate::{
    disclosure::{DeliveryEnd, DeliveryLine, DeliveryPart, PageRequest},
    domain::{Failure, Month, permission::Purpose},
    http::{authentication::scope, input::Json, problem::ProblemDocument},
    ledger::Disclosed,
};

/// The limit that counts pages, besides the limits of requests.
const POLICY: &str = "deliveries";

/// A request for a page of a delivery.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"month": "2026-03", "purpose": "post_loan_management", "what": ["grade", "settlements"]}))]
pub struct DeliveryRequest {
    /// The month, `YYYY-MM`. A month in the future is refused.
    #[schema(value_type = String, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$", example = "2026-03")]
    month: Month,
    /// The purpose of the reading. Consents without this purpose are refused.
    #[schema(example = "post_loan_management")]
    purpose: Purpose,
    /// The parts to read, each with its own scope; by default all that the token and each consent allow.
    #[schema(min_items = 1, example = json!(["grade", "settlements"]))]
    what: Option<Vec<DeliveryPart>>,
    /// The `next` of the previous page. All other members must be the same as for that page.
    after: Option<String>,
}

/// A line of a delivery: one of these forms.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[serde(untagged)]
pub enum DeliveryItem {
    /// One consent.
    #[schema(title = "line")]
    Line(DeliveryLine),
    /// The last line.
    #[schema(title = "end")]
    End(DeliveryEnd),
}

/// Read a month of data for all consents in force.
///
/// For regular post-loan monitoring. The answer is NDJSON: a line for each consent in force that allows it, then one last
/// line with the counts, the receipts of all lines, and the cursor of the next page. The whole body is digested, signed
/// once, and recorded before it is sent. Each line is also a disclosure of its own, and uses up one fetch of its consent.
/// Consents without a line are only counted, without ids or reasons.
///
/// If a page is lost on the way, request it again with the same cursor: its lines are new disclosures. Consents granted
/// during a delivery may or may not be on a later page; those that end meanwhile are not. `Idempotency-Key` has no effect
/// here: data answers are never stored.
#[utoipa::path(
    post, path = "/v1/deliveries", operation_id = "deliver", tag = "data", request_body = DeliveryRequest,
    security(("access_token" = ["deliveries:read", "grade:read"]), ("access_token" = ["deliveries:read", "settlements:read"])),
    responses(
        (status = 200, description = "One JSON object a line, the last one a `DeliveryEnd`; signed and recorded", body = inline(DeliveryItem), content_type = "application/x-ndjson", headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the whole body"),
            ("Medcredit-Disclosure" = String, description = "The receipt of the page: its entry commits to the digest of the whole body"),
        )),
        (status = 400, description = "The request is malformed, or the cursor is of another delivery", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks a scope", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The month is in the future", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    call: DataCall<scope::DeliveriesRead>,
    Json { value: request, .. }: Json<DeliveryRequest>,
) -> Result<Disclosed, Failure> {
    // Counted before any of the page is read.
    call.count_heavy(POLICY)?;
    let page = PageRequest {
        month: request.month,
        purpose: request.purpose,
        what: request.what.as_deref(),
        unverified_after: request.after.as_deref(),
    };
    call.app.disclosures.deliver(call.caller(), &call.request(Some(request.purpose.as_str())), page).await
}

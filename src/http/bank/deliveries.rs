//! `POST /v1/deliveries`.

use serde::{Deserialize, Serialize};

use super::data::DataCall;
use crate::{
    disclosure::{DeliveryEnd, DeliveryLine, DeliveryPart, DeliveryWish},
    domain::{Failure, Month, permission::Purpose},
    http::{authentication::scope, input::Json, problem::ProblemDocument},
    ledger::Disclosed,
};

/// The limit a page counts on, besides the request itself.
const POLICY: &str = "deliveries";

/// What is to be delivered.
#[derive(Debug, Clone, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"month": "2026-03", "purpose": "post_loan_management", "what": ["grade", "settlements"]}))]
pub struct DeliveryRequest {
    /// The month, `YYYY-MM`; one that has not begun is refused.
    #[schema(value_type = String, pattern = "^[0-9]{4}-(0[1-9]|1[0-2])$", example = "2026-03")]
    month: Month,
    /// What the reading is for. Consents that are not for it are refused.
    #[schema(example = "post_loan_management")]
    purpose: Purpose,
    /// What is to be read, each with its own scope; by default all that the token and each consent allow.
    #[schema(min_items = 1, example = json!(["grade", "settlements"]))]
    what: Option<Vec<DeliveryPart>>,
    /// Go on behind a page: its `next`, with everything else as it was.
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

/// Have a month delivered for all consents in force.
///
/// For regular post-loan monitoring. The answer is NDJSON: a line for each consent in force that allows it, then one last
/// line with the counts, the receipts of all lines, and the cursor of the next page. The whole body is digested, signed
/// once, and recorded before it is sent; each line is a disclosure of its own besides, and uses up one fetch of its consent.
/// Consents that no line can be given for are counted, and nothing more is told of them.
///
/// A page lost on the way is asked for again with the same cursor: its lines are new disclosures. Consents granted while a
/// delivery is going on may or may not be on a later page; those ended meanwhile are not. `Idempotency-Key` has no meaning
/// here: no data answer is ever kept.
#[utoipa::path(
    post, path = "/v1/deliveries", tag = "data", request_body = DeliveryRequest,
    security(("access_token" = ["deliveries:read", "grade:read"]), ("access_token" = ["deliveries:read", "settlements:read"])),
    responses(
        (status = 200, description = "One JSON object a line, the last one a `DeliveryEnd`; signed and recorded", body = inline(DeliveryItem), content_type = "application/x-ndjson", headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the whole body"),
            ("Medcredit-Disclosure" = String, description = "The receipt of the page: its entry commits to the digest of the whole body"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
        (status = 400, description = "The request is malformed, or the cursor is of another delivery", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 403, description = "The token lacks a scope", body = ProblemDocument, content_type = "application/problem+json"),
        (status = 422, description = "The month has not begun", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn deliver(
    call: DataCall<scope::DeliveriesRead>,
    Json(request): Json<DeliveryRequest>,
) -> Result<Disclosed, Failure> {
    call.count_heavy(POLICY)?;
    let wish = DeliveryWish {
        month: request.month,
        purpose: request.purpose,
        what: request.what.as_deref(),
        unverified_after: request.after.as_deref(),
    };
    call.app().disclosures.deliver(call.caller(), &call.asked(Some(request.purpose.as_str())), wish).await
}

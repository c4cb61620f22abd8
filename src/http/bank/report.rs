//! `GET /v1/consents/{id}/report`.

use serde::Deserialize;

use super::data::DataCall;
use crate::{
    disclosure::ReportAnswer,
    domain::Failure,
    http::{authentication::scope, problem::ProblemDocument},
    ledger::Disclosed,
};

/// What `report` may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// What the reading is for; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read all that the consent allows, in one signed document.
///
/// Grade, former grades, first-level totals and settlement months, each as the endpoint of its name would answer it at the
/// same moment, over the consent's whole period. Each section needs its own scope; one that is missing is named, and why.
/// The whole is one disclosure, counted once, whose record names what was read.
#[utoipa::path(
    get, path = "/v1/consents/{id}/report", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), ReportQuery),
    security(
        ("access_token" = ["grade:read"]), ("access_token" = ["grade-history:read"]),
        ("access_token" = ["scorecard:read"]), ("access_token" = ["settlements:read"]),
    ),
    responses(
        (status = 200, description = "All that consent and token allow, signed and recorded", body = ReportAnswer, headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the body"),
            ("Medcredit-Disclosure" = String, description = "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
        (status = 403, description = "The consent or the token allows none of it, or nothing of it is available", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn report(call: DataCall<scope::ReportRead>) -> Result<Disclosed, Failure> {
    let query: ReportQuery = call.query()?;
    call.app.disclosures.report(&call.authorized.caller, &call.asked(query.purpose.as_deref())).await
}

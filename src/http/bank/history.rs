//! `GET /v1/consents/{id}/grade-history`.

use serde::Deserialize;

use super::data::DataCall;
use crate::{
    disclosure::GradeHistoryAnswer,
    domain::{Failure, HalfYear},
    http::{authentication::scope, problem::ProblemDocument},
    ledger::Disclosed,
};

/// What `grade-history` may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct HistoryQuery {
    /// First half-year, `YYYY-H1` or `YYYY-H2`. Without it, the first that lies wholly within the consent's months.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-H[12]$", example = "2024-H2")]
    from: Option<HalfYear>,
    /// Last half-year. Without it, the last that lies wholly within the consent's months.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-H[12]$", example = "2026-H1")]
    to: Option<HalfYear>,
    /// What the reading is for; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the grades of former rounds of every code the consent covers.
///
/// Latest first; of half-years that lie wholly within the consent's months, and of rounds that were published. The round in
/// force is told by `grade` alone until its last day has passed. While an objection is open, no grade is told that it may
/// be against. Rounds of a time when a code belonged to another legal entity are not listed.
#[utoipa::path(
    get, path = "/v1/consents/{id}/grade-history", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), HistoryQuery),
    security(("access_token" = ["grade-history:read"])),
    responses(
        (status = 200, description = "Former grades, signed and recorded", body = GradeHistoryAnswer, headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the body"),
            ("Medcredit-Disclosure" = String, description = "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
        (status = 403, description = "The consent or the token does not allow it, or the half-years are outside the consent's months", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn grade_history(call: DataCall<scope::GradeHistoryRead>) -> Result<Disclosed, Failure> {
    let query: HistoryQuery = call.query()?;
    let asked = call.asked(query.purpose.as_deref());
    call.app.disclosures.grade_history(&call.authorized.caller, &asked, (query.from, query.to)).await
}

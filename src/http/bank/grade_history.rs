//! `GET /v1/consents/{id}/grade-history`.

use serde::Deserialize;

use super::data_call::DataCall;
use crate::{
    disclosure::{GradeHistory, GradeHistoryAnswer},
    domain::{Failure, HalfYear},
    http::{authentication::scope, problem::ProblemDocument},
    ledger::Disclosed,
};

/// Query parameters of `grade-history`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GradeHistoryQuery {
    /// The first half-year, `YYYY-H1` or `YYYY-H2`; by default the first that lies wholly within the consent's months.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-H[12]$", example = "2024-H2")]
    from: Option<HalfYear>,
    /// The last half-year; by default the last that lies wholly within the consent's months.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-H[12]$", example = "2026-H1")]
    to: Option<HalfYear>,
    /// The purpose of the reading; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the grades of former rounds of every code the consent covers.
///
/// Latest first: published rounds of the half-years that lie wholly within the consent's months. Only `grade` has the round
/// in force, until its last day has passed. While an objection is open, a grade that it may concern is not disclosed.
/// Rounds of a time when a code belonged to another legal entity are not listed.
#[utoipa::path(
    get, path = "/v1/consents/{id}/grade-history", operation_id = "grade_history", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), GradeHistoryQuery),
    security(("access_token" = ["grade-history:read"])),
    responses(
        (status = 200, description = "Former grades, signed and recorded", body = GradeHistoryAnswer),
        (status = 403, description = "The consent or the token does not allow it, or the half-years are outside the consent's months", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(call: DataCall<scope::GradeHistoryRead>) -> Result<Disclosed, Failure> {
    let query: GradeHistoryQuery = call.query()?;
    let reading = GradeHistory { from: query.from, to: query.to };
    call.disclose(query.purpose.as_deref(), reading).await
}

//! `GET /v1/consents/{id}/grade`.

use serde::Deserialize;

use super::data_call::DataCall;
use crate::{
    disclosure::{Grade, GradeAnswer},
    domain::Failure,
    http::authentication::scope,
    ledger::Disclosed,
};

/// Query parameters of `grade`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GradeQuery {
    /// The purpose of the reading: `pre_loan_review`, `loan_approval` or `post_loan_management`. It may be absent if the
    /// consent has only one purpose.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the grade of every code the consent covers.
///
/// A code is graded, not rated (with the reason), not evaluated yet, expired, or under objection. The answer is signed,
/// recorded in the ledger before it is sent, and never stored.
#[utoipa::path(
    get, path = "/v1/consents/{id}/grade", operation_id = "grade", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), GradeQuery),
    security(("access_token" = ["grade:read"])),
    responses(
        (status = 200, description = "Grades, signed and recorded", body = GradeAnswer),
    )
)]
pub async fn handle(call: DataCall<scope::GradeRead>) -> Result<Disclosed, Failure> {
    let query: GradeQuery = call.query()?;
    call.disclose(query.purpose.as_deref(), Grade).await
}

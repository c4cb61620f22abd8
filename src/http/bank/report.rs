//! `GET /v1/consents/{id}/report`.

use serde::Deserialize;

use super::data_call::DataCall;
use crate::{
    disclosure::{Report, ReportAnswer},
    domain::Failure,
    http::{authentication::scope, problem::ProblemDocument},
    ledger::Disclosed,
};

/// Query parameters of `report`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ReportQuery {
    /// The purpose of the reading; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read all that the consent allows, in one signed document.
///
/// Grade, former grades, first-level totals and settlement months, each as the operation of the same name would answer at
/// the same moment, over the consent's whole period. Each section needs its own scope; `sections` states why one is missing.
/// The whole report is one disclosure and counts once. Its record names the sections that were read.
#[utoipa::path(
    get, path = "/v1/consents/{id}/report", operation_id = "report", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), ReportQuery),
    security(
        ("access_token" = ["grade:read"]), ("access_token" = ["grade-history:read"]),
        ("access_token" = ["scorecard:read"]), ("access_token" = ["settlements:read"]),
    ),
    responses(
        (status = 200, description = "All that consent and token allow, signed and recorded", body = ReportAnswer),
        (status = 403, description = "The consent or the token allows none of it, or nothing of it is available", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(call: DataCall<scope::ReportRead>) -> Result<Disclosed, Failure> {
    let query: ReportQuery = call.query()?;
    call.disclose(query.purpose.as_deref(), Report).await
}

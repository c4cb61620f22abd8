//! `GET /v1/consents/{id}/scorecard`.

use serde::Deserialize;

use super::data_call::DataCall;
use crate::{
    disclosure::{Scorecard, ScorecardAnswer},
    domain::Failure,
    http::authentication::scope,
    ledger::Disclosed,
};

/// Query parameters of `scorecard`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScorecardQuery {
    /// The purpose of the reading; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the first-level totals of every code the consent covers.
///
/// Points are integer thousandths, each with its maximum, and with the id and version of the model. Indicators, measures and
/// records below the first level are never disclosed. The status of a code is that of `grade`; only graded codes have points.
#[utoipa::path(
    get, path = "/v1/consents/{id}/scorecard", operation_id = "scorecard", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), ScorecardQuery),
    security(("access_token" = ["scorecard:read"])),
    responses(
        (status = 200, description = "First-level totals, signed and recorded", body = ScorecardAnswer),
    )
)]
pub async fn handle(call: DataCall<scope::ScorecardRead>) -> Result<Disclosed, Failure> {
    let query: ScorecardQuery = call.query()?;
    call.disclose(query.purpose.as_deref(), Scorecard).await
}

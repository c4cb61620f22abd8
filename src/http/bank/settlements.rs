//! `GET /v1/consents/{id}/settlements`.

use serde::Deserialize;

use super::data_call::DataCall;
use crate::{
    consent::MonthRange,
    disclosure::{Settlements, SettlementsAnswer},
    domain::{Failure, Month},
    http::{authentication::scope, problem::ProblemDocument},
    ledger::Disclosed,
};

/// Query parameters of `settlements`.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SettlementsQuery {
    /// The first month, `YYYY-MM`; by default the consent's first.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-01")]
    from: Option<Month>,
    /// The last month, `YYYY-MM`; by default the consent's last.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-06")]
    to: Option<Month>,
    /// The purpose of the reading; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the monthly settlement summaries of the covered codes.
///
/// Amounts are integer fen. Each row has its version, its as-of day and whether it is final; prepayments are separate; rows
/// of few visits or persons are suppressed, and so are totals that contain them. Only for codes in good standing at this moment.
#[utoipa::path(
    get, path = "/v1/consents/{id}/settlements", operation_id = "settlements", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), SettlementsQuery),
    security(("access_token" = ["settlements:read"])),
    responses(
        (status = 200, description = "Settlement months, signed and recorded", body = SettlementsAnswer),
        (status = 403, description = "The consent or the token does not allow it, or no code is in good standing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(call: DataCall<scope::SettlementsRead>) -> Result<Disclosed, Failure> {
    let query: SettlementsQuery = call.query()?;
    let reading = Settlements(MonthRange { from: query.from, to: query.to });
    call.disclose(query.purpose.as_deref(), reading).await
}

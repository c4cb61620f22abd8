//! `GET /v1/consents/{id}/scorecard`.

use serde::Deserialize;

use super::data::DataCall;
use crate::{disclosure::ScorecardAnswer, domain::Failure, http::authentication::scope, ledger::Disclosed};

/// What `scorecard` may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ScorecardQuery {
    /// What the reading is for; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the first-level totals of every code the consent covers.
///
/// Integer thousandths of points, each beside the most it can be, with the model's id and version. Indicators, measures and
/// records beneath them are never given. A code stands as in `grade`, and has points only where it is graded.
#[utoipa::path(
    get, path = "/v1/consents/{id}/scorecard", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), ScorecardQuery),
    security(("access_token" = ["scorecard:read"])),
    responses(
        (status = 200, description = "First-level totals, signed and recorded", body = ScorecardAnswer, headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the body"),
            ("Medcredit-Disclosure" = String, description = "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
    )
)]
pub async fn scorecard(call: DataCall<scope::ScorecardRead>) -> Result<Disclosed, Failure> {
    let query: ScorecardQuery = call.query()?;
    call.app.disclosures.scorecard(&call.authorized.caller, &call.asked(query.purpose.as_deref())).await
}

//! `GET /v1/disclosures/{id}/proof`.

use std::sync::Arc;

use axum::extract::State;
use http::{HeaderValue, header};

use crate::{
    app::App,
    domain::{Failure, FailureKind, ids::DisclosureId},
    http::{
        authentication::{Authorized, scope},
        bank::path_value::PathValue,
        problem::{Problem, ProblemDocument},
        reply::Reply,
    },
    ledger::{Proof, ProofStatus},
};

/// Get the proof that a disclosure is in the log.
///
/// Only for the bank that received it. docs/LEDGER.md section 7 explains how to verify the proof without the gateway.
#[utoipa::path(
    get, path = "/v1/disclosures/{id}/proof", operation_id = "proof", tag = "proofs",
    params(("id" = String, Path, description = "The disclosure, from the receipt", example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")),
    security(("access_token" = ["disclosures:read"])),
    responses(
        (status = 200, description = "Entry, opening, audit path and checkpoint", body = Proof),
        (status = 409, description = "The disclosure is recorded, but not sealed yet: try again in a second", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn handle(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::DisclosuresRead>,
    PathValue(id): PathValue,
) -> Result<Reply<Proof>, Problem> {
    let client = authorized.caller.id().to_string();
    // A malformed id is looked up as one that no disclosure has, so that it takes the same time as an unknown id.
    let id = id.parse::<DisclosureId>().map_or_else(|_| "dis_none".to_owned(), |id| id.to_string());
    match app.log.prove(&id, &client).await? {
        Some(ProofStatus::Sealed(proof)) => Ok(Reply::ok(*proof)),
        Some(ProofStatus::Pending) => {
            let failure = Failure::new(
                FailureKind::Conflict,
                "disclosure_not_sealed",
                "The disclosure is recorded, and will be sealed within about a second. Try again.",
            );
            Err(Problem::from(failure).with_header(header::RETRY_AFTER, HeaderValue::from_static("1")))
        }
        None => Err(Failure::not_found("disclosure_not_found", "There is no disclosure with this id.").into()),
    }
}

//! `GET /v1/disclosures/{id}/proof` and `GET /v1/ledger/checkpoint`.

use std::sync::Arc;

use axum::{
    extract::{Path, State},
    response::Response,
};
use http::{HeaderValue, header};

use crate::{
    app::App,
    domain::{Failure, FailureKind, ids::DisclosureId},
    http::{
        authentication::{Authorized, Connected, scope},
        problem::{Problem, ProblemDocument},
        published,
        reply::Reply,
    },
    ledger::{Proof, ProofStatus},
};

/// Prove that a disclosure is in the log.
///
/// Only for the bank it was made to. docs/LEDGER.md section 7 says how to verify the proof without the gateway.
#[utoipa::path(
    get, path = "/v1/disclosures/{id}/proof", tag = "proofs",
    params(("id" = String, Path, description = "The disclosure, from the receipt", example = "dis_06fzgvc5pqyd2m8s4tbn0xke71")),
    security(("access_token" = ["disclosures:read"])),
    responses(
        (status = 200, description = "Entry, opening, audit path and checkpoint", body = Proof),
        (status = 409, description = "Recorded, and not sealed yet: ask again in a second", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn proof(
    State(app): State<Arc<App>>,
    authorized: Authorized<scope::DisclosuresRead>,
    id: Result<Path<String>, axum::extract::rejection::PathRejection>,
) -> Result<Reply<Proof>, Problem> {
    let id = id.map(|path| path.0).unwrap_or_default();
    let client = authorized.caller.id().to_string();
    let id = id.parse::<DisclosureId>().map_or_else(|_| "dis_none".to_owned(), |id| id.to_string());
    match app.log.prove(&id, &client).await? {
        Some(ProofStatus::Sealed(proof)) => Ok(Reply::ok(*proof)),
        Some(ProofStatus::Pending) => {
            let failure = Failure::new(
                FailureKind::Conflict,
                "disclosure_not_sealed",
                "It is recorded and will be sealed within a second or so.",
            );
            Err(Problem::from(failure).with_header(header::RETRY_AFTER, HeaderValue::from_static("1")))
        }
        None => Err(Failure::not_found("disclosure_not_found", "There is no disclosure with this id.").into()),
    }
}

/// The newest checkpoint of the log.
///
/// A signed note (C2SP). Keep one now and then: it is what later ones must be consistent with.
#[utoipa::path(
    get, path = "/v1/ledger/checkpoint", tag = "proofs",
    responses(
        (status = 200, description = "A signed note", body = String, content_type = "text/plain"),
        (status = 404, description = "Nothing has been sealed yet", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn checkpoint(State(app): State<Arc<App>>, _connected: Connected) -> Result<Response, Problem> {
    Ok(published::checkpoint(&app).await?)
}

//! What banks call: consents, data, proofs, and what they may know about the gateway.
//!
//! A route that gives subject data is made by [`data`], which takes only handlers whose success is a [`Disclosed`]: what
//! has not been through the ledger cannot be returned.

pub mod consents;
pub mod data;
pub mod deliveries;
pub mod history;
pub mod imports;
pub mod proofs;
pub mod receipt;
pub mod report;
pub mod schemes;
pub mod scorecard;
pub mod tiles;
pub mod whoami;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{DefaultBodyLimit, FromRequest},
    response::{IntoResponse, Response},
    routing::{MethodRouter, get, post},
};

use super::{authentication::RequiredScope, problem::Problem, request_log::RequestLog, segmented_body::SegmentedBody};
use crate::{
    app::App,
    domain::{Failure, FailureKind, clock::SharedClock},
    ledger::Disclosed,
};

use data::DataCall;

/// The routes.
pub fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/v1/whoami", get(whoami::whoami))
        .route("/v1/schemes", get(schemes::schemes))
        .route("/v1/consents", get(consents::list).post(consents::request))
        .route("/v1/consents/{id}", get(consents::show).delete(consents::revoke))
        .route("/v1/consents/{id}/receipt", get(receipt::receipt))
        .route("/v1/consents/{id}/grade", disclosing(data::grade))
        .route("/v1/consents/{id}/grade-history", disclosing(history::grade_history))
        .route("/v1/consents/{id}/scorecard", disclosing(scorecard::scorecard))
        .route("/v1/consents/{id}/settlements", disclosing(data::settlements))
        .route("/v1/consents/{id}/report", disclosing(report::report))
        .route("/v1/deliveries", disclosing_post(deliveries::deliver))
        // The listener bounds what is delivered.
        .route("/v1/imports/{name}", get(imports::report).post(imports::deliver).layer(DefaultBodyLimit::disable()))
        .route("/v1/disclosures/{id}/proof", get(proofs::proof))
        .route("/v1/ledger/checkpoint", get(proofs::checkpoint))
        .route("/v1/ledger/keys", get(tiles::keys))
        .route("/v1/ledger/tile/{*name}", get(tiles::tile))
        .route("/v1/ledger/tile/entries/{*name}", get(tiles::entries))
}

/// A data route: its handler can succeed with a [`Disclosed`] and with nothing else (I1).
fn disclosing<S, F, Fut>(handler: F) -> MethodRouter<Arc<App>>
where
    S: RequiredScope,
    F: Fn(DataCall<S>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Disclosed, Failure>> + Send,
{
    get(move |call: DataCall<S>| async move {
        let budget = call.limit_fields();
        budget.answer(handler(call).await)
    })
}

/// A data route that is asked by POST: the caller is proved before the body is read, and the body is within the listener's
/// bound. Everything else is as for [`disclosing`].
fn disclosing_post<S, B, F, Fut>(handler: F) -> MethodRouter<Arc<App>>
where
    S: RequiredScope,
    B: FromRequest<Arc<App>, Rejection = Problem> + Send + 'static,
    F: Fn(DataCall<S>, B) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Disclosed, Failure>> + Send,
{
    post(move |call: DataCall<S>, body: B| async move {
        let budget = call.limit_fields();
        budget.answer(handler(call, body).await)
    })
}

/// Where the limit fields of an answer are gathered: the consent's own budget is known once the answer is recorded.
pub(super) struct LimitFields {
    notes: Option<RequestLog>,
    clock: SharedClock,
}

impl LimitFields {
    fn answer(self, outcome: Result<Disclosed, Failure>) -> Response {
        let quotas = match &outcome {
            Ok(disclosed) => disclosed.budget().map(|of| of.quotas(self.clock.now())),
            Err(Failure { kind: FailureKind::Spent { quotas, .. }, .. }) => Some(quotas.clone()),
            Err(_) => None,
        };
        if let (Some(notes), Some(quotas)) = (self.notes, quotas) {
            notes.add_limits(quotas);
        }
        match outcome {
            Ok(disclosed) => release(disclosed),
            Err(failure) => Problem::from(failure).into_response(),
        }
    }
}

/// The last step of the cycle: the bytes that were recorded, and no others.
fn release(disclosed: Disclosed) -> Response {
    let answer = disclosed.into_answer();
    (answer.headers, Body::new(SegmentedBody::from(answer.body))).into_response()
}

//! `GET /v1/consents/{id}/grade` and `/settlements`.

use std::sync::Arc;

use axum::extract::{FromRequestParts, Path};
use http::{Method, Uri, request::Parts};
use serde::{Deserialize, de::DeserializeOwned};

use super::LimitFields;
use crate::{
    access::Caller,
    app::App,
    disclosure::{DataRequest, GradeAnswer, SettlementsAnswer},
    domain::{Failure, Month},
    http::{
        authentication::{Authorized, RequiredScope, scope},
        content_digest::Content,
        input::Query,
        problem::{Problem, ProblemDocument},
        request_log::{InteractionId, RequestLog},
        request_signature,
    },
    identity::signature::{RequestFacts, request::SignedRequest},
    ledger::Disclosed,
};

/// A proved caller asking for data under a consent: everything a data handler takes.
#[derive(Debug)]
pub struct DataCall<S> {
    pub(super) app: Arc<App>,
    pub(super) authorized: Authorized<S>,
    unverified_consent: String,
    interaction_id: Arc<str>,
    target_uri: String,
    method: Method,
    uri: Uri,
    notes: Option<RequestLog>,
    digest: Option<Arc<str>>,
    signed: Option<Arc<SignedRequest>>,
}

impl<S: RequiredScope> FromRequestParts<Arc<App>> for DataCall<S> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let authorized = Authorized::<S>::from_request_parts(parts, app).await?;
        // A path that does not decode names no consent: the same answer as for an unknown one (C7).
        let path = Path::<String>::from_request_parts(parts, app).await;
        let InteractionId(interaction_id) = InteractionId::from_request_parts(parts, app).await?;
        Ok(Self {
            app: app.clone(),
            authorized,
            unverified_consent: path.map(|path| path.0).unwrap_or_default(),
            interaction_id,
            target_uri: request_signature::target_uri(app, parts),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            notes: parts.extensions.get::<RequestLog>().cloned(),
            digest: parts.extensions.get::<Content>().and_then(|content| content.digest.clone()),
            signed: request_signature::verified(parts),
        })
    }
}

impl<S> DataCall<S> {
    /// Where the answer's limit fields are gathered.
    pub(super) fn limit_fields(&self) -> LimitFields {
        LimitFields { notes: self.notes.clone(), clock: self.app.env.clock.clone() }
    }

    /// The query string, whose every parameter is known.
    pub(super) fn query<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        Query::of(&self.uri).map(|query| query.0)
    }

    /// What the answer's signature says of the request.
    fn facts(&self) -> RequestFacts<'_> {
        RequestFacts {
            method: self.method.as_str(),
            target_uri: &self.target_uri,
            digest: self.digest.as_deref(),
            signature: self.signed.as_deref().map(SignedRequest::fields),
        }
    }

    /// The gateway.
    pub(super) fn app(&self) -> &App {
        &self.app
    }

    /// Peer is calling.
    pub(super) fn caller(&self) -> &Caller {
        &self.authorized.caller
    }

    /// Counts heavy work under its named policy, besides the request itself.
    pub(super) fn count_heavy(&self, policy: &str) -> Result<(), Failure> {
        let client = self.caller().client();
        let (uses, outcome) = self.app.limits.admit_heavy(policy, &client.id.to_string(), &client.limits.0);
        if let Some(notes) = &self.notes {
            notes.add_limits(uses);
        }
        outcome
    }

    /// The request, as the use-case takes it.
    pub(super) fn asked<'a>(&'a self, purpose: Option<&'a str>) -> DataRequest<'a> {
        DataRequest {
            unverified_consent: &self.unverified_consent,
            purpose,
            request: self.facts(),
            interaction_id: &self.interaction_id,
        }
    }
}

/// What `grade` may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct GradeQuery {
    /// What the reading is for: `pre_loan_review`, `loan_approval` or `post_loan_management`. May be left out where the
    /// consent has one purpose.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the grade of every code the consent covers.
///
/// A code is graded, not rated (with the reason), not evaluated yet, expired, or under objection. The answer is signed,
/// recorded in the ledger before it is sent, and never stored.
#[utoipa::path(
    get, path = "/v1/consents/{id}/grade", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), GradeQuery),
    security(("access_token" = ["grade:read"])),
    responses(
        (status = 200, description = "Grades, signed and recorded", body = GradeAnswer, headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the body"),
            ("Medcredit-Disclosure" = String, description = "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
    )
)]
pub async fn grade(call: DataCall<scope::GradeRead>) -> Result<Disclosed, Failure> {
    let query: GradeQuery = call.query()?;
    call.app.disclosures.grade(&call.authorized.caller, &call.asked(query.purpose.as_deref())).await
}

/// What `settlements` may be asked with.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct SettlementsQuery {
    /// First month, `YYYY-MM`. Without it, the consent's first.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-01")]
    from: Option<Month>,
    /// Last month, `YYYY-MM`. Without it, the consent's last.
    #[param(value_type = String, required = false, pattern = "^(19|[2-9][0-9])[0-9]{2}-(0[1-9]|1[0-2])$", example = "2026-06")]
    to: Option<Month>,
    /// What the reading is for; see `grade`.
    #[param(example = "pre_loan_review")]
    purpose: Option<String>,
}

/// Read the monthly settlement summaries of the covered codes.
///
/// Integer fen. Each row has its version, as-of day and whether it is final; prepayments stand apart; rows of few visits
/// are suppressed, and totals with them. Only for codes in good standing at this moment.
#[utoipa::path(
    get, path = "/v1/consents/{id}/settlements", tag = "data",
    params(("id" = String, Path, description = "The consent", example = "con_06fzgv9a41wdkxs8q2e7mtb3rc"), SettlementsQuery),
    security(("access_token" = ["settlements:read"])),
    responses(
        (status = 200, description = "Settlement months, signed and recorded", body = SettlementsAnswer, headers(
            ("Content-Digest" = String, description = "RFC 9530, SHA-256 of the body"),
            ("Medcredit-Disclosure" = String, description = "The receipt: the entry's id, its leaf in the log, and by when it is sealed"),
            ("Signature" = String, description = "RFC 9421, over status, digest, receipt and request"),
            ("Signature-Input" = String, description = "RFC 9421"),
        )),
        (status = 403, description = "The consent or the token does not allow it, or no code is in good standing", body = ProblemDocument, content_type = "application/problem+json"),
    )
)]
pub async fn settlements(call: DataCall<scope::SettlementsRead>) -> Result<Disclosed, Failure> {
    let query: SettlementsQuery = call.query()?;
    call.app
        .disclosures
        .settlements(&call.authorized.caller, &call.asked(query.purpose.as_deref()), (query.from, query.to))
        .await
}

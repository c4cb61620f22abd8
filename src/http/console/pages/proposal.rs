//! One proposal: what will differ, and the decision of another operator, who has the role that the act needs.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use super::bank::reason_errors;
use crate::{
    app::{ActDone, App},
    approvals::{Proposal, ProposalState, Proposed, Verdict},
    domain::Failure,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, proposal_state, proposed_act},
            visitor::{Submission, Visitor},
        },
        problem::Problem,
        web::{
            flash::{self, Done},
            forms::Errors,
            page::Page,
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    principals::Role,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/approvals/{id}", get(show))
        .route("/approvals/{id}/approve", post(approve))
        .route("/approvals/{id}/reject", post(reject))
        .route("/approvals/{id}/withdraw", post(withdraw))
        .route("/approvals/{id}/execute", post(execute))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/proposal.html")]
pub(super) struct ProposalPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    errors: Errors,
    reason: String,
    of: Proposal,
    act: &'static str,
    state: Mark,
    difference: String,
    own: bool,
    may_decide: bool,
}

/// The page with the link of a new operator, shown once.
#[derive(Debug, Template)]
#[template(path = "console/operator_link.html")]
pub(super) struct LinkPage {
    frame: Frame,
    t: Texts,
    name: String,
    link: String,
}

impl ProposalPage {
    fn is_open(&self) -> bool {
        self.of.state == ProposalState::Open
    }

    fn is_approved(&self) -> bool {
        self.of.state == ProposalState::Approved
    }

    const fn at(&self) -> When {
        When(self.of.proposed_at)
    }

    const fn until(&self) -> When {
        When(self.of.expires_at)
    }

    fn executed(&self) -> Option<When> {
        self.of.executed_at.map(When)
    }
}

/// The roles that propose and decide an act.
const fn roles(proposed: &Proposed) -> &'static [Role] {
    match proposed {
        Proposed::PublishRun { .. } => &[Role::ScoringOfficer],
        Proposed::ResumePlatform { .. } | Proposed::RedriveDead { .. } => &[Role::PushOfficer],
        Proposed::RegisterClient { .. }
        | Proposed::ResumeClient { .. }
        | Proposed::RotateKey { .. }
        | Proposed::ActivateKey { .. }
        | Proposed::CreateOperator { .. }
        | Proposed::SetRoles { .. }
        | Proposed::ResumeOperator { .. } => &[Role::Security],
    }
}

async fn find(app: &App, id: &str) -> Result<Proposal, Failure> {
    Ok(app.approvals.show(id).await?)
}

fn page(visitor: &Visitor, of: Proposal, errors: Errors, reason: &str) -> ProposalPage {
    let t = visitor.t;
    let own = of.is_by(&visitor.actor());
    ProposalPage {
        frame: visitor.frame(Area::Approvals.key()),
        t,
        csrf: visitor.signed_in.csrf_token().to_owned(),
        errors,
        reason: reason.to_owned(),
        act: proposed_act(&of.proposed, t),
        state: proposal_state(of.state, t),
        difference: of.proposed.difference(),
        own,
        may_decide: visitor.may(roles(&of.proposed)),
        of,
    }
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Approvals)?;
    visitor.show(&page(&visitor, find(&app, &id).await?, Errors::default(), ""))
}

/// The page after a step of a proposal.
fn after(step: &Proposal, done: Done) -> Response {
    let entry = step.entry.map(|entry| entry.to_string());
    flash::done(&format!("/approvals/{}", step.id), done, entry.as_deref())
}

/// Carries out what was approved.
async fn carry_out(app: &App, visitor: &Visitor, proposal: &Proposal) -> Result<Response, Problem> {
    let done = app.execute_proposal(&visitor.actor(), &proposal.id).await?;
    // Here too, so that the next page and the next request find it.
    app.catch_up().await?;
    if let ActDone::OperatorCreated(invited) = done {
        let (frame, t) = (visitor.frame(Area::Approvals.key()), visitor.t);
        return visitor.show(&LinkPage { frame, t, name: invited.name, link: invited.link });
    }
    Ok(after(proposal, Done::Approved))
}

async fn approve(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    let of = find(&app, &id).await?;
    visitor.require(roles(&of.proposed))?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return visitor.show(&page(&visitor, of, errors, reason));
    }
    let decided = app.approvals.decide(&id, &visitor.actor(), Verdict::Approve, Some(reason)).await;
    carry_out(&app, &visitor, &decided.map_err(Failure::from)?).await
}

async fn reject(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    let of = find(&app, &id).await?;
    visitor.require(roles(&of.proposed))?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return visitor.show(&page(&visitor, of, errors, reason));
    }
    let decided = app.approvals.decide(&id, &visitor.actor(), Verdict::Reject, Some(reason)).await;
    Ok(after(&decided.map_err(Failure::from)?, Done::Rejected))
}

async fn withdraw(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, .. }: Submission,
) -> Result<Response, Problem> {
    visitor.enter(Area::Approvals)?;
    let withdrawn = app.approvals.withdraw(&id, &visitor.actor(), None).await.map_err(Failure::from)?;
    Ok(after(&withdrawn, Done::Withdrawn))
}

/// Carries out what was approved before, when that failed at first.
async fn execute(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, .. }: Submission,
) -> Result<Response, Problem> {
    let of = find(&app, &id).await?;
    visitor.require(roles(&of.proposed))?;
    carry_out(&app, &visitor, &of).await
}

impl Page for ProposalPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = crate::domain::Timestamp::from_seconds(1_785_456_000);
        let of = |proposed: Proposed, state: ProposalState, own, may_decide| Self {
            frame: Frame::sample(preferences, "approvals"),
            t,
            csrf: "token".into(),
            errors: Errors::default(),
            reason: String::new(),
            act: proposed_act(&proposed, t),
            state: proposal_state(state, t),
            difference: proposed.difference(),
            own,
            may_decide,
            of: Proposal {
                id: "prp_06fz0000000000000000000000".into(),
                proposed,
                reason: "a <reason>".into(),
                state,
                proposed_at: at,
                proposed_by: "operator:lin".into(),
                expires_at: at,
                decided_at: None,
                decided_by: (state != ProposalState::Open).then(|| "operator:wang".into()),
                decision: Some("checked".into()),
                executed_at: (state == ProposalState::Executed).then_some(at),
                executed_by: None,
                entry: None,
            },
        };
        let (name, platform) = ("合成银行甲".to_owned(), "city".to_owned());
        let client = "cli_1".to_owned();
        let all = [
            (Proposed::ResumeClient { client, name: name.clone() }, ProposalState::Open, false, true),
            (Proposed::ResumePlatform { platform: platform.clone() }, ProposalState::Open, true, true),
            (Proposed::RedriveDead { platform }, ProposalState::Open, false, false),
            (Proposed::RotateKey { purpose: "token_signing".into() }, ProposalState::Approved, false, true),
            (Proposed::ResumeOperator { name }, ProposalState::Executed, false, true),
        ];
        let mut pages: Vec<_> = all.into_iter().map(|(act, state, own, may)| of(act, state, own, may)).collect();
        if let Some(first) = pages.first_mut() {
            first.errors = Errors::of("reason", t.reason_missing());
        }
        pages
    }
}

impl Page for LinkPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let (frame, t) = (Frame::sample(preferences, "approvals"), Texts(preferences.lang));
        vec![Self { frame, t, name: "zhao".into(), link: "https://localhost:8446/enrol/token".into() }]
    }
}

//! Proposals: those that wait, and all there were; and how the pages propose.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    app::App,
    approvals::{NewProposal, Proposal, ProposalState, Proposed},
    domain::Failure,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, proposal_state, proposed_act},
            visitor::Visitor,
        },
        input::Query,
        problem::Problem,
        web::{
            flash::{self, Done},
            page::Page,
            pagination::{Pager, ROWS},
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/approvals", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/proposals.html")]
pub(super) struct ProposalsPage {
    frame: Frame,
    t: Texts,
    all: bool,
    rows: Vec<Row>,
    pager: Pager,
}

/// Which proposals, and where the page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Parameters {
    /// `all`, or only those that wait.
    show: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    act: &'static str,
    target: String,
    by: String,
    at: When,
    state: Mark,
}

impl Row {
    fn of(proposal: &Proposal, t: Texts) -> Self {
        Self {
            id: proposal.id.clone(),
            act: proposed_act(&proposal.proposed, t),
            target: proposal.proposed.target().to_owned(),
            by: proposal.proposed_by.clone(),
            at: When(proposal.proposed_at),
            state: proposal_state(proposal.state, t),
        }
    }
}

/// Proposes an act, and shows the proposal.
pub(super) async fn propose(
    app: &App,
    visitor: &Visitor,
    proposed: &Proposed,
    reason: &str,
) -> Result<Response, Problem> {
    let actor = visitor.actor();
    let made = app.approvals.propose(NewProposal { actor: &actor, proposed, reason }).await.map_err(Failure::from)?;
    let entry = made.entry.map(|entry| entry.to_string());
    Ok(flash::done(&format!("/approvals/{}", made.id), Done::Proposed, entry.as_deref()))
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(Parameters { show, after }): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Approvals)?;
    let all = show == "all";
    let listed = app.approvals.list(all).await.map_err(Failure::from)?;
    // Those that wait are few; of all, the page begins after the last row of the page before.
    let from = listed.iter().position(|proposal| proposal.id == after).map_or(0, |at| at + 1);
    let rows = listed.iter().skip(from).take(ROWS + 1).map(|proposal| Row::of(proposal, visitor.t));
    let mut rows: Vec<_> = rows.collect();
    let pager = Pager::cut(&mut rows, "/approvals", &[("show", &show)], &after, |row| row.id.clone());
    visitor.show(&ProposalsPage { frame: visitor.frame(Area::Approvals.key()), t: visitor.t, all, rows, pager })
}

impl Page for ProposalsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of =
            |rows, all| Self { frame: Frame::sample(preferences, "approvals"), t, all, rows, pager: Pager::default() };
        let row = |state: &ProposalState| Row {
            id: "prp_06fz0000000000000000000000".into(),
            act: t.act_resume_client(),
            target: "合成银行甲".into(),
            by: "operator:lin".into(),
            at: When::micros(1_785_456_000_000_000),
            state: proposal_state(*state, t),
        };
        vec![of(ProposalState::ALL.iter().map(row).collect(), true), of(Vec::new(), false)]
    }
}

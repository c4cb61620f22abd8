//! Operators: accounts with their roles and state. They are made and changed at the command line.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{
            area::{Area, role_name},
            frame::Frame,
            marks::{Mark, mark},
            visitor::Visitor,
        },
        problem::Problem,
        web::{page::Page, preferences::Preferences, when::When},
    },
    i18n::web::Texts,
    principals::{OperatorState, OperatorSummary, Role},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/operators", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/operators.html")]
pub(super) struct OperatorsPage {
    frame: Frame,
    t: Texts,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    name: String,
    state: Mark,
    roles: Vec<String>,
    seen: Option<When>,
}

const fn state(of: OperatorState, t: Texts) -> Mark {
    match of {
        OperatorState::Active => mark("good", t.operator_active()),
        OperatorState::Invited => mark("warn", t.operator_invited()),
        OperatorState::Suspended => mark("bad", t.operator_suspended()),
    }
}

/// A role as it is written at the command line, in words, with its regions.
fn role(text: &str, t: Texts) -> String {
    let (word, regions) = text.split_once(':').unwrap_or((text, ""));
    let name = word.parse().map_or(word, |role: Role| role_name(role, t));
    if regions.is_empty() { name.to_owned() } else { format!("{name} ({regions})") }
}

fn row(of: OperatorSummary, t: Texts) -> Row {
    Row {
        name: of.name,
        state: state(of.state, t),
        roles: of.roles.iter().map(|text| role(text, t)).collect(),
        seen: of.seen_at.map(When),
    }
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.enter(Area::Operators)?;
    let t = visitor.t;
    let operators = app.principals.operators().await.map_err(Failure::from)?;
    let rows = operators.into_iter().map(|of| row(of, t)).collect();
    visitor.show(&OperatorsPage { frame: visitor.frame(Area::Operators.key()), t, rows })
}

impl Page for OperatorsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let row = |of| Row {
            name: "lin".into(),
            state: state(of, t),
            roles: vec![role("security", t), role("push_officer:330302", t)],
            seen: (of == OperatorState::Active).then_some(When::micros(1_785_456_000_000_000)),
        };
        let rows = OperatorState::ALL.iter().map(|of| row(*of)).collect();
        vec![Self { frame: Frame::sample(preferences, "operators"), t, rows }]
    }
}

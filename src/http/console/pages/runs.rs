//! Grading runs: a list with filters, a page at a time.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{
            area::Area,
            choice::{Choice, choices},
            frame::Frame,
            marks::{Mark, run_state},
            visitor::Visitor,
        },
        input::Query,
        problem::Problem,
        web::{
            page::Page,
            pagination::{ASKED, Pager},
            preferences::Preferences,
            when::When,
        },
    },
    i18n::{Lang, web::Texts},
    store::runs::RunRow,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/runs", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/runs.html")]
pub(super) struct RunsPage {
    frame: Frame,
    t: Texts,
    filter: Parameters,
    rows: Vec<Row>,
    pager: Pager,
}

/// The filters, and where the page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    state: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    kind: String,
    period: String,
    model: String,
    state: Mark,
    subjects: i64,
    made: When,
}

/// The name of a kind of subject: in Chinese as the city's table has it, in English its id.
pub(super) fn kind_name(app: &App, id: &str, t: Texts) -> String {
    match t.0 {
        Lang::Zh => app.kinds.find(id).map_or_else(|| id.to_owned(), |kind| kind.name.clone()),
        Lang::En => id.to_owned(),
    }
}

impl RunsPage {
    fn states(&self) -> Vec<Choice> {
        let words = ["trial", "preassessment", "published", "superseded", "discarded"];
        choices(self.t, &self.filter.state, words.map(|word| (word, run_state(word, self.t).text)))
    }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Runs)?;
    let t = visitor.t;
    let Parameters { state, after } = &parameters;
    let listed = app.rounds().page(after, "", state, ASKED).await.map_err(Failure::from)?;
    let row = |row: RunRow| Row {
        kind: kind_name(&app, &row.kind, t),
        state: run_state(&row.state, t),
        made: When::micros(row.created_at),
        id: row.id,
        period: row.period,
        model: row.model_id,
        subjects: row.subject_count,
    };
    let mut rows: Vec<_> = listed.into_iter().map(row).collect();
    let pager = Pager::cut(&mut rows, "/runs", &[("state", state)], after, |row| row.id.clone());
    visitor.show(&RunsPage { frame: visitor.frame(Area::Runs.key()), t, filter: parameters, rows, pager })
}

impl Page for RunsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows| Self {
            frame: Frame::sample(preferences, "runs"),
            t,
            filter: Parameters::default(),
            rows,
            pager: Pager::default(),
        };
        let row = |word| Row {
            id: "run_06fz0000000000000000000000".into(),
            kind: "医疗机构".into(),
            period: "2026-H1".into(),
            model: "wenzhou-institution".into(),
            state: run_state(word, t),
            subjects: 900,
            made: When::micros(1_785_456_000_000_000),
        };
        let words = ["trial", "preassessment", "published", "superseded", "discarded"];
        vec![of(words.map(row).into_iter().collect()), of(Vec::new())]
    }
}

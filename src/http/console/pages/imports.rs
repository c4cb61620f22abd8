//! Imports: a list with filters, a page at a time.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    app::App,
    http::{
        console::{
            area::Area,
            choice::{Choice, choices},
            frame::Frame,
            marks::{Mark, import_state},
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
    i18n::web::Texts,
    importing::{Template as FileTemplate, records},
    store::imports::ImportRow,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/imports", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/imports.html")]
pub(super) struct ImportsPage {
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
    template: String,
    state: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    seq: i64,
    id: String,
    template: String,
    file: String,
    state: Mark,
    accepted: i64,
    rejected: i64,
    at: When,
}

impl Row {
    fn of(row: ImportRow, t: Texts) -> Self {
        Self {
            seq: row.seq,
            state: import_state(&row.state, t),
            at: When::micros(row.accepted_at.unwrap_or(row.started_at)),
            id: row.id,
            template: row.template,
            file: row.file_name,
            accepted: row.accepted,
            rejected: row.rejected,
        }
    }
}

impl ImportsPage {
    fn templates(&self) -> Vec<Choice> {
        let words = FileTemplate::ALL.iter().map(|template| (template.as_str(), template.as_str()));
        choices(self.t, &self.filter.template, words)
    }

    fn states(&self) -> Vec<Choice> {
        let words = ["accepted", "staging", "discarded"].map(|word| (word, import_state(word, self.t).text));
        choices(self.t, &self.filter.state, words)
    }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Imports)?;
    let Parameters { template, state, after } = &parameters;
    // A number that is none begins at the newest.
    let listed = records::page(&app.env, after.parse().ok(), template, state, ASKED).await?;
    let mut rows: Vec<_> = listed.into_iter().map(|row| Row::of(row, visitor.t)).collect();
    let filters = [("template", &**template), ("state", state)];
    let pager = Pager::cut(&mut rows, "/imports", &filters, after, |row| row.seq.to_string());
    let frame = visitor.frame(Area::Imports.key());
    visitor.show(&ImportsPage { frame, t: visitor.t, filter: parameters, rows, pager })
}

impl Page for ImportsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows| Self {
            frame: Frame::sample(preferences, "imports"),
            t,
            filter: Parameters::default(),
            rows,
            pager: Pager::default(),
        };
        let row = |word| Row {
            seq: 7,
            id: "imp_06fz0000000000000000000000".into(),
            template: "records".into(),
            file: "records <2026>.csv".into(),
            state: import_state(word, t),
            accepted: 1000,
            rejected: 2,
            at: When::micros(1_785_456_000_000_000),
        };
        vec![of(["accepted", "staging", "discarding", "discarded"].map(row).into_iter().collect()), of(Vec::new())]
    }
}

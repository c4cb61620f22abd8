//! One import, with what was found in its rows. The findings' words may quote the file, so they are not shown here.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use crate::{
    app::App,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, import_state, mark},
            visitor::Visitor,
        },
        problem::Problem,
        web::{
            page::Page,
            preferences::Preferences,
            when::{When, optional},
        },
    },
    i18n::web::Texts,
    importing::{RowFinding, records},
    store::imports::ImportRow,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/imports/{id}", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/import.html")]
pub(super) struct ImportPage {
    frame: Frame,
    t: Texts,
    row: ImportRow,
    state: Mark,
    started: When,
    ended: Option<When>,
    /// The number of findings by code.
    codes: Vec<(String, u64)>,
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Finding {
    row: u64,
    column: String,
    code: String,
    severity: Mark,
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Imports)?;
    let t = visitor.t;
    let row = records::find(&app.env, &id).await?;
    let report = match &row.client_id {
        Some(client) => records::findings(&app.env, &row.id, client).await?,
        // The command wrote the report beside the file.
        None => None,
    };
    let (codes, findings) = report.map_or_else(Default::default, |report| (report.codes, report.rows));
    let finding =
        |of: RowFinding| Finding { row: of.row, column: of.column, code: of.code, severity: severity(&of.severity, t) };
    visitor.show(&ImportPage {
        frame: visitor.frame(Area::Imports.key()),
        t,
        state: import_state(&row.state, t),
        started: When::micros(row.started_at),
        ended: optional(row.accepted_at),
        codes,
        findings: findings.into_iter().map(finding).collect(),
        row,
    })
}

fn severity(word: &str, t: Texts) -> Mark {
    if word == "reject" { mark("bad", t.severity_reject()) } else { mark("warn", t.severity_warning()) }
}

impl Page for ImportPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let row = || ImportRow {
            seq: 7,
            id: "imp_06fz0000000000000000000000".into(),
            template: "records".into(),
            file_name: "records.csv".into(),
            sha256: "9f86d081884c7d65".into(),
            row_count: 1002,
            accepted: 1000,
            rejected: 2,
            state: "accepted".into(),
            started_at: 0,
            accepted_at: Some(1_785_456_000_000_000),
            client_id: Some("cli_06fz0000000000000000000000".into()),
            options: None,
            replaced_by: Some(9),
        };
        let of = |row, codes, findings| Self {
            frame: Frame::sample(preferences, "imports"),
            t,
            row,
            state: import_state("accepted", t),
            started: When::micros(1_785_456_000_000_000),
            ended: None,
            codes,
            findings,
        };
        let finding = |word| Finding {
            row: 7,
            column: "value".into(),
            code: "value_malformed".into(),
            severity: severity(word, t),
        };
        let full = of(row(), vec![("value_malformed".into(), 2)], vec![finding("reject"), finding("warning")]);
        let by_operator = ImportRow { client_id: None, replaced_by: None, ..row() };
        vec![full, of(by_operator, Vec::new(), Vec::new())]
    }
}

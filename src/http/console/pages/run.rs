//! One grading run: the distribution of grades as a chart, and the movement since the round before.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use super::{bank::reason_errors, proposals::propose, runs::kind_name};
use crate::{
    app::App,
    approvals::Proposed,
    domain::Failure,
    grading::{MovementTable, ReportNames, RoundReport},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, run_state},
            visitor::{Submission, Visitor},
        },
        problem::Problem,
        web::{
            chart::{Bar, Bars},
            forms::Errors,
            page::Page,
            preferences::Preferences,
            when::When,
        },
    },
    i18n::{Lang, web::Texts},
    principals::Role,
};

/// The roles that may propose a publication, and decide on one.
const PUBLISHERS: &[Role] = &[Role::ScoringOfficer];

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/runs/{id}", get(show)).route("/runs/{id}/publish", post(publish))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/run.html")]
pub(super) struct RunPage {
    frame: Frame,
    t: Texts,
    title: String,
    id: String,
    state: Mark,
    model: String,
    published: Option<When>,
    valid_until: Option<String>,
    subjects: u64,
    graded: u64,
    chart: Bars,
    grades: Vec<Line>,
    not_rated: Vec<Line>,
    movement: Option<Moves>,
    digests: [String; 3],
    csrf: String,
    errors: Errors,
    reason: String,
    may_publish: bool,
}

/// A count with its share.
#[derive(Debug, Clone)]
struct Line {
    name: String,
    count: u64,
    percent: String,
}

#[derive(Debug)]
struct Moves {
    period: String,
    columns: Vec<String>,
    rows: Vec<(String, Vec<u64>)>,
    risen: u64,
    fallen: u64,
    stayed: u64,
}

fn chart(grades: &[Line], t: Texts) -> Bars {
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let bars: Vec<_> =
        grades.iter().map(|line| Bar { label: line.name.clone(), value: number(line.count), class: "brand" }).collect();
    let all: u64 = grades.iter().map(|line| line.count).sum();
    Bars::new("distribution", t.run_distribution(), &t.run_distribution_chart(all), bars)
}

fn moves(table: MovementTable, t: Texts) -> Moves {
    let name = |column: crate::grading::Column| if t.0 == Lang::Zh { column.name_zh } else { column.code };
    let count = |count: Option<u64>| count.unwrap_or(0);
    let counts = table.counts.into_iter().map(|row| row.into_iter().map(count).collect());
    Moves {
        period: table.before.period,
        columns: table.columns.into_iter().map(name).collect(),
        rows: table.rows.into_iter().map(name).zip(counts).collect(),
        risen: count(table.risen),
        fallen: count(table.fallen),
        stayed: count(table.stayed),
    }
}

fn page(app: &App, visitor: &Visitor, report: RoundReport, form: (Errors, String)) -> RunPage {
    let t = visitor.t;
    let line = |(column, share): (crate::grading::Column, crate::grading::Share)| Line {
        name: if t.0 == Lang::Zh { column.name_zh } else { column.code },
        count: share.count.unwrap_or(0),
        percent: share.percent.map(|percent| format!("{percent}%")).unwrap_or_default(),
    };
    let grades: Vec<_> = report.grades.into_iter().map(line).collect();
    RunPage {
        frame: visitor.frame(Area::Runs.key()),
        t,
        title: format!("{} {}", report.period, kind_name(app, &report.kind, t)),
        id: report.run,
        state: run_state(&report.state, t),
        model: format!("{} ({})", report.model_zh, report.model),
        published: report.published_at.map(When),
        valid_until: report.valid_until,
        subjects: report.subjects.unwrap_or(0),
        graded: report.graded.unwrap_or(0),
        chart: chart(&grades, t),
        grades,
        not_rated: report.not_rated.into_iter().map(line).collect(),
        movement: report.movement.map(|table| moves(table, t)),
        may_publish: visitor.may(PUBLISHERS) && matches!(&*report.state, "trial" | "preassessment"),
        csrf: visitor.signed_in.csrf_token().to_owned(),
        errors: form.0,
        reason: form.1,
        digests: [report.model_digest, report.input_digest, report.outcome_digest],
    }
}

async fn report(app: &App, id: &str) -> Result<RoundReport, Failure> {
    let names = ReportNames { kinds: &app.kinds, regions: &app.regions };
    // For the bureau's own staff: nothing is withheld.
    Ok(app.rounds().round_report(id, names, None).await?)
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Runs)?;
    visitor.show(&page(&app, &visitor, report(&app, &id).await?, (Errors::default(), String::new())))
}

/// Proposes that a run is put in force.
async fn publish(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    visitor.require(PUBLISHERS)?;
    let (of, reason) = (report(&app, &id).await?, fields.get("reason"));
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return visitor.show(&page(&app, &visitor, of, (errors, reason.to_owned())));
    }
    let in_force = app.rounds().page("", &of.kind, "published", i64::MAX).await.map_err(Failure::from)?;
    let former = in_force.into_iter().find(|row| row.scheme == of.scheme).map(|row| row.id);
    let proposed = Proposed::PublishRun { run: of.run, kind: of.kind, period: of.period, former };
    propose(&app, &visitor, &proposed, reason).await
}

impl Page for RunPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let line = |name: &str, count| Line { name: name.into(), count, percent: "50.00%".into() };
        let of = |grades: Vec<Line>, movement| Self {
            frame: Frame::sample(preferences, "runs"),
            t,
            title: "2026-H1".into(),
            id: "run_06fz0000000000000000000000".into(),
            state: run_state("published", t),
            model: "wenzhou-institution".into(),
            published: Some(When::micros(1_785_456_000_000_000)),
            valid_until: Some("2027-01-31".into()),
            subjects: 30,
            graded: 20,
            chart: chart(&grades, t),
            grades,
            not_rated: vec![line("insufficient_data", 10)],
            movement,
            digests: ["aa".into(), "bb".into(), "cc".into()],
            csrf: "token".into(),
            errors: Errors::default(),
            reason: String::new(),
            may_publish: true,
        };
        let movement = Moves {
            period: "2025-H2".into(),
            columns: vec!["优秀".into(), "良好".into()],
            rows: vec![("优秀".into(), vec![5, 1]), ("良好".into(), vec![2, 7])],
            risen: 2,
            fallen: 1,
            stayed: 12,
        };
        vec![of(vec![line("优秀", 12), line("良好", 8)], Some(movement)), of(Vec::new(), None)]
    }
}

//! The overview: what happens now, and what needs somebody's attention.

mod data;

use std::sync::Arc;

use askama::Template;
use axum::{Extension, Router, extract::State, response::Response, routing::get};

use crate::{
    app::App,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, mark, platform_state, run_state},
            visitor::Visitor,
        },
        problem::Problem,
        web::{
            chart::{Columns, Pair},
            page::Page,
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    ledger::Counted,
    telemetry::Health,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/overview.html")]
pub(super) struct OverviewPage {
    frame: Frame,
    t: Texts,
    alerts: Vec<String>,
    hour: (u64, u64),
    since: When,
    answers: Counted,
    /// Active and suspended clients.
    clients: (i64, i64),
    /// Consents in force and pending.
    consents: (i64, i64),
    /// Proposals that wait for a decision.
    proposals: i64,
    chart: Columns,
    hours: Vec<Pair>,
    refusals: Vec<Refusal>,
    expiring: Vec<Expiring>,
    platforms: Vec<PlatformLine>,
    imports: Vec<ImportLine>,
    runs: Vec<RunLine>,
    see: See,
}

/// The areas that the reader sees, for links.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "each is one link of the page")]
struct See {
    banks: bool,
    consents: bool,
    platforms: bool,
    imports: bool,
    runs: bool,
    keys: bool,
    approvals: bool,
}

/// Refusals with a code: in the last hour and in the last day.
#[derive(Debug)]
struct Refusal {
    code: &'static str,
    hour: u64,
    day: u64,
}

/// What ends soon.
#[derive(Debug)]
struct Expiring {
    what: String,
    at: When,
    days: i64,
    mark: Mark,
}

#[derive(Debug)]
struct PlatformLine {
    id: String,
    name: String,
    state: Mark,
    waiting: i64,
    rejected: i64,
}

#[derive(Debug)]
struct ImportLine {
    id: String,
    file: String,
    accepted: i64,
    rejected: i64,
    at: When,
}

#[derive(Debug)]
struct RunLine {
    id: String,
    kind: String,
    period: String,
    state: Mark,
    subjects: i64,
}

impl OverviewPage {
    fn answers_text(&self) -> String {
        if self.answers.more { format!("> {}", self.answers.number) } else { self.answers.number.to_string() }
    }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Extension(health): Extension<Health>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Overview)?;
    visitor.show(&data::page(&app, &visitor, &health).await?)
}

impl See {
    fn of(visitor: &Visitor) -> Self {
        let sees = |area: Area| visitor.has(area.readers());
        Self {
            banks: sees(Area::Banks),
            consents: sees(Area::Consents),
            platforms: sees(Area::Platforms),
            imports: sees(Area::Imports),
            runs: sees(Area::Runs),
            keys: sees(Area::Keys),
            approvals: sees(Area::Approvals),
        }
    }
}

impl Page for OverviewPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = When::micros(1_785_456_000_000_000);
        let hours: Vec<_> = (0..24).map(|hour| data::pair(hour, 40 + hour * 3, hour % 5, t)).collect();
        let see = See {
            banks: true,
            consents: true,
            platforms: true,
            imports: true,
            runs: true,
            keys: true,
            approvals: true,
        };
        let full = Self {
            frame: Frame::sample(preferences, "overview"),
            t,
            alerts: vec![t.alert_not_ready("clock")],
            hour: (61, 3),
            since: at,
            answers: 1234.into(),
            clients: (12, 1),
            consents: (340, 7),
            proposals: 2,
            chart: data::chart(&hours, t),
            hours,
            refusals: vec![Refusal { code: "consent_not_active", hour: 2, day: 9 }],
            expiring: vec![Expiring { what: "CN=合成银行甲".into(), at, days: 5, mark: mark("bad", "") }],
            platforms: vec![PlatformLine {
                id: "city-credit-platform".into(),
                name: "城市信用平台".into(),
                state: platform_state("failing", t),
                waiting: 3,
                rejected: 1,
            }],
            imports: vec![ImportLine {
                id: "imp_06fz0000000000000000000000".into(),
                file: "records.csv".into(),
                accepted: 1000,
                rejected: 2,
                at,
            }],
            runs: vec![RunLine {
                id: "run_06fz0000000000000000000000".into(),
                kind: "medical_institution".into(),
                period: "2026-H1".into(),
                state: run_state("published", t),
                subjects: 900,
            }],
            see,
        };
        let empty = Self {
            frame: Frame::sample(preferences, "overview"),
            t,
            alerts: Vec::new(),
            hour: (0, 0),
            since: at,
            answers: 0.into(),
            clients: (0, 0),
            consents: (0, 0),
            proposals: 0,
            chart: data::chart(&[], t),
            hours: Vec::new(),
            refusals: Vec::new(),
            expiring: Vec::new(),
            platforms: Vec::new(),
            imports: Vec::new(),
            runs: Vec::new(),
            see: See { banks: false, ..see },
        };
        vec![full, empty]
    }
}

//! Platforms that receive packages of grades.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, platform_state},
            visitor::Visitor,
        },
        problem::Problem,
        web::{page::Page, preferences::Preferences},
    },
    i18n::web::Texts,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/platforms", get(show))
}

/// The page. A city has a handful of platforms, each a file: they are on one page.
#[derive(Debug, Template)]
#[template(path = "console/platforms.html")]
pub(super) struct PlatformsPage {
    frame: Frame,
    t: Texts,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    carrier: &'static str,
    state: Mark,
    sent: i64,
    accepted: i64,
    rejected: i64,
    waiting: i64,
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.enter(Area::Platforms)?;
    let t = visitor.t;
    let mut rows = Vec::new();
    for id in app.deliveries.platforms() {
        let of = app.deliveries.state(id).await.map_err(Failure::from)?;
        rows.push(Row {
            id: of.platform,
            name: of.name,
            carrier: of.carrier,
            state: platform_state(of.state, t),
            sent: of.sent,
            accepted: of.accepted,
            rejected: of.rejected,
            waiting: of.waiting,
        });
    }
    visitor.show(&PlatformsPage { frame: visitor.frame(Area::Platforms.key()), t, rows })
}

impl Page for PlatformsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows| Self { frame: Frame::sample(preferences, "platforms"), t, rows };
        let row = |word| Row {
            id: "city-credit-platform".into(),
            name: "城市信用平台".into(),
            carrier: "https",
            state: platform_state(word, t),
            sent: 100,
            accepted: 90,
            rejected: 2,
            waiting: 8,
        };
        vec![of(["working", "failing", "stopped", "paused"].map(row).into_iter().collect()), of(Vec::new())]
    }
}

//! Clients: a list with filters, a page at a time.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};
use serde::Deserialize;

use crate::{
    access::{self, ClientFilter, ClientKind, ClientRecord, ClientState},
    app::App,
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, client_kind, client_state},
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
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/banks", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/banks.html")]
pub(super) struct BanksPage {
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
    kind: String,
    state: String,
    /// A part of the name of a client, which is an institution and no person.
    name: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    name: String,
    kind: &'static str,
    state: Mark,
    registered: When,
}

impl Row {
    fn of(record: &ClientRecord, t: Texts) -> Self {
        let client = &record.client;
        Self {
            id: client.id.to_string(),
            name: client.name.clone(),
            kind: client_kind(client.kind, t),
            state: client_state(client.state, t),
            registered: When(record.registered_at),
        }
    }
}

impl BanksPage {
    /// The kinds to choose from: word, text, and whether it is chosen.
    fn kinds(&self) -> Vec<(&'static str, &'static str, bool)> {
        let choice = |kind: &ClientKind| (kind.as_str(), client_kind(*kind, self.t), kind.as_str() == self.filter.kind);
        ClientKind::ALL.iter().map(choice).collect()
    }

    fn states(&self) -> Vec<(&'static str, &'static str, bool)> {
        let choice = |state: &ClientState| {
            (state.as_str(), client_state(*state, self.t).text, state.as_str() == self.filter.state)
        };
        ClientState::ALL.iter().map(choice).collect()
    }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Banks)?;
    let Parameters { kind, state, name, after } = &parameters;
    let filter = ClientFilter { kind: kind.clone(), state: state.clone(), name: name.trim().to_owned() };
    let records = access::page(&app.env, &filter, after, ASKED).await?;
    let mut rows: Vec<_> = records.iter().map(|record| Row::of(record, visitor.t)).collect();
    let filters = [("kind", &**kind), ("state", state), ("name", name)];
    let pager = Pager::cut(&mut rows, "/banks", &filters, after, |row| row.name.clone());
    visitor.show(&BanksPage { frame: visitor.frame(Area::Banks.key()), t: visitor.t, filter: parameters, rows, pager })
}

impl Page for BanksPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows, pager| Self {
            frame: Frame::sample(preferences, "banks"),
            t,
            filter: Parameters { state: "active".into(), ..Parameters::default() },
            rows,
            pager,
        };
        let row = |state| Row {
            id: "cli_06fz0000000000000000000000".into(),
            name: "合成银行甲 <A&B>".into(),
            kind: t.kind_bank(),
            state: client_state(state, t),
            registered: When::micros(1_785_456_000_000_000),
        };
        let pager = Pager { first: Some("/banks".into()), next: Some("/banks?after=a".into()) };
        let rows = ClientState::ALL.iter().map(|state| row(*state)).collect();
        vec![of(rows, pager), of(Vec::new(), Pager::default())]
    }
}

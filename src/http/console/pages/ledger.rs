//! The ledger: a search, and the newest checkpoint.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use serde::Deserialize;

use crate::{
    app::App,
    domain::Day,
    http::{
        console::{
            area::Area,
            choice::{Choice, choices},
            frame::Frame,
            marks::entry_kind,
            visitor::Visitor,
        },
        input::Query,
        problem::Problem,
        web::{
            forms::Errors,
            page::Page,
            pagination::{ASKED, Pager},
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    ledger::{self, EntryFilter, FoundEntry},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/ledger", get(show))
}

/// The kinds of entry to choose from.
const KINDS: [&str; 6] = ["operator", "consent", "disclosure", "delivery", "approval", "erasure"];

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/ledger.html")]
pub(super) struct LedgerPage {
    frame: Frame,
    t: Texts,
    errors: Errors,
    filter: Parameters,
    rows: Vec<Row>,
    pager: Pager,
    checkpoint: Option<String>,
}

/// The filters, and where the page begins. A client is an institution.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    kind: String,
    client: String,
    until: String,
    id: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    kind: &'static str,
    what: String,
    at: When,
    sealed: bool,
}

impl Row {
    fn of(entry: FoundEntry, t: Texts) -> Self {
        Self {
            kind: entry_kind(&entry.kind, t),
            what: entry
                .facts
                .iter()
                .find(|(name, _)| name == "action" || name == "event")
                .map_or_else(String::new, |(_, value)| value.clone()),
            at: When(entry.at),
            sealed: entry.leaf.is_some(),
            id: entry.id,
        }
    }
}

impl LedgerPage {
    fn kinds(&self) -> Vec<Choice> {
        choices(self.t, &self.filter.kind, KINDS.map(|word| (word, entry_kind(word, self.t))))
    }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Ledger)?;
    let t = visitor.t;
    let id = parameters.id.trim();
    let mut errors = Errors::default();
    if !id.is_empty() {
        if ledger::find_entry(&app.env, id).await?.is_some() {
            return Ok(Redirect::to(&format!("/ledger/{id}")).into_response());
        }
        errors.add("id", t.ledger_no_such());
    }
    let Parameters { kind, client, until, after, .. } = &parameters;
    let day = until.trim();
    let until_at = match day.parse::<Day>() {
        // To the end of the day.
        Ok(day) => Some(day.plus_days(1).start()),
        Err(_) if day.is_empty() => None,
        Err(_) => {
            errors.add("until", t.consents_day_wrong());
            None
        }
    };
    let filter = EntryFilter { kind, client: client.trim(), until: until_at, before: after };
    let listed = ledger::entries(&app.env, filter, ASKED).await?;
    let mut rows: Vec<_> = listed.into_iter().map(|entry| Row::of(entry, t)).collect();
    let filters = [("kind", &**kind), ("client", client), ("until", until)];
    let pager = Pager::cut(&mut rows, "/ledger", &filters, after, |row| row.id.clone());
    let checkpoint = app.log.checkpoint().await?;
    let frame = visitor.frame(Area::Ledger.key());
    visitor.show(&LedgerPage { frame, t, errors, filter: parameters, rows, pager, checkpoint })
}

impl Page for LedgerPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows, checkpoint| Self {
            frame: Frame::sample(preferences, "ledger"),
            t,
            errors: Errors::of("id", t.ledger_no_such()),
            filter: Parameters { kind: "operator".into(), ..Parameters::default() },
            rows,
            pager: Pager::default(),
            checkpoint,
        };
        let row = |word| Row {
            id: "ent_06fz0000000000000000000000".into(),
            kind: entry_kind(word, t),
            what: "client_suspended".into(),
            at: When::micros(1_785_456_000_000_000),
            sealed: word != "consent",
        };
        let rows = KINDS.map(row).into_iter().collect();
        vec![of(rows, Some("gateway.example/ledger/1\n12\nroot\n".into())), of(Vec::new(), None)]
    }
}

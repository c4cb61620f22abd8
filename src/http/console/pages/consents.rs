//! Consents: a list with filters, and a search by subject, whose code is in no URL.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use serde::Deserialize;

use crate::{
    app::App,
    consent::{ConsentState, ListedConsent},
    domain::{Day, Timestamp},
    http::{
        console::{
            area::Area,
            choice::{Choice, choices},
            frame::Frame,
            marks::{Mark, consent_state},
            visitor::{Submission, Visitor},
        },
        input::Query,
        problem::Problem,
        web::{
            forms::Errors,
            page::Page,
            pagination::{ASKED, Pager, ROWS},
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    ledger,
    store::consent_lists::ConsentPage,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/consents", get(show)).route("/consents/search", post(search))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/consents.html")]
pub(super) struct ConsentsPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    errors: Errors,
    filter: Parameters,
    /// The subject that was searched for.
    subject: String,
    /// Where the next page of a search begins.
    after: Option<String>,
    rows: Vec<Row>,
    pager: Pager,
}

/// The filters, and where the page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Parameters {
    client: String,
    state: String,
    expires: String,
    id: String,
    after: String,
}

#[derive(Debug)]
struct Row {
    id: String,
    client: String,
    product: String,
    state: Mark,
    requested: When,
    expires: Option<When>,
}

impl Row {
    fn of(listed: ListedConsent, t: Texts) -> Self {
        Self {
            id: listed.id,
            client: listed.client,
            product: listed.product,
            state: consent_state(listed.state, t),
            requested: When(listed.requested_at),
            expires: listed.expires_at.map(When),
        }
    }
}

impl ConsentsPage {
    fn of(visitor: &Visitor, filter: Parameters, errors: Errors) -> Self {
        Self {
            frame: visitor.frame(Area::Consents.key()),
            t: visitor.t,
            csrf: visitor.signed_in.csrf_token().to_owned(),
            errors,
            filter,
            subject: String::new(),
            after: None,
            rows: Vec::new(),
            pager: Pager::default(),
        }
    }

    fn states(&self) -> Vec<Choice> {
        let words = ConsentState::ALL.iter().map(|state| (state.as_str(), consent_state(*state, self.t).text));
        choices(self.t, &self.filter.state, words)
    }
}

/// The first instant after a day.
fn end_of(day: &str) -> Result<Option<Timestamp>, ()> {
    if day.is_empty() { Ok(None) } else { day.parse::<Day>().map(|day| Some(day.start())).map_err(|_| ()) }
}

async fn show(
    State(app): State<Arc<App>>,
    visitor: Visitor,
    Query(parameters): Query<Parameters>,
) -> Result<Response, Problem> {
    visitor.enter(Area::Consents)?;
    let id = parameters.id.trim();
    if !id.is_empty() {
        if let Some(consent) = ledger::consent_of(&app.env, id).await? {
            return Ok(Redirect::to(&format!("/consents/{consent}")).into_response());
        }
        let errors = Errors::of("id", visitor.t.consents_id_wrong());
        return visitor.show(&ConsentsPage::of(&visitor, parameters, errors));
    }
    let Ok(expires_before) = end_of(parameters.expires.trim()) else {
        let errors = Errors::of("expires", visitor.t.consents_day_wrong());
        return visitor.show(&ConsentsPage::of(&visitor, parameters, errors));
    };
    let Parameters { client, state, expires, after, .. } = &parameters;
    let regions = visitor.signed_in.roles().regions(Area::Consents.readers());
    let regions = regions.as_ref();
    let asked = ConsentPage { before: after, client, state, expires_before, subject: "", regions, limit: ASKED };
    let listed = app.consents.page(&asked).await?;
    let mut rows: Vec<_> = listed.into_iter().map(|listed| Row::of(listed, visitor.t)).collect();
    let filters = [("client", &**client), ("state", state), ("expires", expires)];
    let pager = Pager::cut(&mut rows, "/consents", &filters, after, |row| row.id.clone());
    visitor.show(&ConsentsPage { rows, pager, ..ConsentsPage::of(&visitor, parameters, Errors::default()) })
}

async fn search(State(app): State<Arc<App>>, Submission { visitor, fields }: Submission) -> Result<Response, Problem> {
    visitor.enter(Area::Consents)?;
    let subject = fields.get("subject");
    let mut page = ConsentsPage::of(&visitor, Parameters::default(), Errors::default());
    if subject.is_empty() {
        page.errors = Errors::of("subject", visitor.t.consents_enter_subject());
        return visitor.show(&page);
    }
    let regions = visitor.signed_in.roles().regions(Area::Consents.readers());
    let regions = regions.as_ref();
    let asked = ConsentPage { before: fields.get("after"), subject, regions, limit: ASKED, ..ConsentPage::default() };
    let listed = app.consents.page(&asked).await?;
    page.rows = listed.into_iter().map(|listed| Row::of(listed, visitor.t)).collect();
    if page.rows.len() > ROWS {
        page.rows.truncate(ROWS);
        page.after = page.rows.last().map(|row| row.id.clone());
    }
    subject.clone_into(&mut page.subject);
    visitor.show(&page)
}

impl Page for ConsentsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |rows, errors| Self {
            frame: Frame::sample(preferences, "consents"),
            t,
            csrf: "token".into(),
            errors,
            filter: Parameters { state: "active".into(), ..Parameters::default() },
            subject: String::new(),
            after: None,
            rows,
            pager: Pager::default(),
        };
        let row = |state: &ConsentState| Row {
            id: "con_06fz0000000000000000000000".into(),
            client: "合成银行甲".into(),
            product: "流水贷".into(),
            state: consent_state(*state, t),
            requested: When::micros(1_785_456_000_000_000),
            expires: None,
        };
        let rows: Vec<_> = ConsentState::ALL.iter().map(row).collect();
        let searched = Self {
            subject: "H33030200001".into(),
            after: Some("con_06fz0000000000000000000000".into()),
            ..of(ConsentState::ALL.iter().map(row).collect(), Errors::default())
        };
        vec![of(rows, Errors::default()), searched, of(Vec::new(), Errors::of("id", t.consents_id_wrong()))]
    }
}

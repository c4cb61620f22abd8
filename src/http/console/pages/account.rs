//! The own account: roles, sessions, and the end of a session.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};
use http::header;

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{
            area::role_name,
            frame::Frame,
            visitor::{SESSION, Submission, Visitor},
        },
        problem::Problem,
        web::{
            cookies,
            flash::{self, Done},
            page::Page,
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    principals::SessionRow,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/account", get(show))
        .route("/account/sessions/{id}/end", post(end))
        .route("/sign-out", post(sign_out))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/account.html")]
pub(super) struct AccountPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    roles: Vec<RoleOf>,
    sessions: Vec<Session>,
}

#[derive(Debug)]
struct RoleOf {
    name: &'static str,
    /// Its regions; none for all.
    regions: Option<String>,
}

#[derive(Debug)]
struct Session {
    id: String,
    begun: When,
    seen: When,
    address: String,
    agent: String,
    current: bool,
}

impl From<SessionRow> for Session {
    fn from(row: SessionRow) -> Self {
        Self {
            id: row.id,
            begun: When(row.created_at),
            seen: When(row.seen_at),
            address: row.address,
            agent: row.agent,
            current: row.current,
        }
    }
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    let (t, who) = (visitor.t, &visitor.signed_in);
    let roles = who.roles().iter().map(|(role, regions)| RoleOf {
        name: role_name(role, t),
        regions: regions.map(|regions| regions.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    });
    let sessions = app.principals.sessions(who).await.map_err(Failure::from)?;
    visitor.show(&AccountPage {
        frame: visitor.frame("account"),
        t,
        csrf: who.csrf_token().to_owned(),
        roles: roles.collect(),
        sessions: sessions.into_iter().map(Session::from).collect(),
    })
}

async fn end(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, .. }: Submission,
) -> Result<Response, Problem> {
    if !app.principals.end_session(&visitor.signed_in, &id).await.map_err(Failure::from)? {
        return Err(Failure::not_found("session_not_found", "You have no session with this id.").into());
    }
    Ok(flash::done("/account", Done::SessionEnded, None))
}

async fn sign_out(State(app): State<Arc<App>>, Submission { visitor, .. }: Submission) -> Result<Response, Problem> {
    app.principals.sign_out(&visitor.signed_in).await.map_err(Failure::from)?;
    let mut response = flash::done("/sign-in", Done::SignedOut, None);
    if let Some(cookie) = cookies::clear(SESSION) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

impl Page for AccountPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let session = |id: &str, current| Session {
            id: id.into(),
            begun: When::micros(1_785_456_000_000_000),
            seen: When::micros(1_785_459_600_000_000),
            address: "10.20.30.40".into(),
            agent: "Mozilla/5.0 (X11; Linux x86_64) Chrome/140".into(),
            current,
        };
        vec![Self {
            frame: Frame::sample(preferences, "account"),
            t,
            csrf: "token".into(),
            roles: vec![
                RoleOf { name: t.role_security(), regions: None },
                RoleOf { name: t.role_consent_officer(), regions: Some("330302".into()) },
            ],
            sessions: vec![session("ses_1", true), session("ses_2", false)],
        }]
    }
}

//! Sign-in: name, password and the code of the moment in one form, with one answer for every wrong part.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::State,
    response::{IntoResponse as _, Redirect, Response},
    routing::get,
};
use http::{HeaderMap, header};
use serde::Deserialize;

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{
            frame::Frame,
            visitor::{Calling, OpenForm, SESSION},
        },
        input::Query,
        problem::Problem,
        web::{
            cookies::{self, Lifetime},
            flash::{self, Flash},
            forms::{Errors, Fields},
            page::{self, Page},
            preferences::Preferences,
            target,
            when::When,
        },
    },
    i18n::web::Texts,
    principals::SignInError,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/sign-in", get(show).post(sign_in))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/sign_in.html")]
pub(super) struct SignInPage {
    frame: Frame,
    t: Texts,
    errors: Errors,
    /// What was typed.
    name: String,
    /// Where to go afterwards.
    next: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parameters {
    #[serde(default)]
    next: String,
}

fn page_of(preferences: Preferences, next: &str) -> SignInPage {
    let here = target::with_query("/sign-in", &[("next", next)]);
    let (frame, t) = (Frame::anonymous(preferences, &here), Texts(preferences.lang));
    SignInPage { frame, t, errors: Errors::default(), name: String::new(), next: next.to_owned() }
}

async fn show(
    preferences: Preferences,
    headers: HeaderMap,
    Query(Parameters { next }): Query<Parameters>,
) -> Result<Response, Problem> {
    let mut shown = page_of(preferences, &next);
    let flash = Flash::of(&headers);
    let has_message = flash.is_some();
    shown.frame = shown.frame.showing(flash, false);
    let mut response = page::render(&shown, preferences.lang)?;
    if has_message {
        flash::clear(&mut response);
    }
    Ok(response)
}

/// What is missing in a form.
fn missing(fields: &Fields, t: Texts) -> Errors {
    let mut errors = Errors::default();
    for (field, text) in [("name", t.enter_name()), ("password", t.enter_password()), ("code", t.enter_code())] {
        if fields.raw(field).trim().is_empty() {
            errors.add(field, text);
        }
    }
    errors
}

async fn sign_in(
    State(app): State<Arc<App>>,
    preferences: Preferences,
    Calling(visit): Calling,
    OpenForm(fields): OpenForm,
) -> Result<Response, Problem> {
    let t = Texts(preferences.lang);
    let mut errors = missing(&fields, t);
    if errors.is_empty() {
        match app.principals.sign_in(fields.get("name"), fields.raw("password"), fields.get("code"), &visit).await {
            Ok(session) => return Ok(signed_in(&session.cookie, fields.get("next"))),
            Err(SignInError::Principals(error)) => return Err(Failure::from(error).into()),
            Err(SignInError::Refused) => errors = Errors::of("name", t.sign_in_refused()),
            Err(SignInError::LockedUntil(until)) => {
                errors = Errors::of("name", t.sign_in_locked(When(until).human()));
            }
        }
    }
    // Neither password nor code is sent back.
    let name = fields.get("name").to_owned();
    page::render(&SignInPage { errors, name, ..page_of(preferences, fields.get("next")) }, preferences.lang)
}

/// After sign-in: sets the session's cookie and opens the page that was requested.
fn signed_in(token: &str, next: &str) -> Response {
    let mut response = Redirect::to(target::local(next).unwrap_or("/")).into_response();
    if let Some(cookie) = cookies::set(SESSION, token, Lifetime::Session) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

impl Page for SignInPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let empty = page_of(preferences, "/banks");
        let refused = SignInPage {
            errors: Errors::of("name", t.sign_in_locked("2026-07-31 08:00:00 +08:00")),
            name: "lin".into(),
            ..page_of(preferences, "")
        };
        vec![empty, refused]
    }
}

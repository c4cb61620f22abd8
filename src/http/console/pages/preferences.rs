//! How the reader wants pages shown: language, colours, size of type.

use std::sync::Arc;

use axum::{
    Router,
    response::{IntoResponse as _, Redirect, Response},
    routing::post,
};
use http::header;

use crate::{
    app::App,
    http::{
        console::visitor::OpenForm,
        web::{
            preferences::{Preferences, Theme},
            target,
        },
    },
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/preferences", post(change))
}

async fn change(mut preferences: Preferences, OpenForm(fields): OpenForm) -> Response {
    match fields.get("set") {
        "large" => preferences.large = true,
        "normal" => preferences.large = false,
        word => match (word.parse(), Theme::of(word)) {
            (Ok(lang), _) => preferences.lang = lang,
            (_, Some(theme)) => preferences.theme = theme,
            // Of no form of ours: nothing changes.
            _ => {}
        },
    }
    let mut response = Redirect::to(target::local(fields.get("back")).unwrap_or("/")).into_response();
    if let Some(cookie) = preferences.cookie() {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

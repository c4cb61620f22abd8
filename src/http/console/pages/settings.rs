//! The settings in force. The configuration has paths of secrets and never a secret.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use crate::{
    app::App,
    domain::Failure,
    http::{
        console::{area::Area, frame::Frame, visitor::Visitor},
        problem::Problem,
        web::{page::Page, preferences::Preferences},
    },
    i18n::web::Texts,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/settings", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/settings.html")]
pub(super) struct SettingsPage {
    frame: Frame,
    t: Texts,
    /// Each section's name and text.
    sections: Vec<(String, String)>,
}

/// The sections of a configuration's text.
fn sections(text: &str) -> Vec<(String, String)> {
    let mut sections: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        let name = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        match (name, sections.last_mut()) {
            // A table inside a section stays in it.
            (Some(name), last) if last.as_ref().is_none_or(|(of, _)| !name.starts_with(&format!("{of}."))) => {
                sections.push((name.to_owned(), String::new()));
            }
            (_, Some((_, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (_, None) => {}
        }
    }
    sections
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.enter(Area::Settings)?;
    let text = app.config.to_toml().map_err(|error| Failure::internal(error.to_string()))?;
    let frame = visitor.frame(Area::Settings.key());
    visitor.show(&SettingsPage { frame, t: visitor.t, sections: sections(&text) })
}

impl Page for SettingsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let sections = sections("[gateway]\npublic_origin = \"https://localhost\"\n\n[limits.burst]\nquota = 1\n");
        vec![Self { frame: Frame::sample(preferences, "settings"), t: Texts(preferences.lang), sections }]
    }
}

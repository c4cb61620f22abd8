//! `demo.json`: where everything is, for programs.

use anyhow::Context as _;
use serde_json::json;

use super::{banks::DemoBank, city::DemoSubject, consents::DemoConsents, place::Place};
use crate::{app::App, authority::files};

/// Writes the book.
pub(super) fn write(
    place: &Place,
    app: &App,
    banks: &[DemoBank; 2],
    consents: &DemoConsents,
    city: &[DemoSubject],
) -> anyhow::Result<()> {
    let banks: Vec<_> = banks
        .iter()
        .map(
            |bank| json!({ "client_id": bank.id, "name": bank.name, "certificate": bank.certificate, "key": bank.key, "profile": bank.profile }),
        )
        .collect();
    let subjects: Vec<_> = city
        .iter()
        .take(20)
        .map(|subject| json!({ "code": subject.code, "uscc": subject.uscc, "name": subject.name }))
        .collect();
    let book = json!({
        "partner_url": app.config.gateway.public_origin,
        "portal_url": app.config.portal.public_origin,
        "ca": place.file("certs/ca.pem"),
        "banks": banks,
        "consents": {
            "active": consents.active,
            "pending": consents.pending,
            "expired": consents.expired,
            "revoked": consents.revoked,
        },
        "subjects": subjects,
        "config": place.file("gateway.toml"),
        "database": app.config.store.directory,
        "telemetry_url": format!("http://{}", app.config.telemetry.listen),
        "pid": std::process::id(),
    });
    let text = serde_json::to_string_pretty(&book).context("demo.json")?;
    files::write_public(&place.file("demo.json"), text.as_bytes())?;
    Ok(())
}

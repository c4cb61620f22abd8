//! `demo.json`: the places and ids of everything in the demonstration, for programs.

use anyhow::Context as _;
use serde_json::json;

use super::Demonstration;
use crate::authority::files;

/// Writes the file.
pub(super) async fn write(demo: &Demonstration) -> anyhow::Result<()> {
    let Demonstration { directory, app, banks, consents, operators, city, platforms, .. } = demo;
    let platforms = platforms.summary(app).await?;
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
    let summary = json!({
        "partner_url": app.config.gateway.public_origin,
        "portal_url": app.config.portal.public_origin,
        "console_url": app.config.console.public_origin,
        "operators": operators,
        "ca": directory.file("certs/ca.pem"),
        "banks": banks,
        "consents": {
            "active": consents.active,
            "pending": consents.pending,
            "expired": consents.expired,
            "revoked": consents.revoked,
        },
        "subjects": subjects,
        "platforms": platforms,
        "config": directory.file("gateway.toml"),
        "database": app.config.store.directory,
        "telemetry_url": format!("http://{}", app.config.telemetry.listen),
        "pid": std::process::id(),
    });
    let text = serde_json::to_string_pretty(&summary).context("demo.json")?;
    files::write_public(&directory.file("demo.json"), text.as_bytes())?;
    Ok(())
}

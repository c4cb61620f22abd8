//! The revocation of a certificate, which one person decides.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use super::bank::reason_errors;
use crate::{
    app::App,
    authority::{
        certificates::{self, CertificateRecord},
        local_ca,
    },
    domain::Failure,
    http::{
        console::{
            frame::Frame,
            visitor::{Submission, Visitor},
        },
        problem::Problem,
        web::{
            flash::{self, Done},
            forms::Errors,
            page::Page,
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    principals::Role,
};

/// The roles that may revoke a certificate.
const REVOKERS: &[Role] = &[Role::Security];

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/certificates/{id}/revoke", get(show).post(revoke))
}

/// The page that asks for the reason.
#[derive(Debug, Template)]
#[template(path = "console/revoke.html")]
pub(super) struct RevokePage {
    frame: Frame,
    t: Texts,
    errors: Errors,
    csrf: String,
    id: String,
    subject: String,
    serial: String,
    to: When,
    /// The words of RFC 5280, and which one is chosen.
    reasons: Vec<(&'static str, bool)>,
}

async fn find(app: &App, visitor: &Visitor, id: &str) -> Result<CertificateRecord, Problem> {
    let issued = certificates::list(&app.custody_for(visitor.actor())).await.map_err(Failure::from)?;
    let found = issued.into_iter().find(|certificate| certificate.id == id);
    Ok(found.ok_or_else(|| Failure::not_found("certificate_unknown", "There is no certificate with this id."))?)
}

fn page_of(visitor: &Visitor, record: CertificateRecord, chosen: &str, errors: Errors) -> RevokePage {
    RevokePage {
        frame: visitor.frame("banks"),
        t: visitor.t,
        errors,
        csrf: visitor.signed_in.csrf_token().to_owned(),
        id: record.id,
        subject: record.subject,
        serial: record.serial,
        to: When(record.not_after),
        reasons: reasons(chosen),
    }
}

fn reasons(chosen: &str) -> Vec<(&'static str, bool)> {
    local_ca::REASONS.iter().map(|(word, _)| (*word, *word == chosen)).collect()
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.require(REVOKERS)?;
    let record = find(&app, &visitor, &id).await?;
    visitor.show(&page_of(&visitor, record, "", Errors::default()))
}

async fn revoke(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    visitor.require(REVOKERS)?;
    let reason = fields.get("reason");
    let record = find(&app, &visitor, &id).await?;
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return visitor.show(&page_of(&visitor, record, reason, errors));
    }
    let revoked = certificates::revoke(&app.custody_for(visitor.actor()), &id, reason).await.map_err(Failure::from)?;
    // Effective on this gateway before the answer, and on others within a second.
    app.reloader.refresh().await.map_err(Failure::from)?;
    Ok(flash::done("/keys", Done::CertificateRevoked, Some(&revoked.entry.to_string())))
}

impl Page for RevokePage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |errors| Self {
            frame: Frame::sample(preferences, "banks"),
            t,
            errors,
            csrf: "token".into(),
            id: "crt_06fz0000000000000000000000".into(),
            subject: "CN=合成银行甲".into(),
            serial: "4f00aa".into(),
            to: When::micros(1_785_456_000_000_000),
            reasons: reasons("superseded"),
        };
        vec![of(Errors::default()), of(Errors::of("reason", t.reason_missing()))]
    }
}

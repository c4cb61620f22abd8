//! Keys and certificates: what signs, which authorities are trusted, and what ends when.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use crate::{
    app::App,
    authority::{
        KeyRecord, Purpose,
        certificates::{self, CertificateRecord},
        partners::{self, AuthorityRecord},
    },
    domain::{Failure, Timestamp},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, certificate_state, mark},
            visitor::Visitor,
        },
        problem::Problem,
        web::{page::Page, preferences::Preferences, when::When},
    },
    i18n::web::Texts,
    principals::Role,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/keys", get(show))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/keys.html")]
pub(super) struct KeysPage {
    frame: Frame,
    t: Texts,
    keys: Vec<Key>,
    certificates: Vec<Certificate>,
    authorities: Vec<Authority>,
    may_revoke: bool,
}

#[derive(Debug)]
struct Key {
    id: String,
    purpose: &'static str,
    state: Mark,
    created: When,
    retired: Option<When>,
}

#[derive(Debug)]
struct Certificate {
    id: String,
    subject: String,
    profile: String,
    to: When,
    state: Mark,
    revocable: bool,
}

#[derive(Debug)]
struct Authority {
    name: String,
    kind: &'static str,
    to: When,
    state: Mark,
}

const fn purpose(of: Purpose, t: Texts) -> &'static str {
    match of {
        Purpose::TokenSigning => t.purpose_token(),
        Purpose::AnswerSigning => t.purpose_answer(),
        Purpose::LedgerSigning => t.purpose_ledger(),
        Purpose::Authority => t.purpose_authority(),
    }
}

fn key_state(word: &str, t: Texts) -> Mark {
    match word {
        "next" => mark("warn", t.key_next()),
        "active" => mark("good", t.key_active()),
        "retired" => mark("", t.key_retired_state()),
        _ => mark("bad", t.key_revoked_state()),
    }
}

fn key(record: &KeyRecord, t: Texts) -> Key {
    Key {
        id: record.key.id.to_string(),
        purpose: purpose(record.key.purpose, t),
        state: key_state(&record.state, t),
        created: When(record.key.created_at),
        retired: record.revoked_at.or(record.key.retired_at).map(When),
    }
}

fn certificate(record: CertificateRecord, now: Timestamp, t: Texts) -> Certificate {
    Certificate {
        state: certificate_state(&record, now, t),
        revocable: record.revoked.is_none() && record.not_after > now,
        id: record.id,
        subject: record.subject,
        profile: record.profile,
        to: When(record.not_after),
    }
}

fn authority(record: AuthorityRecord, t: Texts) -> Authority {
    let kind = match &*record.kind {
        "own" => t.authority_own(),
        "former" => t.authority_former(),
        _ => t.authority_partner(),
    };
    let state = match record.removed_at {
        None => mark("good", t.authority_trusted()),
        Some(_) => mark("", t.authority_removed()),
    };
    Authority { name: record.name, kind, to: When(record.facts.not_after), state }
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor) -> Result<Response, Problem> {
    visitor.enter(Area::Keys)?;
    let (t, now) = (visitor.t, app.env.now());
    let custody = app.custody_for(visitor.actor());
    let mut issued = certificates::list(&custody).await.map_err(Failure::from)?;
    // A calendar: what ends first is first; what has ended or was revoked is last.
    issued.sort_by_key(|record| (record.revoked.is_some() || record.not_after <= now, record.not_after));
    let authorities = partners::list(&custody).await.map_err(Failure::from)?;
    visitor.show(&KeysPage {
        frame: visitor.frame(Area::Keys.key()),
        t,
        keys: app.key_log.load().iter().rev().map(|record| key(record, t)).collect(),
        certificates: issued.into_iter().map(|record| certificate(record, now, t)).collect(),
        authorities: authorities.into_iter().map(|record| authority(record, t)).collect(),
        may_revoke: visitor.may(&[Role::Security]),
    })
}

impl Page for KeysPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = When::micros(1_785_456_000_000_000);
        let key = |(of, word): (Purpose, &str)| Key {
            id: "key_06fz0000000000000000000000".into(),
            purpose: purpose(of, t),
            state: key_state(word, t),
            created: at,
            retired: Some(at),
        };
        let keys = [
            (Purpose::TokenSigning, "next"),
            (Purpose::AnswerSigning, "active"),
            (Purpose::LedgerSigning, "retired"),
            (Purpose::Authority, "revoked"),
        ];
        let full = Self {
            frame: Frame::sample(preferences, "keys"),
            t,
            keys: keys.map(key).into_iter().collect(),
            certificates: vec![Certificate {
                id: "crt_06fz0000000000000000000000".into(),
                subject: "CN=合成银行甲".into(),
                profile: "bank-client".into(),
                to: at,
                state: mark("warn", t.certificate_expiring()),
                revocable: true,
            }],
            authorities: [t.authority_own(), t.authority_former(), t.authority_partner()]
                .map(|kind| Authority { name: "test".into(), kind, to: at, state: mark("", t.authority_removed()) })
                .into_iter()
                .collect(),
            may_revoke: true,
        };
        let empty = Self {
            frame: Frame::sample(preferences, "keys"),
            t,
            keys: Vec::new(),
            certificates: Vec::new(),
            authorities: Vec::new(),
            may_revoke: false,
        };
        vec![full, empty]
    }
}

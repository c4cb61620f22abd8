//! One client: registration, limits, usage, certificates, consents; and its suspension, which one person decides.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use super::proposals::propose;
use crate::{
    access::{self, ClientRecord, ClientState},
    app::App,
    approvals::Proposed,
    authority::certificates::{self, CertificateRecord},
    consent::{self, ConsentState},
    domain::{Failure, Timestamp, printable::check_reason},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, certificate_state, client_kind, client_state, consent_state, signed_requests},
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
    ledger::{self, Counted, Usage},
    principals::Role,
};

/// The roles that may suspend a client.
const SUSPENDERS: &[Role] = &[Role::Security];

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/banks/{id}", get(show))
        .route("/banks/{id}/suspend", post(suspend))
        .route("/banks/{id}/resume", post(resume))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/bank.html")]
pub(super) struct BankPage {
    frame: Frame,
    t: Texts,
    errors: Errors,
    /// The reason as it was typed.
    reason: String,
    id: String,
    name: String,
    kind: &'static str,
    state: Mark,
    since: When,
    registered: When,
    subject: String,
    authority: String,
    methods: String,
    signed: &'static str,
    scopes: Vec<String>,
    max_pending: i64,
    limits: Vec<Limit>,
    usage: Usage,
    certificates: Vec<Certificate>,
    consents: Vec<(Mark, i64)>,
    /// What the reader may do.
    acts: Acts,
}

#[derive(Debug)]
struct Limit {
    name: &'static str,
    quota: u32,
    window: u32,
    own: bool,
}

#[derive(Debug)]
struct Certificate {
    id: String,
    serial: String,
    from: When,
    to: When,
    state: Mark,
    revocable: bool,
}

/// What the reader may do, with the token of the forms.
#[expect(clippy::struct_excessive_bools, reason = "the template reads a field for each act")]
#[derive(Debug, Default)]
struct Acts {
    csrf: String,
    suspend: bool,
    resume: bool,
    revoke: bool,
    see_consents: bool,
}

impl BankPage {
    fn last(&self) -> Option<When> {
        self.usage.last.map(When)
    }

    fn counted(counted: &Counted) -> String {
        if counted.more { format!("> {}", counted.number) } else { counted.number.to_string() }
    }
}

impl Certificate {
    fn of(record: CertificateRecord, now: Timestamp, t: Texts) -> Self {
        Self {
            state: certificate_state(&record, now, t),
            revocable: record.revoked.is_none() && record.not_after > now,
            id: record.id,
            serial: record.serial,
            from: When(record.not_before),
            to: When(record.not_after),
        }
    }
}

fn limits(app: &App, record: &ClientRecord, t: Texts) -> Vec<Limit> {
    let section = &app.config.limits;
    let named = [
        ("burst", t.limit_burst(), section.burst),
        ("sustained", t.limit_sustained(), section.sustained),
        ("deliveries", t.limit_deliveries(), section.deliveries),
    ];
    let limit = |(key, name, quota): (&str, _, crate::config::Quota)| {
        let own = record.client.limits.0.get(key).copied();
        Limit { name, quota: own.unwrap_or(quota.quota.get()), window: quota.window_seconds.get(), own: own.is_some() }
    };
    named.map(limit).into_iter().collect()
}

/// The page of a client, with what is wrong with a form that was sent.
async fn page_of(app: &App, visitor: &Visitor, id: &str, form: (Errors, String)) -> Result<Response, Problem> {
    let record = access::find(&app.env, id).await?;
    let (t, client, now) = (visitor.t, &record.client, app.env.now());
    let issued = certificates::list(&app.custody_for(visitor.actor())).await;
    let issued = issued.map_err(Failure::from)?;
    let of_client = issued.into_iter().filter(|certificate| certificate.subject == client.subject).rev();
    let counts = consent::counts(&app.env, id).await?;
    let may_act = visitor.may(SUSPENDERS);
    visitor.show(&BankPage {
        frame: visitor.frame(Area::Banks.key()),
        t,
        errors: form.0,
        reason: form.1,
        id: id.to_owned(),
        name: client.name.clone(),
        kind: client_kind(client.kind, t),
        state: client_state(client.state, t),
        since: When(record.state_changed_at),
        registered: When(record.registered_at),
        subject: client.subject.clone(),
        authority: record.authority.clone(),
        methods: client.auth_methods.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
        signed: signed_requests(client.signed_requests, t),
        scopes: client.scopes.iter().map(ToString::to_string).collect(),
        max_pending: client.max_pending,
        limits: limits(app, &record, t),
        usage: ledger::usage(&app.env, id).await?,
        certificates: of_client.map(|certificate| Certificate::of(certificate, now, t)).collect(),
        consents: counts.into_iter().map(|(state, number)| (consent_state(state, t), number)).collect(),
        acts: Acts {
            csrf: visitor.signed_in.csrf_token().to_owned(),
            suspend: may_act && client.state == ClientState::Active,
            resume: may_act && client.state == ClientState::Suspended,
            revoke: may_act,
            see_consents: visitor.has(Area::Consents.readers()),
        },
    })
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Banks)?;
    page_of(&app, &visitor, &id, (Errors::default(), String::new())).await
}

async fn suspend(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    visitor.require(SUSPENDERS)?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return page_of(&app, &visitor, &id, (errors, reason.to_owned())).await;
    }
    let client = access::find(&app.env, &id).await?.client.id;
    let entry = access::suspend(&app.env, &visitor.actor(), Some(reason), &client).await?;
    // Here too, so that the next page shows it; other gateways learn of it by the change number.
    app.access.reload().await.map_err(Failure::from)?;
    Ok(flash::done(&format!("/banks/{id}"), Done::BankSuspended, Some(&entry.to_string())))
}

/// Proposes that a suspended client may call again.
async fn resume(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    visitor.require(SUSPENDERS)?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return page_of(&app, &visitor, &id, (errors, reason.to_owned())).await;
    }
    let client = access::find(&app.env, &id).await?.client;
    let proposed = Proposed::ResumeClient { client: client.id.to_string(), name: client.name };
    propose(&app, &visitor, &proposed, reason).await
}

/// What is wrong with a reason: it is required, and the ledger keeps it for ever.
pub(super) fn reason_errors(reason: &str, t: Texts) -> Option<Errors> {
    if reason.is_empty() {
        return Some(Errors::of("reason", t.reason_missing()));
    }
    check_reason(Some(reason)).is_err().then(|| Errors::of("reason", t.reason_wrong()))
}

impl Page for BankPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = When::micros(1_785_456_000_000_000);
        let certificate = |state, revocable| Certificate {
            id: "crt_06fz0000000000000000000000".into(),
            serial: "4f00aa".into(),
            from: at,
            to: at,
            state,
            revocable,
        };
        let of = |state, acts, errors: Errors| Self {
            frame: Frame::sample(preferences, "banks"),
            t,
            errors,
            reason: "a <reason>".into(),
            id: "cli_06fz0000000000000000000000".into(),
            name: "合成银行甲".into(),
            kind: t.kind_bank(),
            state: client_state(state, t),
            since: at,
            registered: at,
            subject: "CN=合成银行甲,O=合成银行甲,C=CN".into(),
            authority: "test authority".into(),
            methods: "tls_client_auth".into(),
            signed: t.signed_allowed(),
            scopes: vec!["grade:read".into(), "settlements:read".into()],
            max_pending: 1000,
            limits: vec![
                Limit { name: t.limit_burst(), quota: 50, window: 1, own: true },
                Limit { name: t.limit_sustained(), quota: 600, window: 60, own: false },
            ],
            usage: Usage { day: 12.into(), month: 100_001.into(), last: Some(at.0) },
            certificates: vec![
                certificate(crate::http::console::marks::mark("good", t.certificate_valid()), true),
                certificate(crate::http::console::marks::mark("bad", t.certificate_revoked()), false),
            ],
            consents: vec![(consent_state(ConsentState::Active, t), 12)],
            acts,
        };
        let acts = Acts { csrf: "token".into(), suspend: true, resume: false, revoke: true, see_consents: true };
        let bare = Self {
            certificates: Vec::new(),
            consents: Vec::new(),
            usage: Usage::default(),
            ..of(ClientState::Suspended, Acts { resume: true, ..Acts::default() }, Errors::default())
        };
        vec![of(ClientState::Active, acts, Errors::of("reason", t.reason_missing())), bare]
    }
}

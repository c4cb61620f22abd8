//! One consent: terms, evidence, history, answers; and its suspension and revocation, which one person decides.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use super::bank::reason_errors;
use crate::{
    access,
    app::App,
    consent::{Consent, ConsentEvent, ConsentState, Decision},
    domain::{Channel, Failure},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, channel_text, consent_event, consent_state},
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
    ledger,
    principals::Role,
    store::consents::EventRow,
};

/// The roles that may end a consent for a subject.
const ENDERS: &[Role] = &[Role::ConsentOfficer];
/// The newest answers that are shown.
const NEWEST: i64 = 20;

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/consents/{id}", get(show))
        .route("/consents/{id}/suspend", post(suspend))
        .route("/consents/{id}/revoke", post(revoke))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/consent.html")]
pub(super) struct ConsentPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    errors: Errors,
    /// The reason as it was typed, and the act that it was typed for.
    reason: String,
    id: String,
    client_id: String,
    client: String,
    state: Mark,
    terms: Terms,
    evidence: Option<Evidence>,
    events: Vec<Event>,
    answers: Vec<Answer>,
    may_suspend: bool,
    may_revoke: bool,
}

#[derive(Debug)]
struct Terms {
    uscc: String,
    codes: String,
    product: String,
    reference: Option<String>,
    permissions: String,
    purposes: String,
    period: String,
    requested: When,
    request_ends: When,
    granted: Option<When>,
    expires: When,
    uses: String,
}

#[derive(Debug)]
struct Evidence {
    digest: String,
    version: String,
    signer: &'static str,
}

#[derive(Debug)]
struct Event {
    what: &'static str,
    at: When,
    by: String,
    reason: Option<String>,
}

#[derive(Debug)]
struct Answer {
    id: String,
    at: When,
}

fn joined<T: ToString>(words: &[T]) -> String {
    words.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn terms(consent: &Consent, used: (i64, i64), t: Texts) -> Terms {
    let all = match consent.max_fetches {
        Some(most) => t.consent_uses_words(used.0, most),
        None => used.0.to_string(),
    };
    let today = match consent.daily_budget {
        Some(most) => t.consent_uses_words(used.1, most),
        None => used.1.to_string(),
    };
    Terms {
        uscc: consent.uscc.clone(),
        codes: joined(&consent.codes),
        product: consent.product.clone(),
        reference: consent.reference.clone(),
        permissions: joined(&consent.permissions),
        purposes: joined(&consent.purposes),
        period: t.consent_period_words(consent.data_from, consent.data_to),
        requested: When(consent.requested_at),
        request_ends: When(consent.request_expires_at),
        granted: consent.granted_at.map(When),
        expires: When(consent.expires_at),
        uses: format!("{all} ({} {today})", t.consent_today()),
    }
}

fn event(row: EventRow, t: Texts) -> Event {
    let what = row.event.parse().map_or(t.state(), |event: ConsentEvent| consent_event(event, t));
    let channel = row.channel.parse().map_or("", |channel: Channel| channel_text(channel, t));
    Event { what, at: When::micros(row.at), by: t.by_actor(row.actor, channel), reason: row.reason }
}

fn evidence(consent: &Consent, t: Texts) -> Option<Evidence> {
    let (digest, version, signer) = consent.evidence()?;
    let signer = if signer == "authorised_agent" { t.signer_agent() } else { t.signer_representative() };
    Some(Evidence { digest: digest.to_owned(), version: version.to_owned(), signer })
}

/// A consent of the operator's regions, for one of these roles.
async fn find(app: &App, visitor: &Visitor, id: &str, roles: &[Role]) -> Result<Consent, Failure> {
    let own = visitor.signed_in.roles();
    match own.regions(roles) {
        None => app.consents.get_any(id).await,
        Some(_) => app.consents.get_within(id, |region| roles.iter().any(|role| own.covers(*role, region))).await,
    }
}

async fn page_of(app: &App, visitor: &Visitor, id: &str, form: (Errors, String)) -> Result<Response, Problem> {
    let consent = find(app, visitor, id, Area::Consents.readers()).await?;
    let (t, now) = (visitor.t, app.env.now());
    let (id, state) = (consent.id.to_string(), consent.state_at(now));
    let client_id = consent.client.to_string();
    let used = app.consents.used(&consent, now.day()).await?;
    let answers = ledger::answers_under(&app.env, &client_id, &id, NEWEST).await?;
    let may_act = visitor.has(ENDERS) && find(app, visitor, &id, ENDERS).await.is_ok();
    visitor.show(&ConsentPage {
        frame: visitor.frame(Area::Consents.key()),
        t,
        csrf: visitor.signed_in.csrf_token().to_owned(),
        errors: form.0,
        reason: form.1,
        client: access::find(&app.env, &client_id).await?.client.name,
        client_id,
        state: consent_state(state, t),
        terms: terms(&consent, used, t),
        evidence: evidence(&consent, t),
        events: app.consents.history(&id).await?.into_iter().rev().map(|row| event(row, t)).collect(),
        answers: answers.into_iter().map(|(id, at)| Answer { id, at: When(at) }).collect(),
        may_suspend: may_act && state.after(ConsentEvent::Suspended).is_some(),
        may_revoke: may_act && state.after(ConsentEvent::Revoked).is_some(),
        id,
    })
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Consents)?;
    page_of(&app, &visitor, &id, (Errors::default(), String::new())).await
}

/// Carries out an act with its reason, and shows the page that says what was done.
async fn act(app: &App, id: &str, form: Submission, done: Done) -> Result<Response, Problem> {
    let Submission { visitor, fields } = form;
    visitor.enter_as(ENDERS)?;
    find(app, &visitor, id, ENDERS).await?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return page_of(app, &visitor, id, (errors, reason.to_owned())).await;
    }
    let decision = Decision::by(visitor.actor()).because(Some(reason.to_owned()));
    let consent = match done {
        Done::ConsentSuspended => app.consents.suspend(id, &decision).await?,
        Done::ConsentRevoked => app.consents.revoke(id, None, &decision).await?,
        _ => return Err(Failure::internal("an act on a consent that the console does not have").into()),
    };
    let entry = ledger::last_act_on(&app.env, &consent.client.to_string(), &consent.id.to_string()).await?;
    Ok(flash::done(&format!("/consents/{}", consent.id), done, entry.as_deref()))
}

async fn suspend(State(app): State<Arc<App>>, Path(id): Path<String>, form: Submission) -> Result<Response, Problem> {
    act(&app, &id, form, Done::ConsentSuspended).await
}

async fn revoke(State(app): State<Arc<App>>, Path(id): Path<String>, form: Submission) -> Result<Response, Problem> {
    act(&app, &id, form, Done::ConsentRevoked).await
}

impl Page for ConsentPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = When::micros(1_785_456_000_000_000);
        let events = || {
            let one = |event: &ConsentEvent| Event {
                what: consent_event(*event, t),
                at,
                by: t.by_actor("bank:cli_06fz", channel_text(Channel::Api, t)),
                reason: Some("a <reason>".into()),
            };
            ConsentEvent::ALL.iter().map(one).collect()
        };
        let of = |state, errors: Errors, may_act| Self {
            frame: Frame::sample(preferences, "consents"),
            t,
            csrf: "token".into(),
            errors,
            reason: String::new(),
            id: "con_06fz0000000000000000000000".into(),
            client_id: "cli_06fz0000000000000000000000".into(),
            client: "合成银行甲".into(),
            state: consent_state(state, t),
            terms: Terms {
                uscc: "91330302MA2AB3C47J".into(),
                codes: "H33030200001 H33030200002".into(),
                product: "流水贷".into(),
                reference: Some("REF-1".into()),
                permissions: "grade settlements".into(),
                purposes: "loan_approval".into(),
                period: t.consent_period_words("2025-01", "2026-06"),
                requested: at,
                request_ends: at,
                granted: Some(at),
                expires: at,
                uses: "3".into(),
            },
            evidence: Some(Evidence {
                digest: "9f86d081884c7d65".into(),
                version: "2026-1".into(),
                signer: t.signer_agent(),
            }),
            events: events(),
            answers: vec![Answer { id: "dis_06fz0000000000000000000000".into(), at }],
            may_suspend: may_act,
            may_revoke: may_act,
        };
        let bare = Self { evidence: None, answers: Vec::new(), ..of(ConsentState::Pending, Errors::default(), false) };
        vec![of(ConsentState::Active, Errors::of("reason", t.reason_missing()), true), bare]
    }
}

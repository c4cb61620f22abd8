//! Subjects: one is found by its exact code, for a purpose that is recorded before anything is shown. The code is in no URL.

use std::sync::Arc;

use askama::Template;
use axum::{Router, extract::State, response::Response, routing::get};

use super::runs::kind_name;
use crate::{
    app::App,
    consent::ConsentState,
    domain::{FailureKind, Region, printable::check_reason},
    dossier::{CoveringConsent, Disclosure, Dossier, Identity, PersonalAccess, RoundResult},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, consent_state, mark},
            visitor::{Submission, Visitor},
        },
        problem::Problem,
        web::{forms::Errors, page::Page, preferences::Preferences, when::When},
    },
    i18n::web::Texts,
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/subjects", get(show).post(find))
}

/// The form.
#[derive(Debug, Template)]
#[template(path = "console/subjects.html")]
pub(super) struct SubjectsPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    errors: Errors,
    code: String,
    purpose: String,
}

/// The page of a subject.
#[derive(Debug, Template)]
#[template(path = "console/subject.html")]
pub(super) struct SubjectPage {
    frame: Frame,
    t: Texts,
    /// The ledger entry of this look.
    entry: String,
    kind: String,
    region: String,
    code: String,
    uscc: Option<String>,
    identity: Identity,
    level: Option<String>,
    agreement: String,
    licence: String,
    under_objection: bool,
    grades: Vec<Grade>,
    /// The newest result in words.
    explanation: Option<String>,
    records: Vec<(String, u64)>,
    consents: Vec<Covering>,
    readers: Vec<Reader>,
}

#[derive(Debug)]
struct Grade {
    period: String,
    result: String,
    points: String,
    version: i64,
    made: When,
}

/// A consent that covers the subject.
#[derive(Debug)]
struct Covering {
    id: String,
    bank: String,
    state: Mark,
}

#[derive(Debug)]
struct Reader {
    at: When,
    bank: String,
    what: String,
    purpose: String,
}

impl SubjectsPage {
    fn of(visitor: &Visitor, errors: Errors, code: &str, purpose: &str) -> Self {
        Self {
            frame: visitor.frame(Area::Subjects.key()),
            t: visitor.t,
            csrf: visitor.signed_in.csrf_token().to_owned(),
            errors,
            code: code.to_owned(),
            purpose: purpose.to_owned(),
        }
    }
}

async fn show(visitor: Visitor) -> Result<Response, Problem> {
    visitor.enter(Area::Subjects)?;
    visitor.show(&SubjectsPage::of(&visitor, Errors::default(), "", ""))
}

async fn find(State(app): State<Arc<App>>, Submission { visitor, fields }: Submission) -> Result<Response, Problem> {
    visitor.enter(Area::Subjects)?;
    let (t, code, purpose) = (visitor.t, fields.get("code"), fields.get("purpose"));
    let mut errors = Errors::default();
    if code.is_empty() {
        errors.add("code", t.subjects_enter_code());
    }
    if purpose.is_empty() || check_reason(Some(purpose)).is_err() {
        errors.add("purpose", t.subjects_enter_purpose());
    }
    if !errors.is_empty() {
        return visitor.show(&SubjectsPage::of(&visitor, errors, code, purpose));
    }
    let (actor, roles) = (visitor.actor(), visitor.signed_in.roles());
    let covers = |region: Region| Area::Subjects.readers().iter().any(|role| roles.covers(*role, region));
    match app.dossiers.look(code, PersonalAccess { actor: &actor, purpose }, covers).await {
        Ok((dossier, entry)) => {
            // One that is in no published round has no explanation.
            let explained = app.rounds().explain_in(code, None, t.0).await.ok();
            let explanation = explained.map(|explained| explained.to_text());
            visitor.show(&page(&app, &visitor, dossier, (entry.to_string(), explanation)))
        }
        Err(failure) if failure.kind == FailureKind::NotFound => {
            let errors = Errors::of("code", t.subjects_unknown());
            visitor.show(&SubjectsPage::of(&visitor, errors, code, purpose))
        }
        Err(failure) => Err(failure.into()),
    }
}

fn grade(result: RoundResult, t: Texts) -> Grade {
    let points = result.points_milli.map(|milli| format!("{}.{:03}", milli / 1000, (milli % 1000).abs()));
    let reason = || format!("{}: {}", t.subject_not_rated(), result.reason.clone().unwrap_or_default());
    Grade {
        result: result.grade.clone().unwrap_or_else(reason),
        points: points.unwrap_or_else(|| "–".into()),
        period: result.period,
        version: result.version,
        made: When(result.made_at),
    }
}

fn covering(of: CoveringConsent, t: Texts) -> Covering {
    let state = of.state.parse().map_or(mark("", t.consent_expired()), |state| consent_state(state, t));
    Covering { id: of.id, bank: of.bank, state }
}

fn reader(of: Disclosure) -> Reader {
    Reader { at: When(of.at), bank: of.bank, what: of.what.join(" "), purpose: of.purpose }
}

fn page(app: &App, visitor: &Visitor, of: Dossier, read: (String, Option<String>)) -> SubjectPage {
    let t = visitor.t;
    SubjectPage {
        frame: visitor.frame(Area::Subjects.key()),
        t,
        entry: read.0,
        kind: kind_name(app, &of.kind, t),
        region: of.region_zh.map_or_else(|| of.region.clone(), |name| format!("{name} ({})", of.region)),
        code: of.code,
        uscc: of.uscc,
        identity: of.identity,
        level: of.level,
        agreement: of.agreement_status,
        licence: of.licence_status,
        under_objection: of.under_objection,
        grades: of.assessments.into_iter().map(|result| grade(result, t)).collect(),
        explanation: read.1,
        records: of.facts.into_iter().map(|category| (category.name_zh, category.facts)).collect(),
        consents: of.consents.into_iter().map(|of| covering(of, t)).collect(),
        readers: of.disclosures.into_iter().map(reader).collect(),
    }
}

impl Page for SubjectsPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let of = |errors| Self {
            frame: Frame::sample(preferences, "subjects"),
            t,
            csrf: "token".into(),
            errors,
            code: "H33030200001".into(),
            purpose: "case <1>".into(),
        };
        vec![of(Errors::default()), of(Errors::of("code", t.subjects_unknown()))]
    }
}

impl Page for SubjectPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = When::micros(1_785_456_000_000_000);
        let of = |under_objection| Self {
            frame: Frame::sample(preferences, "subjects"),
            t,
            entry: "ent_06fz0000000000000000000000".into(),
            kind: "医疗机构".into(),
            region: "330302".into(),
            code: "H33030200001".into(),
            uscc: Some("91330302MA2AB3C47J".into()),
            identity: Identity {
                name: "合成鹿城医院".into(),
                id_type: Some("01".into()),
                id_number: Some("330***********0019".into()),
                legal_representative: Some("合***".into()),
                masked: true,
            },
            level: Some("二级".into()),
            agreement: "active".into(),
            licence: "active".into(),
            under_objection,
            grades: vec![Grade {
                period: "2026-H1".into(),
                result: "good".into(),
                points: "87.500".into(),
                version: 1,
                made: at,
            }],
            explanation: Some("87.5".into()),
            records: vec![("基础信息".into(), 12)],
            consents: vec![Covering {
                id: "con_06fz0000000000000000000000".into(),
                bank: "合成银行甲".into(),
                state: consent_state(ConsentState::Active, t),
            }],
            readers: vec![Reader {
                at,
                bank: "合成银行甲".into(),
                what: "grade".into(),
                purpose: "loan_approval".into(),
            }],
        };
        let bare = Self {
            grades: Vec::new(),
            explanation: None,
            records: Vec::new(),
            consents: Vec::new(),
            readers: Vec::new(),
            uscc: None,
            level: None,
            ..of(false)
        };
        vec![of(true), bare]
    }
}

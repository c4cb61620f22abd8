//! Enrolment by a one-time link: a password, the secret for an authenticator app, and recovery codes.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::get,
};

use crate::{
    app::App,
    domain::{Failure, Timestamp},
    http::{
        console::{frame::Frame, visitor::OpenForm},
        problem::Problem,
        web::{
            forms::Errors,
            page::{self, Page},
            preferences::Preferences,
            when::When,
        },
    },
    i18n::web::Texts,
    principals::{EnrolError, Invitation, PasswordFault},
};

pub(super) fn router() -> Router<Arc<App>> {
    Router::new().route("/enrol/{token}", get(show).post(enrol))
}

/// The page of an invitation.
#[derive(Debug, Template)]
#[template(path = "console/enrol.html")]
pub(super) struct EnrolPage {
    frame: Frame,
    t: Texts,
    errors: Errors,
    invitation: Invitation,
}

/// The page with the recovery codes, shown once.
#[derive(Debug, Template)]
#[template(path = "console/recovery.html")]
pub(super) struct CodesPage {
    frame: Frame,
    t: Texts,
    codes: Vec<String>,
}

/// The page of a link that is not valid.
#[derive(Debug, Template)]
#[template(path = "console/enrol_gone.html")]
pub(super) struct GonePage {
    frame: Frame,
    t: Texts,
}

impl EnrolPage {
    fn until(&self) -> When {
        When(self.invitation.expires_at)
    }
}

// The link is a secret: the forms of these pages do not repeat it, and a change of preferences leads elsewhere.
fn frame(preferences: Preferences) -> (Frame, Texts) {
    (Frame::anonymous(preferences, "/sign-in"), Texts(preferences.lang))
}

async fn page_of(app: &App, token: &str, preferences: Preferences, errors: Errors) -> Result<Response, Problem> {
    let (frame, t) = frame(preferences);
    match app.principals.invitation(token).await.map_err(Failure::from)? {
        Some(invitation) => page::render(&EnrolPage { frame, t, errors, invitation }, preferences.lang),
        None => page::render(&GonePage { frame, t }, preferences.lang),
    }
}

async fn show(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    preferences: Preferences,
) -> Result<Response, Problem> {
    page_of(&app, &token, preferences, Errors::default()).await
}

async fn enrol(
    State(app): State<Arc<App>>,
    Path(token): Path<String>,
    preferences: Preferences,
    OpenForm(fields): OpenForm,
) -> Result<Response, Problem> {
    let (frame, t) = frame(preferences);
    let mut errors = Errors::default();
    if fields.raw("password").is_empty() {
        errors.add("password", t.enter_password());
    }
    if fields.get("code").is_empty() {
        errors.add("code", t.enter_code());
    }
    if errors.is_empty() {
        match app.principals.enrol(&token, fields.raw("password"), fields.get("code")).await {
            Ok(codes) => return page::render(&CodesPage { frame, t, codes: codes.codes().to_vec() }, preferences.lang),
            Err(EnrolError::Code) => errors.add("code", t.enrol_code_wrong()),
            Err(EnrolError::Password(fault)) => errors.add("password", password_fault(fault, t)),
            Err(EnrolError::NoInvitation) => return page::render(&GonePage { frame, t }, preferences.lang),
            Err(EnrolError::Principals(error)) => return Err(Failure::from(error).into()),
        }
    }
    page_of(&app, &token, preferences, errors).await
}

/// Why a password may not be chosen.
const fn password_fault(fault: PasswordFault, t: Texts) -> &'static str {
    match fault {
        PasswordFault::Short => t.password_short(),
        PasswordFault::Long => t.password_long(),
        PasswordFault::Name => t.password_name(),
        PasswordFault::Pattern => t.password_pattern(),
        PasswordFault::Common => t.password_common(),
    }
}

impl Page for EnrolPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let invitation = || Invitation {
            name: "lin".into(),
            expires_at: Timestamp::from_seconds(1_785_456_000),
            uri: "otpauth://totp/Medcredit:lin".into(),
            secret: "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP".into(),
            qr_svg: "<svg viewBox=\"0 0 1 1\"></svg>".into(),
        };
        let of = |errors| {
            let (frame, t) = frame(preferences);
            Self { frame, t, errors, invitation: invitation() }
        };
        let wrong = Errors::of("code", Texts(preferences.lang).enrol_code_wrong());
        vec![of(Errors::default()), of(wrong)]
    }
}

impl Page for CodesPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let (frame, t) = frame(preferences);
        vec![Self { frame, t, codes: vec!["abcde-fghij".into(), "klmno-pqrst".into()] }]
    }
}

impl Page for GonePage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let (frame, t) = frame(preferences);
        vec![Self { frame, t }]
    }
}

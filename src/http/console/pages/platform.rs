//! One platform: packages, rejected rows, pages that were given up; and its pause, which one person decides.

use std::sync::Arc;

use askama::Template;
use axum::{
    Router,
    extract::{Path, State},
    response::Response,
    routing::{get, post},
};

use super::{bank::reason_errors, proposals::propose};
use crate::{
    app::App,
    approvals::Proposed,
    domain::{Failure, FailureKind},
    http::{
        console::{
            area::Area,
            frame::Frame,
            marks::{Mark, mark, platform_state},
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
    push::delivery::{DeadPage, PackageState, PlatformState, RejectedRow},
};

/// The roles that may pause a platform.
const PAUSERS: &[Role] = &[Role::PushOfficer];

pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/platforms/{id}", get(show))
        .route("/platforms/{id}/pause", post(pause))
        .route("/platforms/{id}/resume", post(resume))
        .route("/platforms/{id}/redrive", post(redrive))
}

/// The page.
#[derive(Debug, Template)]
#[template(path = "console/platform.html")]
pub(super) struct PlatformPage {
    frame: Frame,
    t: Texts,
    csrf: String,
    errors: Errors,
    reason: String,
    of: PlatformState,
    state: Mark,
    rejected: Vec<RejectedRow>,
    dead: Vec<DeadPage>,
    may_pause: bool,
    may_resume: bool,
    may_redrive: bool,
}

impl PlatformPage {
    const fn last_error_at(&self) -> Option<When> {
        match self.of.last_error_at {
            Some(at) => Some(When(at)),
            None => None,
        }
    }

    const fn made(package: &PackageState) -> When {
        When(package.made_at)
    }

    fn package_state(&self, package: &PackageState) -> Mark {
        let t = self.t;
        if package.is_overdue {
            mark("bad", t.platform_overdue())
        } else if package.state == "closed" {
            mark("good", t.package_closed())
        } else {
            mark("warn", t.package_open())
        }
    }
}

async fn page_of(app: &App, visitor: &Visitor, id: &str, form: (Errors, String)) -> Result<Response, Problem> {
    let of = app.deliveries.state(id).await.map_err(Failure::from)?;
    let t = visitor.t;
    let may_act = visitor.may(PAUSERS);
    let dead = app.deliveries.dead_pages(id).await.map_err(Failure::from)?;
    visitor.show(&PlatformPage {
        frame: visitor.frame(Area::Platforms.key()),
        t,
        csrf: visitor.signed_in.csrf_token().to_owned(),
        errors: form.0,
        reason: form.1,
        state: platform_state(of.state, t),
        rejected: app.deliveries.rejected(id).await.map_err(Failure::from)?,
        may_pause: may_act && of.paused.is_none(),
        may_resume: may_act && matches!(of.state, "paused" | "stopped"),
        may_redrive: may_act && !dead.is_empty(),
        dead,
        of,
    })
}

async fn show(State(app): State<Arc<App>>, visitor: Visitor, Path(id): Path<String>) -> Result<Response, Problem> {
    visitor.enter(Area::Platforms)?;
    page_of(&app, &visitor, &id, (Errors::default(), String::new())).await
}

async fn pause(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
    Submission { visitor, fields }: Submission,
) -> Result<Response, Problem> {
    visitor.require(PAUSERS)?;
    let reason = fields.get("reason");
    if let Some(errors) = reason_errors(reason, visitor.t) {
        return page_of(&app, &visitor, &id, (errors, reason.to_owned())).await;
    }
    let entry = app.deliveries.pause(&id, reason, &visitor.actor()).await.map_err(Failure::from)?;
    let entry = entry.ok_or_else(|| {
        Failure::new(FailureKind::Conflict, "platform_state_conflict", format!("{id} is paused already."))
    })?;
    Ok(flash::done(&format!("/platforms/{id}"), Done::PlatformPaused, Some(&entry.to_string())))
}

/// Proposes an act on a platform, for another operator to decide.
async fn proposed(app: &App, id: &str, form: Submission, proposed: Proposed) -> Result<Response, Problem> {
    let Submission { visitor, fields } = form;
    visitor.require(PAUSERS)?;
    // An unknown platform is refused before anything waits for it.
    app.deliveries.target(id).map_err(Failure::from)?;
    let reason = fields.get("reason");
    match reason_errors(reason, visitor.t) {
        Some(errors) => page_of(app, &visitor, id, (errors, reason.to_owned())).await,
        None => propose(app, &visitor, &proposed, reason).await,
    }
}

async fn resume(State(app): State<Arc<App>>, Path(id): Path<String>, form: Submission) -> Result<Response, Problem> {
    proposed(&app, &id, form, Proposed::ResumePlatform { platform: id.clone() }).await
}

async fn redrive(State(app): State<Arc<App>>, Path(id): Path<String>, form: Submission) -> Result<Response, Problem> {
    proposed(&app, &id, form, Proposed::RedriveDead { platform: id.clone() }).await
}

impl Page for PlatformPage {
    fn samples(preferences: Preferences) -> Vec<Self> {
        let t = Texts(preferences.lang);
        let at = crate::domain::Timestamp::from_seconds(1_785_456_000);
        let package = |state: &str, is_overdue| PackageState {
            number: 3,
            id: "pkg_06fz0000000000000000000000".into(),
            state: state.into(),
            cause: "scheduled".into(),
            dataset: "grades".into(),
            period: "2026-H1".into(),
            run: None,
            rows: 100,
            sent: 100,
            accepted: 90,
            rejected: 2,
            resolved: 0,
            waived: 0,
            withheld: 0,
            pages_waiting: 0,
            pages_dead: 1,
            made_at: at,
            due_at: at,
            is_overdue,
            closed_at: None,
        };
        let of = |paused: Option<&str>, packages, errors, may_pause| Self {
            frame: Frame::sample(preferences, "platforms"),
            t,
            csrf: "token".into(),
            errors,
            reason: String::new(),
            of: PlatformState {
                platform: "city-credit-platform".into(),
                name: "城市信用平台".into(),
                carrier: "https",
                target: "https://platform.example".into(),
                state: "failing",
                sent: 100,
                accepted: 90,
                rejected: 2,
                waiting: 8,
                paused: paused.map(str::to_owned),
                stopped_until: None,
                last_error: Some("503".into()),
                last_error_at: Some(at),
                packages,
            },
            state: platform_state("failing", t),
            rejected: Vec::new(),
            dead: Vec::new(),
            may_pause,
            may_resume: false,
            may_redrive: false,
        };
        let rejected = RejectedRow {
            record_id: "rec_1".into(),
            version: 1,
            code: None,
            package: 3,
            operation: "I".into(),
            reason: "R05".into(),
            note: None,
            rejected_at: at,
        };
        let dead = DeadPage { package: 3, page: 1, rows: 100, because: "timeout".into() };
        let packages = vec![package("open", true), package("open", false), package("closed", false)];
        let full = Self {
            rejected: vec![rejected],
            dead: vec![dead],
            may_redrive: true,
            ..of(None, packages, Errors::of("reason", t.reason_missing()), true)
        };
        let paused = Self { may_resume: true, ..of(Some("maintenance"), Vec::new(), Errors::default(), false) };
        vec![full, paused]
    }
}

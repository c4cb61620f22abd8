//! Who a request is from: an operator who is signed in, and the forms that such an operator sends.

use std::sync::Arc;

use axum::{
    Extension, RequestExt as _, RequestPartsExt as _,
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse as _, Redirect, Response},
};
use http::{HeaderMap, Method, request::Parts};

use super::{area::Area, frame::Frame};
use crate::{
    app::App,
    domain::{Actor, Failure},
    http::{
        listener::peer::PublicPeer,
        problem::Problem,
        request_log::RequestLog,
        web::{
            cookies,
            flash::{self, Flash},
            forms::Fields,
            page::{self, Page},
            preferences::Preferences,
            same_site, target,
        },
    },
    i18n::web::Texts,
    principals::{Role, SignedIn, Visit},
};

/// The cookie of the session.
pub(super) const SESSION: &str = "session";

/// The longest description of a browser that is kept.
const LONGEST_AGENT: usize = 200;

/// An operator who is signed in, and how the operator reads pages.
#[derive(Debug)]
pub struct Visitor {
    pub signed_in: SignedIn,
    pub preferences: Preferences,
    pub t: Texts,
    /// The target of the request.
    here: String,
    flash: Option<Flash>,
}

impl Visitor {
    /// The party of acts.
    pub fn actor(&self) -> Actor {
        self.signed_in.actor()
    }

    /// Whether the operator has one of these roles, in whichever regions.
    pub fn has(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.signed_in.roles().has(*role))
    }

    /// Whether the operator may do what one of these roles does to something that belongs to no region, such as a bank.
    pub fn may(&self, roles: &[Role]) -> bool {
        roles.iter().any(|role| self.signed_in.roles().has_everywhere(*role))
    }

    /// Fails unless the operator [may](Self::may).
    pub fn require(&self, roles: &[Role]) -> Result<(), Problem> {
        granted(self.may(roles))
    }

    /// Fails unless the operator has one of these roles, in whichever regions: for what belongs to one, which is to be checked.
    pub fn enter_as(&self, roles: &[Role]) -> Result<(), Problem> {
        granted(self.has(roles))
    }

    /// Fails unless the operator sees an area: all of it, or what is in the regions of the role.
    pub fn enter(&self, area: Area) -> Result<(), Problem> {
        self.enter_as(area.readers())
    }

    /// The frame of a page in an area, or of a page beside them.
    pub fn frame(&self, current: &'static str) -> Frame {
        let roles = self.signed_in.roles();
        let areas: Vec<_> = Area::ALL.into_iter().filter(|area| area.is_open_to(roles)).collect();
        Frame::of(self.preferences, &self.here, self.signed_in.name(), self.signed_in.csrf_token(), &areas)
            .at(current)
            .showing(self.flash.clone(), areas.contains(&Area::Ledger))
    }

    /// Renders a page.
    pub fn show(&self, page: &impl Page) -> Result<Response, Problem> {
        let mut response = page::render(page, self.preferences.lang)?;
        if self.flash.is_some() {
            // Shown now: the next page does not repeat it.
            flash::clear(&mut response);
        }
        Ok(response)
    }
}

fn granted(is_granted: bool) -> Result<(), Problem> {
    if is_granted {
        return Ok(());
    }
    Err(Failure::forbidden("role_missing", "Your roles do not include this.").into())
}

/// The cookie's session, if it is in force.
async fn session(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, Problem> {
    match cookies::value(headers, SESSION).filter(|token| !token.is_empty()) {
        Some(token) => Ok(app.principals.session(token).await.map_err(Failure::from)?),
        None => Ok(None),
    }
}

impl FromRequestParts<Arc<App>> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let preferences = Preferences::of(&parts.headers);
        let here = parts.uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        let signed_in = session(app, &parts.headers).await.map_err(axum::response::IntoResponse::into_response)?;
        let Some(signed_in) = signed_in else {
            // A form is lost anyway: after signing in, its page is opened again, not its act.
            let next = if parts.method == Method::GET { &*here } else { "" };
            let next = if next == "/" { "" } else { next };
            return Err(Redirect::to(&target::with_query("/sign-in", &[("next", next)])).into_response());
        };
        if let Some(log) = parts.extensions.get::<RequestLog>() {
            log.set_client(signed_in.operator_id().to_string());
        }
        let flash = Flash::of(&parts.headers);
        Ok(Self { signed_in, preferences, t: Texts(preferences.lang), here, flash })
    }
}

/// A form that an operator sent from a page of ours.
#[derive(Debug)]
pub struct Submission {
    pub visitor: Visitor,
    pub fields: Fields,
}

impl FromRequest<Arc<App>> for Submission {
    type Rejection = Response;

    async fn from_request(mut request: Request, app: &Arc<App>) -> Result<Self, Response> {
        let refused = |failure: Failure| Problem::from(failure).into_response();
        same_site::check(request.headers(), &app.config.console.public_origin).map_err(refused)?;
        let visitor: Visitor = request.extract_parts_with_state(app).await?;
        let fields: Fields = request.extract().await.map_err(axum::response::IntoResponse::into_response)?;
        let (sent, expected) = (fields.raw("csrf").as_bytes(), visitor.signed_in.csrf_token().as_bytes());
        if aws_lc_rs::constant_time::verify_slices_are_equal(sent, expected).is_err() {
            let public = "The form does not belong to this session. Open the page again.";
            return Err(refused(Failure::forbidden("form_token_refused", public)));
        }
        Ok(Self { visitor, fields })
    }
}

/// A form from a page of ours, by somebody who is not signed in.
#[derive(Debug)]
pub struct OpenForm(pub Fields);

impl FromRequest<Arc<App>> for OpenForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        same_site::check(request.headers(), &app.config.console.public_origin)?;
        Ok(Self(request.extract().await?))
    }
}

/// Where a browser calls from.
#[derive(Debug)]
pub struct Calling(pub Visit);

impl FromRequestParts<Arc<App>> for Calling {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Response> {
        let peer = parts.extract_with_state::<Extension<PublicPeer>, _>(app).await;
        let Extension(PublicPeer(address)) = peer.map_err(axum::response::IntoResponse::into_response)?;
        let agent = parts.headers.get(http::header::USER_AGENT).and_then(|value| value.to_str().ok());
        let agent = agent.unwrap_or_default().chars().take(LONGEST_AGENT).collect();
        Ok(Self(Visit { address: address.ip().to_string(), agent }))
    }
}

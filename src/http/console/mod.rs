//! The administrators' console: pages for browsers, on a listener of their own.
//!
//! A page is a file in `pages/`: a handler that reads through a room, and a typed template. Every page but sign-in and
//! enrolment has a [`visitor::Visitor`], who is signed in; an act needs a [`visitor::Submission`], whose form came from a page
//! of ours with the session's token. Each act is a use-case of a room, the same as at the command line, and leaves one
//! ledger entry by the operator. A reader who has no role for an act does not see it, and is refused if it is sent.

pub mod area;
pub mod choice;
pub mod error_page;
pub mod frame;
mod guard;
pub mod marks;
pub mod pages;
pub mod visitor;

use std::sync::Arc;

use axum::{Extension, Router, middleware};

use super::{
    api::{Api, method_not_allowed, route_not_found},
    web::assets,
};
use crate::{app::App, telemetry::Health};

/// The console.
pub(super) fn api(app: Arc<App>, health: Health) -> Api {
    let router = Router::new()
        .route(assets::ROUTE, axum::routing::get(assets::handle))
        .merge(pages::router())
        .layer(Extension(health))
        .fallback(route_not_found)
        .method_not_allowed_fallback(method_not_allowed)
        .layer(middleware::from_fn_with_state(app.clone(), guard::guard));
    Api::public(app, router)
}

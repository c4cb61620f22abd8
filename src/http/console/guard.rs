//! What surrounds every request to the console: the limit of its address, security headers, and errors as pages.

use std::sync::Arc;

use axum::{
    Extension,
    extract::{Request, State},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::error_page;
use crate::{
    app::App,
    domain::Failure,
    http::{
        listener::{caps::network_of, peer::PublicPeer},
        problem::{LoggedOnly, Problem},
        request_log::{InteractionId, RequestLog},
        web::{headers, preferences::Preferences},
    },
};

/// Limits the address, adds the header fields, and shows a problem as a page.
pub(super) async fn guard(
    State(app): State<Arc<App>>,
    Extension(PublicPeer(peer)): Extension<PublicPeer>,
    Extension(log): Extension<RequestLog>,
    request: Request,
    next: Next,
) -> Response {
    let preferences = Preferences::of(request.headers());
    let id = request.extensions().get::<InteractionId>().map(|id| id.0.clone());
    let admitted = app.console.as_ref().ok_or_else(|| Failure::internal("the console is served but was not opened"));
    let admitted = admitted.and_then(|console| {
        let (used, outcome) = console.addresses.admit(network_of(peer.ip()));
        log.add_limits(vec![used]);
        outcome
    });
    let mut response = match admitted {
        Err(failure) => Problem::from(failure).into_response(),
        Ok(()) => next.run(request).await,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        response = error_page::render(&problem, preferences, id.as_deref(), &response);
        // Its page is final: the request log only logs it.
        response.extensions_mut().insert(LoggedOnly(problem));
    }
    headers::add(response.headers_mut(), &app.config.console.public_origin);
    response
}

//! The identity of a request's connection, as handlers receive it.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{listener::peer::ConnectionIdentity, problem::Problem};
use crate::{app::App, domain::Failure};

/// The certificate, address and TLS parameters of the request's connection.
#[derive(Debug, Clone)]
pub struct PeerIdentity(pub Arc<ConnectionIdentity>);

impl FromRequestParts<Arc<App>> for PeerIdentity {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Problem> {
        let peer = parts.extensions.get::<Arc<ConnectionIdentity>>().cloned();
        peer.map(Self).ok_or_else(|| Failure::internal("a request came without the identity of its connection").into())
    }
}

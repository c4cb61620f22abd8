//! Reads the bodies of requests, after their sender is proved and within the budget of bytes for all clients.
//!
//! No byte of a body is kept for a certificate of no client, a suspended client, a token that is not valid, without a scope,
//! or beyond a limit: a body can only be read in a request whose extensions have a [`ProvedSender`].

use axum::body::Body;
use bytes::Bytes;
use http::{Method, request::Parts};

use super::{
    content_digest::{Content, Unread},
    problem::Problem,
};
use crate::{
    access::Client,
    app::App,
    domain::{Failure, ids::ClientId},
    limits::HeldBytes,
};

/// The client whose body may be read. In the extensions of its request; only [`admit`] makes one.
#[derive(Debug, Clone, Copy)]
struct ProvedSender(ClientId);

/// Admits the body of a client that was authenticated, counted against its limits, and found to have the scope.
///
/// Handlers of POST read it. The content of other requests is checked against its digest here, and dropped as it arrives.
pub(super) async fn admit(parts: &mut Parts, client: &Client) -> Result<(), Problem> {
    if parts.method == Method::POST {
        parts.extensions.insert(ProvedSender(client.id));
        return Ok(());
    }
    match parts.extensions.get::<Content>().cloned() {
        // Boxed: few requests have content beside a method without, and the future of every request has room for this.
        Some(content) => Box::pin(content.discard()).await,
        None => Ok(()),
    }
}

/// A body in memory, with its part of the budget: the memory and the part are released together.
struct Buffered {
    bytes: Vec<u8>,
    _held: HeldBytes,
}

impl AsRef<[u8]> for Buffered {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// Reads a whole body, within the size that the listener set, and verifies its digest.
pub(super) async fn read(parts: &mut Parts, body: Body, app: &App) -> Result<Bytes, Problem> {
    let unproved = || Failure::internal("a body is read before its sender is proved");
    let ProvedSender(client) = parts.extensions.get::<ProvedSender>().copied().ok_or_else(unproved)?;
    let mut unread = match parts.extensions.remove::<Content>() {
        Some(content) => content.take()?,
        None => Unread::of(body),
    };
    let mut held = app.buffered_bytes.hold(client);
    // The stated length first, before any of it is read: a body that was begun is not refused halfway.
    let stated = unread.stated_length();
    held.cover(stated)?;
    let mut bytes = Vec::with_capacity(stated);
    while let Some(part) = unread.next().await? {
        held.cover(bytes.len().saturating_add(part.len()))?;
        bytes.extend_from_slice(&part);
    }
    Ok(Bytes::from_owner(Buffered { bytes, _held: held }))
}

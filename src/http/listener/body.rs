//! Bodies of requests within a size and a time, and bodies of responses that keep their request active until they are sent.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};
use tokio::time::Sleep;

use super::activity::ActiveRequest;

/// Why a request's body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum CutBody {
    /// It is larger than allowed.
    #[error("the request body is too large")]
    TooLarge,
    /// It took longer than allowed.
    #[error("the request body took too long")]
    TooSlow,
}

/// What happened to a body while it was read. Kept beside it, because a handler may report a cut body as another error.
#[derive(Debug, Default)]
pub(super) struct BodyOutcome {
    cut: AtomicU8,
    read: AtomicBool,
}

impl BodyOutcome {
    fn set_cut(&self, cut: CutBody) {
        self.cut.store(if cut == CutBody::TooLarge { 1 } else { 2 }, Ordering::SeqCst);
    }

    /// Records that the body was read to its end.
    pub(super) fn set_read(&self) {
        self.read.store(true, Ordering::SeqCst);
    }

    /// Whether the body was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.read.load(Ordering::SeqCst)
    }

    /// Why the body was cut, if it was.
    pub(super) fn cut(&self) -> Option<CutBody> {
        match self.cut.load(Ordering::SeqCst) {
            1 => Some(CutBody::TooLarge),
            2 => Some(CutBody::TooSlow),
            _ => None,
        }
    }
}

/// A request's body within a size and a time.
pub(super) struct LimitedBody {
    inner: Incoming,
    remaining: usize,
    deadline: Pin<Box<Sleep>>,
    outcome: Arc<BodyOutcome>,
}

impl LimitedBody {
    pub(super) fn new(inner: Incoming, max_bytes: usize, timeout: Duration, outcome: Arc<BodyOutcome>) -> Self {
        // A body without content is never polled, and counts as read.
        outcome.read.store(inner.is_end_stream(), Ordering::SeqCst);
        // Boxed and pinned: a timer must not move once it is polled, and a body does.
        Self { inner, remaining: max_bytes, deadline: Box::pin(tokio::time::sleep(timeout)), outcome }
    }

    fn cut(&self, cut: CutBody) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.outcome.set_cut(cut);
        Poll::Ready(Some(Err(cut.into())))
    }
}

impl HttpBody for LimitedBody {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(other) => {
                self.outcome.read.fetch_or(other.is_none(), Ordering::SeqCst);
                return Poll::Ready(other.map(|frame| frame.map_err(Into::into)));
            }
            Poll::Pending => {
                // Polled here, so that the timer wakes the task although the client is silent.
                return match self.deadline.as_mut().poll(cx) {
                    Poll::Ready(()) => self.cut(CutBody::TooSlow),
                    Poll::Pending => Poll::Pending,
                };
            }
        };
        // A client that sends a byte now and then never leaves the body pending at the deadline, so it is checked here too.
        if self.deadline.is_elapsed() || self.deadline.deadline() <= tokio::time::Instant::now() {
            return self.cut(CutBody::TooSlow);
        }
        // Counted as it arrives: a chunked body, or one over HTTP/2, need not state its length.
        match self.remaining.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(remaining) => {
                self.remaining = remaining;
                self.outcome.read.fetch_or(self.inner.is_end_stream(), Ordering::SeqCst);
                Poll::Ready(Some(Ok(frame)))
            }
            None => self.cut(CutBody::TooLarge),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A response's body. Its request stays active until the body is sent completely or dropped.
pub(super) struct TrackedBody {
    inner: Body,
    _active: ActiveRequest,
}

impl TrackedBody {
    pub(super) const fn new(inner: Body, active: ActiveRequest) -> Self {
        Self { inner, _active: active }
    }
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

//! Bodies within bounds: a request's within size and time, an answer's counted as work until its end.

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

use super::activity::UnderWay;

/// Why a request's body was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Cut {
    /// It is larger than it may be.
    #[error("the request's body is too large")]
    TooLarge,
    /// It took longer than it may.
    #[error("the request's body took too long")]
    TooSlow,
}

/// What became of a body, for whoever answers to see. A handler may have taken a cut for something else.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    cut: AtomicU8,
    read: AtomicBool,
}

impl Verdict {
    fn set(&self, cut: Cut) {
        self.cut.store(if cut == Cut::TooLarge { 1 } else { 2 }, Ordering::SeqCst);
    }

    /// There was nothing to read.
    pub(super) fn was_empty(&self) {
        self.read.store(true, Ordering::SeqCst);
    }

    /// Whether it was read to its end.
    pub(super) fn is_read(&self) -> bool {
        self.read.load(Ordering::SeqCst)
    }

    pub(super) fn get(&self) -> Option<Cut> {
        match self.cut.load(Ordering::SeqCst) {
            1 => Some(Cut::TooLarge),
            2 => Some(Cut::TooSlow),
            _ => None,
        }
    }
}

/// A request's body within bounds.
pub(super) struct Bounded {
    inner: Incoming,
    left: usize,
    deadline: Pin<Box<Sleep>>,
    verdict: Arc<Verdict>,
}

impl Bounded {
    pub(super) fn new(inner: Incoming, most: usize, within: Duration, verdict: Arc<Verdict>) -> Self {
        verdict.read.store(inner.is_end_stream(), Ordering::SeqCst);
        Self { inner, left: most, deadline: Box::pin(tokio::time::sleep(within)), verdict }
    }

    fn cut(&self, cut: Cut) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        self.verdict.set(cut);
        Poll::Ready(Some(Err(cut.into())))
    }
}

impl HttpBody for Bounded {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = match Pin::new(&mut self.inner).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(other) => {
                self.verdict.read.fetch_or(other.is_none(), Ordering::SeqCst);
                return Poll::Ready(other.map(|frame| frame.map_err(Into::into)));
            }
            Poll::Pending => {
                return match self.deadline.as_mut().poll(cx) {
                    Poll::Ready(()) => self.cut(Cut::TooSlow),
                    Poll::Pending => Poll::Pending,
                };
            }
        };
        // A client that sends a byte now and then never leaves the body pending at the deadline.
        if self.deadline.is_elapsed() || self.deadline.deadline() <= tokio::time::Instant::now() {
            return self.cut(Cut::TooSlow);
        }
        match self.left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(left) => {
                self.left = left;
                self.verdict.read.fetch_or(self.inner.is_end_stream(), Ordering::SeqCst);
                Poll::Ready(Some(Ok(frame)))
            }
            None => self.cut(Cut::TooLarge),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body: its request is under way until it is wholly sent or given up.
pub(super) struct Sending {
    inner: Body,
    _under_way: UnderWay,
}

impl Sending {
    pub(super) const fn new(inner: Body, under_way: UnderWay) -> Self {
        Self { inner, _under_way: under_way }
    }
}

impl HttpBody for Sending {
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

//! A connection's bytes on their way: requests of HTTP/1 held to strict framing, a client that does not read noticed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{activity::Activity, framing::Framing};

/// A stream that is watched.
#[derive(Debug)]
pub(super) struct Watched<T> {
    inner: T,
    /// Of HTTP/1; HTTP/2 has lengths of its own.
    framing: Option<Framing>,
    activity: Arc<Activity>,
    listener: &'static str,
}

impl<T> Watched<T> {
    pub(super) const fn new(
        inner: T,
        framing: Option<Framing>,
        activity: Arc<Activity>,
        listener: &'static str,
    ) -> Self {
        Self { inner, framing, activity, listener }
    }

    /// RequestLog whether the client makes room for more.
    fn written<R>(&self, poll: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.activity.answer_is_unread(poll.is_pending());
        poll
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Watched<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(framing) = &mut this.framing else {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        };
        if framing.is_refused() {
            // To the library the connection ends here.
            return Poll::Ready(Ok(()));
        }
        let before = buffer.filled().len();
        match Pin::new(&mut this.inner).poll_read(cx, buffer) {
            Poll::Ready(Ok(())) => {}
            other => return other,
        }
        let strict = framing.follow(buffer.filled().get(before..).unwrap_or_default());
        if framing.is_refused() {
            metrics::counter!("medcredit_refused_total", "listener" => this.listener, "reason" => "framing")
                .increment(1);
            if let Some(byte) = buffer.filled_mut().get_mut(before + strict) {
                *byte = 0;
            }
            buffer.set_filled(before + strict + 1);
        }
        this.activity.header_is_coming(framing.header_is_coming());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Watched<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.written(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.written(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.written(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

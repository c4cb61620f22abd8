//! A connection's stream, monitored: HTTP/1 requests must have strict framing, and a client that does not read is noticed.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::Sleep,
};

use super::{activity::Activity, framing::Framing};

/// A monitored stream.
#[derive(Debug)]
pub(super) struct MonitoredIo<T> {
    inner: T,
    /// For HTTP/1 only: HTTP/2 frames carry their length.
    framing: Option<Framing>,
    activity: Arc<Activity>,
    listener: &'static str,
    /// While what the client still sends is read and dropped, after everything was sent.
    linger: Option<Linger>,
}

/// How long, and how many bytes, a client may still send of a body that was not read.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 8 * 1024 * 1024;

#[derive(Debug)]
struct Linger {
    until: Pin<Box<Sleep>>,
    left: usize,
}

impl<T> MonitoredIo<T> {
    pub(super) const fn new(
        inner: T,
        framing: Option<Framing>,
        activity: Arc<Activity>,
        listener: &'static str,
    ) -> Self {
        Self { inner, framing, activity, listener, linger: None }
    }

    /// Records whether a write waits for the client to read.
    fn record_write<R>(&self, poll: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        self.activity.set_unread(poll.is_pending());
        poll
    }
}

impl<T: AsyncRead + Unpin> MonitoredIo<T> {
    /// Reads and drops what the client still sends, until it closes or has had its time.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(linger) = &mut self.linger else { return Poll::Ready(()) };
        let mut scratch = [0; 4096];
        while linger.left > 0 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    linger.left = linger.left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                // Polled here, so that the timer wakes the task although the client is silent.
                Poll::Pending => return linger.until.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for MonitoredIo<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(framing) = &mut this.framing else {
            return Pin::new(&mut this.inner).poll_read(cx, buffer);
        };
        if framing.is_refused() {
            // Hyper sees the end of the stream.
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
            // A NUL in place of the first byte that is not strict: hyper answers 400 and closes.
            if let Some(byte) = buffer.filled_mut().get_mut(before + strict) {
                *byte = 0;
            }
            buffer.set_filled(before + strict + 1);
        }
        this.activity.set_header_incomplete(framing.header_is_incomplete());
        Poll::Ready(Ok(()))
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for MonitoredIo<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.record_write(poll)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let poll = Pin::new(&mut self.inner).poll_flush(cx);
        self.record_write(poll)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
            if !self.activity.is_body_unread() {
                return Poll::Ready(Ok(()));
            }
            // The client may be sending a body that nobody reads. A close with bytes unread is a reset, with which it could
            // lose the response that says why.
            self.linger = Some(Linger { until: Box::pin(tokio::time::sleep(LINGER)), left: LINGER_BYTES });
        }
        self.poll_linger(cx).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.inner).poll_write_vectored(cx, bytes);
        self.record_write(poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

//! A response body of several segments in memory, sent one after the other without being joined first.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use crate::ledger::AnswerBody;

/// The segments that are not sent yet, in reverse order, so that the next one is popped off the end.
#[derive(Debug)]
pub(super) struct SegmentedBody(Vec<Bytes>);

impl From<AnswerBody> for SegmentedBody {
    fn from(body: AnswerBody) -> Self {
        // An empty segment would be a frame without data.
        Self(body.into_pieces().into_iter().rev().filter(|segment| !segment.is_empty()).collect())
    }
}

impl Body for SegmentedBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop().map(|segment| Ok(Frame::data(segment))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let length: usize = self.0.iter().map(Bytes::len).sum();
        SizeHint::with_exact(u64::try_from(length).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::{AnswerBody, Body as _, Bytes, SegmentedBody};

    async fn sent(body: AnswerBody) -> (u64, Vec<Bytes>, bool) {
        let mut segments = SegmentedBody::from(body);
        let length = segments.size_hint().exact().unwrap();
        let mut frames = Vec::new();
        while !segments.is_end_stream() {
            frames.push(segments.frame().await.unwrap().unwrap().into_data().unwrap());
        }
        (length, frames, segments.frame().await.is_none())
    }

    #[tokio::test]
    async fn segments_are_sent_in_order_and_none_is_empty() {
        let [one, two] = [Bytes::from_static(b"{\"a\":1"), Bytes::from_static(b"}")];
        assert_eq!(sent(AnswerBody::new(one.clone(), two.clone())).await, (7, vec![one.clone(), two], true));
        assert_eq!(sent(one.clone().into()).await, (6, vec![one], true));
        assert_eq!(sent(AnswerBody::default()).await, (0, vec![], true));
    }
}

//! Step 5: the exact bytes, their digest and their signature.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use super::{Body, DataRequest};
use crate::{
    domain::{Failure, Timestamp, ids::DisclosureId},
    identity::{
        signature::{Covered, digest::DigestPrefix, sign},
        suite::Signer,
    },
    ledger::{Answer, AnswerBody, RECEIPT_HEADER},
};

const CONTENT_DIGEST: HeaderName = HeaderName::from_static("content-digest");
const SIGNATURE: HeaderName = HeaderName::from_static("signature");
const SIGNATURE_INPUT: HeaderName = HeaderName::from_static("signature-input");

/// Bytes with their digest.
pub(super) struct Rendered {
    body: AnswerBody,
    /// `Content-Digest`.
    pub(super) digest: String,
}

/// The members of an answer that are the same whenever it is given, written out and digested: most of every answer, and
/// in front of what is not. The object is not closed yet.
pub(super) struct Members {
    text: Bytes,
    digested: DigestPrefix,
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It is a subject's data (I8).
        write!(f, "Members({} bytes)", self.text.len())
    }
}

impl Members {
    pub(super) fn of(body: &Body) -> Result<Self, Failure> {
        #[derive(Serialize)]
        struct Ended<'a, T> {
            #[serde(flatten)]
            answer: &'a T,
            notice: &'static str,
            onward_supply: &'static str,
        }
        fn text<T: Serialize>(answer: &T) -> Result<String, serde_json::Error> {
            serde_json::to_string(&Ended { answer, notice: super::NOTICE, onward_supply: "prohibited" })
        }
        let mut text = match body {
            Body::Grade(answer) => text(answer),
            Body::GradeHistory(answer) => text(answer),
            Body::Scorecard(answer) => text(answer),
            Body::Settlements(answer) => text(answer),
            Body::Report(answer) => text(&**answer),
        }
        .map_err(|error| Failure::internal(format!("an answer does not serialise: {error}")))?;
        text.pop();
        let digested = DigestPrefix::of(text.as_bytes());
        Ok(Self { text: text.into(), digested })
    }

    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }
}

impl Rendered {
    /// The exact bytes: the members, and then which disclosure this is.
    pub(super) fn of(members: &Members, id: DisclosureId, at: Timestamp) -> Self {
        // Neither an identifier nor a time has anything to escape.
        let rest = format!(r#","disclosure":"{id}","disclosed_at":"{at}"}}"#);
        let digest = members.digested.content_digest(rest.as_bytes());
        Self { digest, body: AnswerBody::new(members.text.clone(), rest.into()) }
    }

    /// The answer as it will be sent, signed over its status, digest, receipt and request.
    pub(super) fn sign(
        self,
        asked: &DataRequest<'_>,
        receipt: HeaderValue,
        signer: &dyn Signer,
        at: Timestamp,
    ) -> Result<Answer, Failure> {
        let headers = signed_headers(asked, "application/json", (self.digest, receipt), signer, at)?;
        Ok(Answer { headers, body: self.body })
    }
}

/// The header fields of a data answer, signed over its status, digest, receipt and request.
pub(super) fn signed_headers(
    asked: &DataRequest<'_>,
    media_type: &'static str,
    (digest, receipt): (String, HeaderValue),
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<HeaderMap, Failure> {
    let unprintable = |_| Failure::internal("a header of an answer is not printable");
    let covered = Covered {
        status: 200,
        content_digest: &digest,
        interaction_id: asked.interaction_id,
        disclosure: receipt.to_str().map_err(|_| Failure::internal("a receipt is not printable"))?,
        request: asked.request,
    };
    let fields =
        sign(&covered, signer, at).map_err(|error| Failure::unavailable("signing_unavailable", error.to_string()))?;
    let mut headers = HeaderMap::with_capacity(7);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_DIGEST, HeaderValue::try_from(digest).map_err(unprintable)?);
    headers.insert(RECEIPT_HEADER, receipt);
    headers.insert(SIGNATURE_INPUT, HeaderValue::try_from(fields.input).map_err(unprintable)?);
    headers.insert(SIGNATURE, HeaderValue::try_from(fields.signature).map_err(unprintable)?);
    Ok(headers)
}

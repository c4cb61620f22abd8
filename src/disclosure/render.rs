//! Step 5: the exact bytes, their digest and their signature.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use serde::Serialize;

use super::DataRequest;
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

/// The bytes of an answer with their digest.
pub(super) struct Rendered {
    body: AnswerBody,
    /// The value of `Content-Digest`.
    pub(super) digest: String,
}

/// The members of an answer that do not change from one disclosure to the next, serialised, and their digest so far. They
/// come first, and are most of every answer. The JSON object is not closed yet.
pub(super) struct Members {
    text: Bytes,
    digest: DigestPrefix,
}

impl fmt::Debug for Members {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The text is a subject's data (I8).
        write!(f, "Members({} bytes)", self.text.len())
    }
}

impl Members {
    pub(super) fn of<T: Serialize>(answer: &T) -> Result<Self, Failure> {
        #[derive(Serialize)]
        struct WithNotice<'a, T> {
            #[serde(flatten)]
            answer: &'a T,
            notice: &'static str,
            onward_supply: &'static str,
        }
        let answer = WithNotice { answer, notice: super::NOTICE, onward_supply: "prohibited" };
        let mut text = serde_json::to_string(&answer)
            .map_err(|error| Failure::internal(format!("an answer does not serialise: {error}")))?;
        // The closing brace: `Rendered::of` appends the last members.
        text.pop();
        let digest = DigestPrefix::of(text.as_bytes());
        Ok(Self { text: text.into(), digest })
    }

    pub(super) const fn len(&self) -> usize {
        self.text.len()
    }
}

impl Rendered {
    /// The exact bytes: the members, then the id and the time of this disclosure.
    pub(super) fn of(members: &Members, id: DisclosureId, at: Timestamp) -> Self {
        // Neither an id nor a time contains a character that JSON escapes.
        let rest = format!(r#","disclosure":"{id}","disclosed_at":"{at}"}}"#);
        let digest = members.digest.content_digest(rest.as_bytes());
        Self { digest, body: AnswerBody::new(members.text.clone(), rest.into()) }
    }

    /// The answer as it will be sent, signed over its status, digest, receipt and request.
    pub(super) fn sign(
        self,
        request: &DataRequest<'_>,
        receipt: HeaderValue,
        signer: &dyn Signer,
        at: Timestamp,
    ) -> Result<Answer, Failure> {
        let headers = signed_headers(request, "application/json", self.digest, receipt, signer, at)?;
        Ok(Answer { headers, body: self.body })
    }
}

/// The header fields of a data answer, signed over its status, digest, receipt and request.
pub(super) fn signed_headers(
    request: &DataRequest<'_>,
    media_type: &'static str,
    digest: String,
    receipt: HeaderValue,
    signer: &dyn Signer,
    at: Timestamp,
) -> Result<HeaderMap, Failure> {
    let unprintable = |_| Failure::internal("a header of an answer is not printable");
    let covered = Covered {
        status: 200,
        content_digest: &digest,
        interaction_id: request.interaction_id,
        disclosure: receipt.to_str().map_err(|_| Failure::internal("a receipt is not printable"))?,
        request: request.request,
    };
    let fields =
        sign(&covered, signer, at).map_err(|error| Failure::unavailable("signing_unavailable", error.to_string()))?;
    let mut headers = HeaderMap::with_capacity(7);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    // A cache would disclose it again without a record (I1).
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(CONTENT_DIGEST, HeaderValue::try_from(digest).map_err(unprintable)?);
    headers.insert(RECEIPT_HEADER, receipt);
    headers.insert(SIGNATURE_INPUT, HeaderValue::try_from(fields.input).map_err(unprintable)?);
    headers.insert(SIGNATURE, HeaderValue::try_from(fields.signature).map_err(unprintable)?);
    Ok(headers)
}

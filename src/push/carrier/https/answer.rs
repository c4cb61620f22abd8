//! The receiver's answer: read as far as it is allowed to be long, and judged by its status.

use std::{collections::BTreeMap, time::Duration};

use http::{HeaderMap, StatusCode, header};
use serde_json::Value;

use super::{
    super::{
        Failed, FailureReason, Fault, Listed,
        verdict::{Entry, cut, read_each},
    },
    error::connection_failed,
};
use crate::{
    domain::Timestamp,
    identity::signature::digest::verify_digest,
    outbox::Receipt,
    push::{platform::PlatformUrl, sha256},
};

/// The headers that a receipt keeps.
const KEPT: [&str; 6] = ["date", "content-type", "content-digest", "location", "retry-after", "x-request-id"];
/// The longest receipt number, in characters.
const LONGEST_NUMBER: usize = 200;

/// An answer.
#[derive(Debug)]
pub(super) struct Answered {
    /// Host and port of the receiver.
    at: String,
    status: StatusCode,
    headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answered {
    /// Reads the body of a response, up to `largest` bytes.
    pub(super) async fn read(
        mut response: reqwest::Response,
        largest: usize,
        base: &PlatformUrl,
    ) -> Result<Self, Failed> {
        let (status, headers) = (response.status(), response.headers().clone());
        let mut answered = Self { at: base.authority().to_owned(), status, headers, body: Vec::new() };
        loop {
            let part = match response.chunk().await {
                Ok(Some(part)) => part,
                Ok(None) => return Ok(answered),
                Err(error) => {
                    let receipt = Box::new(answered.receipt());
                    return Err(Failed { receipt, ..connection_failed(&error, base) });
                }
            };
            // Before it is kept: a receiver must not fill the memory.
            if answered.body.len() + part.len() > largest {
                let why = format!("{} answered with more than {largest} bytes", answered.at);
                return Err(answered.failed(FailureReason::TooLarge, why));
            }
            answered.body.extend_from_slice(&part);
        }
    }

    /// The receipt of this answer.
    fn receipt(&self) -> Receipt {
        let kept = |name: &&str| {
            let value = String::from_utf8_lossy(self.headers.get(*name)?.as_bytes()).into_owned();
            Some(((*name).to_owned(), cut(&value)))
        };
        let headers: BTreeMap<_, _> = KEPT.iter().filter_map(kept).collect();
        let number = serde_json::from_slice::<Value>(&self.body).ok();
        let number = number.as_ref().and_then(|body| body.get("receipt_number")).and_then(Value::as_str);
        let number = number.filter(|number| !number.is_empty() && number.chars().count() <= LONGEST_NUMBER);
        Receipt {
            status: Some(self.status.as_u16()),
            number: number.map(cut),
            body_sha256: Some(sha256(&self.body)),
            detail: None,
            headers,
        }
    }

    fn failed(&self, reason: FailureReason, why: String) -> Failed {
        Failed { receipt: Box::new(self.receipt()), ..Failed::passing(reason, why) }
    }

    /// An answer whose content cannot be read.
    pub(super) fn unreadable(&self, why: &str) -> Failed {
        self.failed(FailureReason::Answer, format!("the answer of {} cannot be read: {why}", self.at))
    }

    fn header(&self, name: header::HeaderName) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let value = self.header(header::RETRY_AFTER)?.trim();
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            // More digits than a number has: as long as can be, and the policy bounds it.
            return (!value.is_empty()).then(|| Duration::from_secs(value.parse().unwrap_or(u64::from(u32::MAX))));
        }
        Timestamp::from_http_date(value, now).map(|at| at.since(now))
    }
}

/// The receipt of a success, or why the answer is none.
pub(super) fn acknowledged(answered: &Answered, now: Timestamp) -> Result<Receipt, Failed> {
    let Answered { at, status, .. } = answered;
    if status.is_success() {
        let stated = answered.headers.get("content-digest").map(|value| value.to_str().unwrap_or_default());
        // Stated by the receiver, it must be right: otherwise somebody on the way changed the answer.
        if let Some(Err(refusal)) = stated.map(|stated| verify_digest(stated, &answered.body)) {
            return Err(answered.unreadable(&refusal.to_string()));
        }
        return Ok(answered.receipt());
    }
    if status.is_redirection() {
        let to = answered.header(header::LOCATION).map(cut).unwrap_or_default();
        let why = format!(
            "{at} answered {} with a redirect to {to:?}: redirects are not followed; put the final address into url",
            status.as_u16()
        );
        return Err(answered.failed(FailureReason::Redirect, why));
    }
    let is_passing = status.is_server_error()
        || [
            StatusCode::REQUEST_TIMEOUT,
            // An attempt with the same key is in progress.
            StatusCode::CONFLICT,
            StatusCode::TOO_EARLY,
            StatusCode::TOO_MANY_REQUESTS,
        ]
        .contains(status);
    let then = if is_passing { "it is tried again" } else { "the same request would be refused again" };
    // Not the body, which may repeat what was sent: its digest is kept.
    let failed = answered.failed(FailureReason::Status, format!("{at} answered {status}: {then}"));
    Err(Failed { permanent: !is_passing, retry_after: answered.retry_after(now).filter(|_| is_passing), ..failed })
}

/// Reads the entries of a page that the receiver lists under `member`. An entry that cannot be read does not hide the others.
pub(super) fn listed<T>(
    page: &Value,
    member: &str,
    path: &str,
    read: fn(&Entry) -> Result<T, String>,
) -> Result<Listed<T>, String> {
    let entries = page.get(member).and_then(Value::as_array).ok_or_else(|| format!("it has no list {member:?}"))?;
    let next = match page.get("next") {
        None | Some(Value::Null) => None,
        Some(Value::String(next)) if next.is_empty() => None,
        Some(Value::String(next)) if !entries.is_empty() && next.len() <= 1_000 => Some(next.clone()),
        // Without entries it could lead around in a circle.
        Some(_) => return Err("its \"next\" is no text of at most 1000 bytes, or follows no entry".into()),
    };
    let (entries, faulty) = read_each(entries, read);
    let faults = faulty.into_iter().map(|(at, problem)| Fault { at: format!("{path} {member}[{at}]"), problem });
    Ok(Listed { entries, faults: faults.collect(), next })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use serde_json::json;

    use super::*;

    fn answered(status: u16, headers: &[(&'static str, &str)], body: &str) -> Answered {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_str(value).unwrap());
        }
        let status = StatusCode::from_u16(status).unwrap();
        Answered { at: "platform.test".into(), status, headers: map, body: body.as_bytes().to_vec() }
    }

    const NOW: Timestamp = Timestamp::from_seconds(1_780_000_000);

    #[test]
    fn a_wait_is_read_in_seconds_and_as_a_date_where_the_request_is_tried_again() {
        let wait = |status, value: &str| {
            acknowledged(&answered(status, &[("retry-after", value)], ""), NOW).unwrap_err().retry_after
        };
        assert_eq!(wait(429, "120"), Some(Duration::from_mins(2)));
        assert_eq!(wait(503, "Thu, 28 May 2026 20:27:40 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(wait(503, "Thu, 28 May 2020 20:27:40 GMT"), Some(Duration::ZERO), "a date that is over");
        assert_eq!(wait(503, "99999999999999999999999"), Some(Duration::from_secs(u64::from(u32::MAX))));
        for none in ["", "-1", "soon", "1.5"] {
            assert_eq!(wait(503, none), None, "{none}");
        }
        assert_eq!(wait(422, "120"), None);
    }

    #[test]
    fn statuses_are_final_or_tried_again() {
        for status in [400, 401, 403, 404, 405, 410, 412, 413, 422, 451] {
            assert!(acknowledged(&answered(status, &[], ""), NOW).unwrap_err().permanent, "{status}");
        }
        for status in [300, 301, 302, 303, 304, 307, 308, 408, 409, 425, 429, 500, 502, 503, 504, 599] {
            let failed = acknowledged(&answered(status, &[], ""), NOW).unwrap_err();
            assert!(!failed.permanent, "{status}");
            assert_eq!(failed.reason == FailureReason::Redirect, status < 400);
        }
        for status in [200, 201, 202, 204] {
            acknowledged(&answered(status, &[], ""), NOW).unwrap();
        }
    }

    #[test]
    fn a_receipt_has_the_number_the_hash_and_chosen_headers() {
        let headers = [("x-request-id", "q1"), ("set-cookie", "secret"), ("content-type", "application/json")];
        let receipt = acknowledged(&answered(201, &headers, r#"{"receipt_number": "RC-7"}"#), NOW).unwrap();
        assert_eq!((receipt.status, receipt.number.as_deref()), (Some(201), Some("RC-7")));
        assert_eq!(receipt.body_sha256.unwrap(), sha256(br#"{"receipt_number": "RC-7"}"#));
        let headers: Vec<_> = receipt.headers.keys().map(String::as_str).collect();
        assert_eq!(headers, ["content-type", "x-request-id"]);
        for other in ["", "thanks", "[]", r#"{"receipt_number": 7}"#] {
            assert_eq!(acknowledged(&answered(200, &[], other), NOW).unwrap().number, None, "{other}");
        }
    }

    #[test]
    fn a_digest_that_the_answer_states_must_be_right() {
        let digest = crate::identity::signature::content_digest(b"{}");
        acknowledged(&answered(200, &[("content-digest", &digest)], "{}"), NOW).unwrap();
        let failed = acknowledged(&answered(200, &[("content-digest", &digest)], "{ }"), NOW).unwrap_err();
        assert_eq!(failed.reason, FailureReason::Answer);
    }

    #[test]
    fn a_page_has_its_faults_beside_its_entries() {
        let good = json!({"record_id": "a", "version": 1, "verdict": "accepted"});
        let page = json!({"receipts": [good, {"record_id": "b"}], "next": "b"});
        let page = listed(&page, "receipts", "/packages/7/receipts", Entry::receipt).unwrap();
        assert_eq!((page.entries.len(), page.next.as_deref()), (1, Some("b")));
        assert_eq!(page.faults[0].to_string(), "/packages/7/receipts receipts[1]: it has no version / 版本");
        for wrong in [
            json!([]),
            json!({"receipts": {}}),
            json!({"receipts": [], "next": "x"}),
            json!({"receipts": [good], "next": 1}),
        ] {
            assert!(listed(&wrong, "receipts", "/", Entry::receipt).is_err(), "{wrong}");
        }
    }
}

//! The message of a page after an act: a word and the id of the act's ledger entry, in a cookie that lives for a minute.

use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderMap, header};

use super::cookies::{self, Lifetime};
use crate::domain::words::words;

const COOKIE: &str = "message";
const LIFETIME: Lifetime = Lifetime::Seconds(60);

words! {
    /// What an act did. Nothing personal: the cookie is outside our control.
    Done: "message" {
        BankSuspended = "bank_suspended",
        BankResumed = "bank_resumed",
        CertificateRevoked = "certificate_revoked",
        ConsentRevoked = "consent_revoked",
        ConsentSuspended = "consent_suspended",
        ConsentResumed = "consent_resumed",
        PlatformPaused = "platform_paused",
        PlatformResumed = "platform_resumed",
        PageRedriven = "page_redriven",
        SessionEnded = "session_ended",
        SignedOut = "signed_out",
        Enrolled = "enrolled",
        Proposed = "proposed",
        Approved = "approved",
        Rejected = "rejected",
        Withdrawn = "withdrawn",
    }
}

/// The message of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flash {
    pub done: Done,
    /// The ledger entry of the act.
    pub entry: Option<String>,
}

impl Flash {
    /// The message that the last response set.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let value = cookies::value(headers, COOKIE)?;
        let (done, entry) = value.split_once('.').unwrap_or((value, ""));
        // Shown as text alone; only what has the form of an id is.
        let is_id = |text: &&str| !text.is_empty() && text.len() <= 40;
        Some(Self { done: done.parse().ok()?, entry: Some(entry).filter(is_id).map(str::to_owned) })
    }
}

/// After an act: shows a page that says what was done.
pub fn done(target: &str, done: Done, entry: Option<&str>) -> Response {
    let value = entry.map_or_else(|| done.to_string(), |entry| format!("{done}.{entry}"));
    let mut response = Redirect::to(target).into_response();
    if let Some(cookie) = cookies::set(COOKIE, &value, LIFETIME) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// Removes the message, once a page has shown it.
pub fn clear(response: &mut Response) {
    if let Some(cookie) = cookies::clear(COOKIE) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

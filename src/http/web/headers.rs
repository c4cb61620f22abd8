//! The header fields of every page.

use http::{HeaderMap, HeaderName, HeaderValue, header};

const EVERY_PAGE: &[(&str, &str)] = &[
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Adds them. What may be stored is said by the handler; the request log forbids it elsewhere.
pub fn add(headers: &mut HeaderMap, public_origin: &str) {
    for (name, value) in EVERY_PAGE {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // Not for localhost: it would bind every other program on a developer's machine for a year.
    if !public_origin.starts_with("https://localhost") {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
    }
}

//! Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07, M9). The rooms that create something store the keys.

use std::sync::Arc;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use data_encoding::BASE64URL_NOPAD;
use http::HeaderMap;
use serde::de::DeserializeOwned;
use sfv::{BareItem, Item, Parser};

use super::{
    header_names::IDEMPOTENCY_KEY,
    input::{from_json, require_json},
    problem::Problem,
    request_body,
};
use crate::{app::App, consent::IdempotencyKey, domain::Failure, identity::signature::combined_value};

/// The longest key, in characters.
const MAX_LENGTH: usize = 40;

/// A JSON body with the idempotency key of its request.
#[derive(Debug)]
pub struct Idempotent<T> {
    pub body: T,
    /// The key, if the request has one.
    pub key: Option<IdempotencyKey>,
    /// Held as long as the value, which has about the same size, so that it counts in the budget of bytes.
    _bytes: Bytes,
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Idempotent<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Problem> {
        // Headers first: a request that they refuse costs no reading of its body.
        require_json(request.headers())?;
        let key = key(request.headers())?;
        // Part of the digest: the same key and body at another path is another request.
        let target = format!("{} {}\n", request.method(), request.uri().path());
        let (mut parts, body) = request.into_parts();
        let bytes = request_body::read(&mut parts, body, app).await?;
        let digest = |parts: &[&[u8]]| {
            BASE64URL_NOPAD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &parts.concat()).as_ref())
        };
        // Digests and not the texts: what a client chose as its key is never stored.
        let key = key.map(|key| IdempotencyKey {
            key: digest(&[key.as_bytes()]),
            request: digest(&[target.as_bytes(), &bytes]),
        });
        Ok(Self { body: from_json(&bytes)?, key, _bytes: bytes })
    }
}

/// Reads the key: a structured-field string (RFC 9651) of 1 to 40 characters.
fn key(headers: &HeaderMap) -> Result<Option<String>, Failure> {
    if !headers.contains_key(&IDEMPOTENCY_KEY) {
        return Ok(None);
    }
    // A value that is not text reads as empty, which is malformed below.
    let field = combined_value(headers, &IDEMPOTENCY_KEY).unwrap_or_default();
    match Parser::new(&field).parse::<Item>() {
        Ok(Item { bare_item: BareItem::String(key), .. }) if (1..=MAX_LENGTH).contains(&key.as_str().len()) => {
            Ok(Some(key.as_str().to_owned()))
        }
        _ => Err(Failure::invalid(
            "idempotency-key",
            "idempotency_key_malformed",
            "Idempotency-Key is one string in double quotes, of 1 to 40 characters: a UUID, for instance.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_one_quoted_string_of_at_most_forty_characters() {
        // M9.
        let of = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_str(value).unwrap());
            }
            key(&headers).map_err(|failure| failure.code)
        };
        assert_eq!(of(&[]), Ok(None));
        assert_eq!(
            of(&["\"8e03978e-40d5-43dd-bc93-6894a57f9324\""]),
            Ok(Some("8e03978e-40d5-43dd-bc93-6894a57f9324".into()))
        );
        let forty = "x".repeat(40);
        assert_eq!(of(&[&format!("\"{forty}\"")]), Ok(Some(forty.clone())));
        for malformed in ["", "\"\"", "unquoted", "1", "\"open", "\"a\", \"b\"", ":AAAA:", &format!("\"{forty}x\"")] {
            assert_eq!(of(&[malformed]), Err("idempotency_key_malformed"), "{malformed}");
        }
        assert_eq!(of(&["\"a\"", "\"a\""]), Err("idempotency_key_malformed"));
    }
}

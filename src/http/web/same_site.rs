//! Whether a form comes from a page of ours.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::domain::Failure;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Refuses a form that a page of another origin sent.
///
/// Browsers say where a request comes from in `Sec-Fetch-Site`, which no page can set. Under our referrer policy they send
/// `Origin: null` with forms, so that `Origin` alone is enough only where it names us.
pub fn check(headers: &HeaderMap, origin: &str) -> Result<(), Failure> {
    let one = |name: &HeaderName| {
        let mut values = headers.get_all(name).iter();
        values.next().filter(|_| values.next().is_none())
    };
    let named = one(&header::ORIGIN);
    let is_ours = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
    let allowed = match one(&SEC_FETCH_SITE) {
        Some(site) => site == "same-origin" && named.is_none_or(|value| value == "null" || is_ours(value)),
        None => named.is_some_and(is_ours),
    };
    if allowed {
        return Ok(());
    }
    Err(Failure::forbidden("form_origin_refused", "The form was sent by a page of another origin. Open the page here."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(fields: &[(&'static str, &'static str)]) -> bool {
        let fields =
            fields.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        check(&fields.collect(), "https://console.example:8444").is_ok()
    }

    #[test]
    fn only_our_own_pages_send_forms() {
        let ours = ("origin", "https://console.example:8444");
        assert!(outcome(&[ours]));
        assert!(outcome(&[ours, ("sec-fetch-site", "same-origin")]));
        assert!(outcome(&[("origin", "null"), ("sec-fetch-site", "same-origin")]));
        for refused in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "https://console.example")],
            &[ours, ("sec-fetch-site", "cross-site")],
            &[ours, ("sec-fetch-site", "same-site")],
            &[("origin", "https://evil.example"), ("sec-fetch-site", "same-origin")],
        ] {
            assert!(!outcome(refused), "{refused:?}");
        }
    }
}

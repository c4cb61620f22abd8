//! The values of a request's signature components (RFC 9421 section 2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// A request, as the input of signing and verification.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub method: &'a str,
    /// The target URI with the gateway's public origin, whatever authority the request names.
    pub target_uri: &'a str,
    pub headers: &'a HeaderMap,
    /// Whether the body has at least one byte.
    pub has_content: bool,
}

impl Message<'_> {
    /// The value of a component without parameters; none if it is missing or unsupported.
    pub(super) fn component(&self, name: &str) -> Option<Cow<'_, str>> {
        if !name.starts_with('@') {
            // Component names are lower case (section 2.1); the lookup of the field would ignore case.
            let name = name.bytes().all(|byte| !byte.is_ascii_uppercase()).then_some(name)?;
            return combined_value(self.headers, &HeaderName::try_from(name).ok()?).map(Cow::Owned);
        }
        let (scheme, rest) = self.target_uri.split_once("://")?;
        // A URI without a path ends with its authority.
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (path, query) = target.split_once('?').map_or((target, ""), |(path, query)| (path, query));
        match name {
            "@method" => Some(self.method.into()),
            "@target-uri" => Some(self.target_uri.into()),
            "@scheme" => Some(scheme.into()),
            "@authority" => {
                let authority = authority.to_ascii_lowercase();
                // RFC 9421 section 2.2.3: lower case, and without the default port.
                Some(authority.strip_suffix(":443").map_or(authority.clone(), str::to_owned).into())
            }
            "@request-target" => Some(target.into()),
            "@path" => Some(if path.is_empty() { "/" } else { path }.into()),
            // RFC 9421 section 2.2.7: an absent query is a lone question mark.
            "@query" => Some(format!("?{query}").into()),
            _ => None,
        }
    }
}

/// The combined value of a field: its lines, trimmed and joined (RFC 9421 section 2.1). None if it is missing or not
/// ASCII.
pub fn combined_value(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let mut value = lines.next()?.to_str().ok()?.trim().to_owned();
    for line in lines {
        value.push_str(", ");
        // A value that is not ASCII has no defined place in a signature base, so the whole component is missing.
        value.push_str(line.to_str().ok()?.trim());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn components_match_the_examples_of_rfc_9421() {
        let mut headers = HeaderMap::new();
        for value in ["max-age=60", "   must-revalidate "] {
            headers.append("cache-control", HeaderValue::from_static(value));
        }
        headers.insert("x-empty-header", HeaderValue::from_static(""));
        let message = Message {
            method: "POST",
            target_uri: "https://WWW.example.com:443/path?param=value",
            headers: &headers,
            has_content: false,
        };
        for (name, value) in [
            ("@method", "POST"),
            ("@target-uri", "https://WWW.example.com:443/path?param=value"),
            ("@authority", "www.example.com"),
            ("@scheme", "https"),
            ("@request-target", "/path?param=value"),
            ("@path", "/path"),
            ("@query", "?param=value"),
            ("cache-control", "max-age=60, must-revalidate"),
            ("x-empty-header", ""),
        ] {
            assert_eq!(message.component(name).as_deref(), Some(value), "{name}");
        }
        let bare = Message { target_uri: "https://example.com/path", ..message };
        assert_eq!(bare.component("@query").as_deref(), Some("?"));
        for name in ["@status", "@query-param", "@nonsense", "Cache-Control", "x-absent", "not a name"] {
            assert_eq!(message.component(name), None, "{name}");
        }
    }
}

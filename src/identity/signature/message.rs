//! A request as its signature sees it: the value of each component (RFC 9421 section 2).

use std::borrow::Cow;

use http::{HeaderMap, HeaderName};

/// A request, for signing and verifying.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    /// The method.
    pub method: &'a str,
    /// The target under the gateway's public origin, whatever the request said of its authority.
    pub target_uri: &'a str,
    /// Its fields.
    pub headers: &'a HeaderMap,
    /// Whether it has content: a body of one byte or more.
    pub has_content: bool,
}

impl Message<'_> {
    /// The value of a component without parameters; none where the message lacks it or it is not one we know.
    pub(super) fn component(&self, name: &str) -> Option<Cow<'_, str>> {
        if !name.starts_with('@') {
            // A field's name in upper case is no component name, though it would find the field.
            let name = name.bytes().all(|byte| !byte.is_ascii_uppercase()).then_some(name)?;
            return joined(self.headers, &HeaderName::try_from(name).ok()?).map(Cow::Owned);
        }
        let (scheme, rest) = self.target_uri.split_once("://")?;
        let (authority, target) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        let (path, query) = target.split_once('?').map_or((target, ""), |(path, query)| (path, query));
        match name {
            "@method" => Some(self.method.into()),
            "@target-uri" => Some(self.target_uri.into()),
            "@scheme" => Some(scheme.into()),
            "@authority" => {
                let authority = authority.to_ascii_lowercase();
                Some(authority.strip_suffix(":443").map_or(authority.clone(), str::to_owned).into())
            }
            "@request-target" => Some(target.into()),
            "@path" => Some(if path.is_empty() { "/" } else { path }.into()),
            "@query" => Some(format!("?{query}").into()),
            _ => None,
        }
    }
}

/// A field's whole value: its lines, trimmed and joined (RFC 9421 section 2.1). None where it is absent or not printable.
pub fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    let mut lines = headers.get_all(name).iter();
    let mut value = lines.next()?.to_str().ok()?.trim().to_owned();
    for line in lines {
        value.push_str(", ");
        value.push_str(line.to_str().ok()?.trim());
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn components_are_those_of_rfc_9421s_examples() {
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

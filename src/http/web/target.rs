//! Targets of links and redirects: paths of our own, with encoded parameters.

use std::fmt::Write as _;

/// Encodes a value for a path segment or a query (RFC 3986, unreserved characters stay).
pub fn encode(value: &str) -> String {
    let mut encoded = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A path with parameters; those without a value are left out.
pub fn with_query(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut target = path.to_owned();
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        target.push(if target.contains('?') { '&' } else { '?' });
        target.push_str(name);
        target.push('=');
        target.push_str(&encode(value));
    }
    target
}

/// A target that a form sent, if it is a path of this host: another host could pretend to be us.
pub fn local(target: &str) -> Option<&str> {
    let mut rest = target.strip_prefix('/')?.bytes();
    let inside = !matches!(target.as_bytes().get(1), Some(b'/' | b'\\'));
    (inside && rest.all(|byte| byte.is_ascii_graphic() && byte != b'\\')).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_stays_on_this_host() {
        assert_eq!(local("/banks?state=active"), Some("/banks?state=active"));
        for elsewhere in ["", "banks", "//evil.example", "/\\evil.example", "https://evil.example", "/a\nb"] {
            assert_eq!(local(elsewhere), None, "{elsewhere:?}");
        }
    }

    #[test]
    fn parameters_are_encoded_and_empty_ones_left_out() {
        assert_eq!(with_query("/banks", &[("state", ""), ("name", "甲 &b")]), "/banks?name=%E7%94%B2%20%26b");
    }
}

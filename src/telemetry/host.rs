//! The check of the host that a request names, which all listeners share.

use http::{HeaderValue, Version, header, request::Parts};

/// Whether a request names one host. What lies between two of them, a cache or a balancer could route by the other (RFC 9112
/// section 3.2, RFC 9113 section 8.3.1).
pub fn names_one_host(parts: &Parts) -> bool {
    let mut lines = parts.headers.get_all(header::HOST).iter().map(HeaderValue::as_bytes);
    let (host, second) = (lines.next(), lines.next());
    // Over HTTP/1 the target has an authority only in the absolute form, which proxies are sent.
    let authority = parts.uri.authority().map(|authority| authority.as_str().as_bytes());
    match (host, authority) {
        _ if second.is_some() => false,
        (Some(host), Some(authority)) => host.eq_ignore_ascii_case(authority) && is_host(host),
        (Some(host), None) => is_host(host),
        (None, Some(authority)) => parts.version == Version::HTTP_2 && is_host(authority),
        (None, None) => false,
    }
}

/// Whether a text can be a name or an address, with or without a port: no user, no list, no space.
fn is_host(text: &[u8]) -> bool {
    let host =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b':' | b'[' | b']' | b'%');
    !text.is_empty() && text.iter().all(host)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    #[test]
    fn a_request_names_one_host() {
        let named = |version: Version, target: &str, hosts: &[&str]| {
            let mut request = Request::builder().version(version).uri(target);
            for host in hosts {
                request = request.header(header::HOST, *host);
            }
            names_one_host(&request.body(()).unwrap().into_parts().0)
        };
        for host in ["a", "gateway.example:8443", "127.0.0.1:1", "[::1]:8443"] {
            assert!(named(Version::HTTP_11, "/", &[host]), "{host}");
            assert!(named(Version::HTTP_2, &format!("https://{host}/"), &[]), "{host}");
        }
        assert!(named(Version::HTTP_2, "https://a:1/", &["A:1"]));
        assert!(named(Version::HTTP_2, "/", &["a"]));
        assert!(named(Version::HTTP_11, "https://a/", &["a"]));
        for hosts in [&[] as &[&str], &["a", "a"], &["a", "b"], &[""], &["a, b"], &["user@a"], &["a/b"], &["a b"]] {
            assert!(!named(Version::HTTP_11, "/", hosts), "{hosts:?}");
            assert!(!named(Version::HTTP_10, "/", hosts), "{hosts:?}");
        }
        assert!(!named(Version::HTTP_2, "https://a/", &["b"]));
        assert!(!named(Version::HTTP_2, "/", &[]));
        assert!(!named(Version::HTTP_11, "https://a/", &["b"]));
        assert!(!named(Version::HTTP_11, "https://a/", &[]));
    }
}

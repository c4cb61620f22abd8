//! Cookies: host-only, over TLS, unreadable to scripts, and never sent with requests that another site causes.

use http::{HeaderMap, HeaderValue, header};

/// The prefix that makes browsers refuse a cookie unless it is secure, for the whole host and for no other host.
const PREFIX: &str = "__Host-medcredit-";

/// The value of a cookie in a request. A repeated cookie has none: one of the two is not ours.
pub fn value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let fields = headers.get_all(header::COOKIE).iter().filter_map(|field| field.to_str().ok());
    let pairs = fields.flat_map(|field| field.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter_map(|(key, value)| (key.strip_prefix(PREFIX)? == name).then_some(value));
    values.next().filter(|_| values.next().is_none())
}

/// How long a browser keeps a cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifetime {
    /// Until the browser is closed.
    Session,
    /// For so many seconds.
    Seconds(u32),
}

/// The header that sets a cookie. A value with other characters than a cookie may have sets none.
pub fn set(name: &str, value: &str, lifetime: Lifetime) -> Option<HeaderValue> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
    if !value.bytes().all(allowed) {
        return None;
    }
    let age = match lifetime {
        Lifetime::Session => String::new(),
        Lifetime::Seconds(seconds) => format!("; Max-Age={seconds}"),
    };
    HeaderValue::try_from(format!("{PREFIX}{name}={value}; Path=/; Secure; HttpOnly; SameSite=Strict{age}")).ok()
}

/// The header that removes a cookie.
pub fn clear(name: &str) -> Option<HeaderValue> {
    set(name, "", Lifetime::Seconds(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_among_others_and_a_repeated_one_is_not() {
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, HeaderValue::from_static("a=1; __Host-medcredit-view=zh; medcredit-view=x"));
        assert_eq!(value(&headers, "view"), Some("zh"));
        assert_eq!(value(&headers, "session"), None);
        headers.append(header::COOKIE, HeaderValue::from_static("__Host-medcredit-view=en"));
        assert_eq!(value(&headers, "view"), None);
    }

    #[test]
    fn a_value_cannot_add_an_attribute() {
        assert!(set("session", "a; Domain=example.com", Lifetime::Session).is_none());
        let set = set("session", "abc", Lifetime::Session).unwrap();
        assert_eq!(set, "__Host-medcredit-session=abc; Path=/; Secure; HttpOnly; SameSite=Strict");
        assert!(clear("session").unwrap().to_str().unwrap().ends_with("Max-Age=0"));
    }
}

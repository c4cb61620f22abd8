//! The URL of a PostgreSQL database: what is wrong with it, without repeating it, because it may carry a password.

use std::str::FromStr;

use sqlx::postgres::PgConnectOptions;

const FORM: &str = "write it as config/gateway.toml shows at store.url_file";
const ESCAPES: &str = "in user and password write @ as %40, / as %2F, # as %23, ? as %3F, : as %3A, % as %25";

/// Parses a URL. The error says what is wrong, and what to write instead.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions, String> {
    if let Some(problem) = problem_of(url) {
        return Err(format!("the PostgreSQL URL (store.url_file) {problem}"));
    }
    PgConnectOptions::from_str(url).map_err(|_| {
        format!("the PostgreSQL URL (store.url_file) is not of the form that is needed: {FORM}; {ESCAPES}")
    })
}

/// Mistakes that the driver does not find, or reports as something else.
fn problem_of(url: &str) -> Option<String> {
    if url.starts_with('\u{feff}') {
        return Some("begins with a byte order mark: save the file as UTF-8 without one".into());
    }
    if url.get(..5).is_some_and(|start| start.eq_ignore_ascii_case("jdbc:")) {
        return Some(format!("begins with `jdbc:`: {FORM}"));
    }
    if url.contains(char::is_whitespace) {
        return Some("contains white space: the file has one line, the URL".into());
    }
    let Some(rest) = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://")) else {
        return Some(format!("is not of the form that is needed: {FORM}"));
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, after) = rest.split_at(end);
    // A password that ends early leaves its `@` behind. In a query an `@` may be a value's, unless the rest of the password
    // stands where a port belongs.
    let (path, query) = after.split_once('?').unwrap_or((after, ""));
    let no_port = authority.split_once(':').is_some_and(|(_, port)| !port.bytes().all(|byte| byte.is_ascii_digit()));
    let at_behind = path.contains('@') || (!authority.contains('@') && no_port && query.contains('@'));
    if authority.matches('@').count() > 1 || at_behind || after.contains('#') {
        return Some(format!("has a character in user or password that ends it: {ESCAPES}"));
    }
    let credentials = authority.split_once('@').map_or("", |(credentials, _)| credentials);
    let escaped = |part: &str| part.get(..2).is_some_and(|hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()));
    if !credentials.split('%').skip(1).all(escaped) {
        return Some(format!("has a `%` without two hexadecimal digits: {ESCAPES}"));
    }
    None
}

/// A refusal to connect, with its cause where the text of the error does not name it.
pub(super) fn refusal(error: &str) -> String {
    if error.contains("unsupported startup parameter") {
        return format!("{POOLER} ({error})");
    }
    format!("PostgreSQL: {error}")
}

/// Why the gateway does not work behind a pooler.
pub(in crate::store) const POOLER: &str = "a pooler such as PgBouncer stands before PostgreSQL and does not pass the session's \
    settings on, so that locks, snapshots and the schema are not what the gateway relies on: connect to PostgreSQL itself; \
    the gateway has a pool of its own ([store] max_connections)";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mistake_is_named_and_the_url_is_not_repeated() {
        for (url, expected) in [
            ("\u{feff}postgres://owner:secret@localhost/med", "byte order mark"),
            ("jdbc:postgresql://127.0.0.1:5432/med?user=owner", "begins with `jdbc:`"),
            ("JDBC:postgresql://127.0.0.1:5432/med", "begins with `jdbc:`"),
            ("postgres://owner:p@ss/secret#1%?:é中@127.0.0.1:5432/med", "ends it"),
            ("postgres://owner:p@secret@localhost/med", "write @ as %40"),
            ("postgres://owner:secret/1@localhost/med", "/ as %2F"),
            ("postgres://owner:secret#1@localhost/med", "# as %23"),
            ("postgres://owner:secret?1@localhost/med", "? as %3F"),
            ("postgres://owner:secret%zz@localhost/med", "without two hexadecimal digits"),
            ("postgres://owner:secret@localhost/med postgres://x/y", "white space"),
            ("mysql://owner:secret@localhost/med", "not of the form"),
            ("secret", "not of the form"),
            ("", "not of the form"),
        ] {
            let text = parse(url).unwrap_err();
            assert!(text.contains(expected) && text.contains("store.url_file"), "{url}: {text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }

    #[test]
    fn what_the_driver_accepts_is_accepted() {
        for url in [
            "postgres://owner:p%40ss%2Fw%231%25%3F%3A%C3%A9%E4%B8%AD@127.0.0.1:5432/med",
            "postgresql://owner@db.example.gov.cn/med?sslmode=verify-full&sslrootcert=/etc/ssl/db.pem",
            "postgres://medcredit@localhost/test_1?host=%2Ftmp%2Fpg",
            "postgres:///med?host=/run/postgresql&user=me@realm",
        ] {
            if let Err(text) = parse(url) {
                panic!("{url}: {text}");
            }
        }
    }

    #[test]
    fn a_refusal_by_a_pooler_names_the_pooler() {
        let text = refusal("unsupported startup parameter: options");
        assert!(text.contains("PgBouncer"), "{text}");
        assert_eq!(refusal("Connection refused"), "PostgreSQL: Connection refused");
    }
}

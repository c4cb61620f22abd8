//! Removes from free text what looks like a credential or like a number of a person or an institution. It is a second line of
//! defence: log messages must be constants all the same, because no scrubbing recognises a name.

/// The replacement.
const REDACTED: &str = "[redacted]";

/// Removes numbers of persons, institutions and accounts, tokens, PEM blocks, and passwords in URLs.
///
/// ```
/// use medcredit_core::telemetry::scrub;
/// assert_eq!(scrub("no subject 91330302MA2AXXXX1K in H33030200012"), "no subject [redacted] in [redacted]");
/// assert_eq!(scrub("step 0002_bulk took 15 ms"), "step 0002_bulk took 15 ms");
/// ```
pub fn scrub(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c: char| c.is_ascii_alphanumeric() || c == '-') {
        let (before, from) = rest.split_at(start);
        out.push_str(before);
        let length = secret_at(from);
        if length > 0 {
            out.push_str(REDACTED);
            rest = from.get(length..).unwrap_or_default();
            continue;
        }
        // At least one character: a lone hyphen would otherwise loop for ever.
        let end = from.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(from.len()).max(1);
        let (word, after) = from.split_at(end);
        out.push_str(if is_personal_number(word) { REDACTED } else { word });
        rest = after;
    }
    out.push_str(rest);
    out
}

/// The length of the credential at the start of a text, in bytes; 0 if there is none.
fn secret_at(text: &str) -> usize {
    let until = |stop: fn(char) -> bool| text.find(stop).unwrap_or(text.len());
    // `{"` in base64: the beginning of every JWT.
    if text.starts_with("eyJ") {
        return until(|c| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')));
    }
    // All that follows: a block that was cut off has no end to look for.
    if text.starts_with("-----BEGIN") {
        return text.len();
    }
    if text.starts_with("Bearer ") || text.starts_with("DPoP ") {
        return text.len();
    }
    match text.split_once("://") {
        // The part between the scheme and the @ is a user and a password.
        Some((scheme, authority)) if scheme.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            let authority = authority.split(['/', ' ', '?', '#']).next().unwrap_or_default();
            // The last one: a password may contain an @.
            authority.rfind('@').map_or(0, |at| scheme.len() + 3 + at)
        }
        _ => 0,
    }
}

/// USCCs and resident ids (18), national codes (a letter or two and 11 or more digits), telephone and account numbers.
/// Digests (64 hexadecimal digits) and our own ids (26 letters and digits) are longer than any of these.
fn is_personal_number(word: &str) -> bool {
    if !(9..=25).contains(&word.len()) {
        return false;
    }
    let longest = word.split(|c: char| !c.is_ascii_digit()).map(str::len).max().unwrap_or(0);
    longest >= 9 || looks_like_a_uscc(word)
}

/// Two characters of department and kind, six digits of region, then digits and capitals.
fn looks_like_a_uscc(word: &str) -> bool {
    let region = word.get(2..8).is_some_and(|region| region.bytes().all(|byte| byte.is_ascii_digit()));
    word.len() == 18 && region && word.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

#[cfg(test)]
mod tests {
    use super::scrub;

    #[test]
    fn personal_numbers_are_removed() {
        for number in
            ["91330302MA2AXXXX1K", "330302199001011234", "33030219900101123X", "H33030200012", "D330302000123"]
        {
            assert_eq!(scrub(&format!("a {number}, b")), "a [redacted], b");
        }
        assert_eq!(scrub("13800138000"), "[redacted]");
        assert_eq!(scrub("账号6222021234567890123。"), "账号[redacted]。");
    }

    #[test]
    fn credentials_are_removed() {
        assert_eq!(scrub("token eyJhbGciOi.J9.abc-_ refused"), "token [redacted] refused");
        assert_eq!(scrub("postgres://medcredit:hunter2@db:5432/x"), "[redacted]@db:5432/x");
        assert_eq!(scrub("header: Bearer abc def"), "header: [redacted]");
        assert_eq!(scrub("x -----BEGIN PRIVATE KEY-----\nabc"), "x [redacted]");
    }

    #[test]
    fn other_texts_are_unchanged() {
        for text in [
            "con_01jqabcdefghjkmnpqrstvwxyz is not active",
            "db-1 answered in 1500000 us",
            "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "2026-04-01T01:00:00Z",
            "https://localhost:8443/v1/x - ok",
            "constraint clients_name_key refused the change",
            "结算",
            "",
        ] {
            assert_eq!(scrub(text), text);
        }
    }
}

//! The names a log line may carry. A field that is not here is written as `[withheld]`, whatever its value.
//!
//! Before adding one, ask: can its value ever be a person's or an institution's name or number, a token, a key, a body,
//! or a URL? Then it does not belong in a log.

use std::sync::LazyLock;

/// Values that are our own identifiers, closed words or plain numbers: written as they are.
const AS_THEY_ARE: &[&str] = &[
    "accepted",
    "address",
    "algorithm",
    "attempt",
    "authority.id",
    "certificate.id",
    "certificate.thumbprint",
    "change.number",
    "client.id",
    "code",
    "consent.id",
    "consent.state",
    "consent.version",
    "count",
    "crl.number",
    "days_left",
    "digest",
    "disclosure.id",
    "duration_ms",
    "engine",
    "entry.id",
    "entry.type",
    "http.method",
    "http.route",
    "http.status",
    "import.id",
    "interaction.id",
    "key.id",
    "key.purpose",
    "kind",
    "leaf.index",
    "left_permille",
    "limit",
    "listener",
    "migration",
    "model.id",
    "operation",
    "period",
    "permission",
    "publication.number",
    "purpose",
    "rejected",
    "rows",
    "run.id",
    "scheme.id",
    "scope",
    "seconds",
    "signal",
    "state",
    "template",
    "tls.alpn",
    "tls.group",
    "tls.version",
    "token.id",
    "tree.size",
    "version",
];

/// Values that are texts of ours or of libraries: written after scrubbing.
const SCRUBBED: &[&str] = &["check", "error", "message", "reason"];

/// What may be done with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Write,
    Scrub,
    Withhold,
}

/// The names with what may be done with them, by their length: every field of every line is looked up here.
static BY_LENGTH: LazyLock<Vec<Vec<(&str, Treatment)>>> = LazyLock::new(|| {
    let names = AS_THEY_ARE.iter().map(|name| (*name, Treatment::Write));
    let names = names.chain(SCRUBBED.iter().map(|name| (*name, Treatment::Scrub)));
    let mut by_length = Vec::new();
    for (name, treatment) in names {
        if by_length.len() <= name.len() {
            by_length.resize_with(name.len() + 1, Vec::new);
        }
        if let Some(of_length) = by_length.get_mut(name.len()) {
            of_length.push((name, treatment));
        }
    }
    by_length
});

/// Whether a field of this name is written at all.
pub fn is_vouched_for(name: &str) -> bool {
    treatment(name) != Treatment::Withhold
}

/// What may be done with the field of a name.
pub(super) fn treatment(name: &str) -> Treatment {
    let of_length = BY_LENGTH.get(name.len()).map(Vec::as_slice).unwrap_or_default();
    of_length.iter().find(|(known, _)| *known == name).map_or(Treatment::Withhold, |(_, treatment)| *treatment)
}

#[cfg(test)]
mod tests {
    use super::{AS_THEY_ARE, SCRUBBED, Treatment, treatment};

    #[test]
    fn every_name_is_treated_by_its_list_and_no_other_is_written() {
        assert!(AS_THEY_ARE.is_sorted(), "keep the list in the order of the alphabet");
        assert!(AS_THEY_ARE.iter().all(|name| treatment(name) == Treatment::Write));
        assert!(SCRUBBED.iter().all(|name| treatment(name) == Treatment::Scrub));
        for name in ["", "name", "uscc", "codE", "http.methods", "a.name.that.is.longer.than.any.of.those.in.the.lists"]
        {
            assert_eq!(treatment(name), Treatment::Withhold, "{name}");
        }
    }
}

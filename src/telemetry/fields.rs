//! The names of fields that a log line may have. A field that is not listed here is written as `[withheld]`, whatever its value.
//!
//! Do not add a name whose value can ever be a person's or an institution's name or number, a token, a key, a body or a URL.

use std::sync::LazyLock;

/// Fields whose values are identifiers of ours, words of a closed set or plain numbers: written unchanged.
const UNCHANGED: &[&str] = &[
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
    "operator.id",
    "package.number",
    "period",
    "permission",
    "platform",
    "proposal.id",
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

/// Fields whose values are texts of ours or of libraries: written after scrubbing.
const SCRUBBED: &[&str] = &["check", "error", "message", "reason"];

/// What the log does with a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Treatment {
    Write,
    Scrub,
    Withhold,
}

/// The treatment of each name, grouped by the length of the name: every field of every line is looked up here.
static BY_LENGTH: LazyLock<Vec<Vec<(&str, Treatment)>>> = LazyLock::new(|| {
    let names = UNCHANGED.iter().map(|name| (*name, Treatment::Write));
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

/// Whether the log writes a field of this name.
pub fn is_allowed(name: &str) -> bool {
    treatment(name) != Treatment::Withhold
}

/// What the log does with a field of this name.
pub(super) fn treatment(name: &str) -> Treatment {
    let of_length = BY_LENGTH.get(name.len()).map(Vec::as_slice).unwrap_or_default();
    of_length.iter().find(|(known, _)| *known == name).map_or(Treatment::Withhold, |(_, treatment)| *treatment)
}

#[cfg(test)]
mod tests {
    use super::{SCRUBBED, Treatment, UNCHANGED, treatment};

    #[test]
    fn listed_names_have_their_treatment_and_others_are_withheld() {
        assert!(UNCHANGED.is_sorted(), "keep the list in alphabetical order");
        assert!(UNCHANGED.iter().all(|name| treatment(name) == Treatment::Write));
        assert!(SCRUBBED.iter().all(|name| treatment(name) == Treatment::Scrub));
        for name in ["", "name", "uscc", "codE", "http.methods", "a.name.that.is.longer.than.any.of.those.in.the.lists"]
        {
            assert_eq!(treatment(name), Treatment::Withhold, "{name}");
        }
    }
}

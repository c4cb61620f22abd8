//! The names a log line may carry. A field that is not here is written as `[withheld]`, whatever its value.
//!
//! Before adding one, ask: can its value ever be a person's or an institution's name or number, a token, a key, a body,
//! or a URL? Then it does not belong in a log.

/// Values that are our own identifiers, closed words or plain numbers: written as they are. Sorted: every field of every
/// line is looked up here.
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

/// Whether a field of this name is written at all.
pub fn is_vouched_for(name: &str) -> bool {
    treatment(name) != Treatment::Withhold
}

/// What may be done with the field of a name.
pub(super) fn treatment(name: &str) -> Treatment {
    if AS_THEY_ARE.binary_search(&name).is_ok() {
        Treatment::Write
    } else if SCRUBBED.contains(&name) {
        Treatment::Scrub
    } else {
        Treatment::Withhold
    }
}

#[cfg(test)]
mod tests {
    use super::{AS_THEY_ARE, Treatment, treatment};

    #[test]
    fn every_name_in_the_list_is_found_in_it() {
        assert!(AS_THEY_ARE.is_sorted(), "keep the list in the order of the alphabet");
        assert!(AS_THEY_ARE.iter().all(|name| treatment(name) == Treatment::Write));
    }
}

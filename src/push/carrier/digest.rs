//! The digest of a record's fields, by which what a receiver holds is compared with what was sent.

use crate::{domain::canonical::canonical_string, push::sha256};

/// The digest of a record's fields: hex SHA-256 over a JSON object of their names and values in canonical form (RFC 8785), so
/// that the order of the receiver's columns does not matter. Every value is a string.
pub fn fields_digest<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut members: Vec<(Vec<u16>, &str, &str)> =
        fields.map(|(name, value)| (name.encode_utf16().collect(), name, value)).collect();
    members.sort();
    let members: Vec<String> = members
        .iter()
        .map(|(_, name, value)| format!("{}:{}", canonical_string(name), canonical_string(value)))
        .collect();
    sha256(format!("{{{}}}", members.join(",")).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::fields_digest;
    use crate::{domain::canonical::canonical, push::sha256};

    #[test]
    fn the_digest_is_over_canonical_json_in_any_order_of_fields() {
        let fields = [("主体名称", "温州\"某\"医院"), ("CF_WSH", "1"), ("\u{fb33}", ""), ("😀", "x")];
        let object: serde_json::Map<_, _> =
            fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let expected = sha256(canonical(&object.into()).unwrap().as_bytes());
        assert_eq!(fields_digest(fields.into_iter()), expected);
        assert_eq!(fields_digest(fields.into_iter().rev()), expected);
        // For implementers, docs/CARRIERS.md has this one.
        let documented = fields_digest([("PJDJ", "A"), ("XYDM", "12330300470528001X")].into_iter());
        assert_eq!(documented, "f19ad68deccbde649228a03f26538ac407fb4ba0ba428f42ed317cc1ec40d8d9");
    }
}

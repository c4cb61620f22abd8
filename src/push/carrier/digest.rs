//! The digest of a record's fields, by which what a receiver holds is compared with what was sent.

use crate::{
    domain::canonical::{canonical_string, write_canonical_string},
    push::sha256,
};

/// The digest of a record's fields: hex SHA-256 over a JSON object of their names and values in canonical form (RFC 8785), so
/// that the order of the receiver's columns does not matter. Every value is a string.
pub fn fields_digest<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    FieldsDigester::default().digest(&fields.collect::<Vec<_>>())
}

/// Digests the fields of many records as [`fields_digest`] does. Most have the same names in the same order: what depends on the names
/// alone is computed once for all of them.
#[derive(Debug, Default)]
pub struct FieldsDigester {
    names: Vec<String>,
    /// The position of each field and its name as a member of the object, in canonical order.
    members: Vec<(usize, String)>,
    text: String,
}

impl FieldsDigester {
    /// The digest of a record's fields.
    pub fn digest<N: AsRef<str>, V: AsRef<str>>(&mut self, fields: &[(N, V)]) -> String {
        let names = || fields.iter().map(|(name, _)| name.as_ref());
        if !self.names.iter().map(String::as_str).eq(names()) {
            self.names = names().map(str::to_owned).collect();
            self.order();
        }
        self.text.clear();
        for (at, member) in &self.members {
            self.text.push(if self.text.is_empty() { '{' } else { ',' });
            self.text.push_str(member);
            if let Some((_, value)) = fields.get(*at) {
                write_canonical_string(value.as_ref(), &mut self.text);
            }
        }
        self.text.push_str(if self.members.is_empty() { "{}" } else { "}" });
        sha256(self.text.as_bytes())
    }

    /// Orders the members: by UTF-16 code units (RFC 8785 section 3.2.3).
    fn order(&mut self) {
        let mut ordered: Vec<(usize, &String)> = self.names.iter().enumerate().collect();
        ordered.sort_by(|(_, a), (_, b)| a.encode_utf16().cmp(b.encode_utf16()));
        self.members = ordered.into_iter().map(|(at, name)| (at, format!("{}:", canonical_string(name)))).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::{FieldsDigester, fields_digest};
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

    #[test]
    fn records_with_other_names_are_digested_as_if_alone() {
        let mut digester = FieldsDigester::default();
        let records: [&[(&str, &str)]; 5] =
            [&[("b", "1"), ("a", "2")], &[("b", "3"), ("a", "")], &[("a", "1"), ("b", "2")], &[], &[("b", "1")]];
        for fields in records {
            let object: serde_json::Map<_, _> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
            assert_eq!(digester.digest(fields), sha256(canonical(&object.into()).unwrap().as_bytes()), "{fields:?}");
        }
    }
}

//! A row as JSON: in pages over HTTPS, and in NDJSON files.

use std::{fmt::Write as _, sync::Arc};

use super::Row;
use crate::domain::canonical::write_canonical_string;

/// Writes rows as objects, with their fields in their order. Most rows have the same names: they are escaped once for all of them.
#[derive(Debug, Default)]
pub(super) struct JsonRows {
    names: Vec<Arc<str>>,
    /// Each name as a member of the object, with what separates it from the one before.
    members: Vec<String>,
}

impl JsonRows {
    /// Appends a row with its record.
    pub(super) fn write_row(&mut self, row: &Row, out: &mut String) {
        out.push_str("{\"record_id\":");
        write_canonical_string(&row.record_id, out);
        // Writing to a String cannot fail.
        let _ = write!(out, ",\"version\":{},\"operation\":\"{}\",\"fields\":", row.version, row.operation);
        self.write_fields(row, out);
        out.push('}');
    }

    /// Appends the fields of a row alone.
    pub(super) fn write_fields(&mut self, row: &Row, out: &mut String) {
        if !row.has_names(&self.names) {
            self.names = row.fields.iter().map(|(name, _)| name.clone()).collect();
            self.members = self.names.iter().enumerate().map(member).collect();
        }
        for (member, (_, value)) in self.members.iter().zip(&row.fields) {
            out.push_str(member);
            // The escapes of canonical JSON are those of any: what must be escaped, and nothing else.
            write_canonical_string(value, out);
        }
        out.push_str(if row.fields.is_empty() { "{}" } else { "}" });
    }
}

fn member((at, name): (usize, &Arc<str>)) -> String {
    let mut text = if at == 0 { "{".to_owned() } else { ",".to_owned() };
    write_canonical_string(name, &mut text);
    text.push(':');
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::push::platform::Operation;

    proptest! {
        #[test]
        fn rows_are_the_json_of_their_values(
            rows in proptest::collection::vec(
                (".*", 1_i64..5, proptest::collection::vec(("[\\PC\"\\\\\n]{1,4}", ".*"), 0..4)), 1..4)
        ) {
            let mut writer = JsonRows::default();
            for (record_id, version, fields) in rows {
                let fields = fields.into_iter().map(|(name, value)| (name.into(), value)).collect();
                let row = Row { record_id, version, operation: Operation::Update, fields };
                let mut text = String::new();
                writer.write_row(&row, &mut text);
                let members = row.fields.iter().map(|(name, value)| format!("{}:{}", json!(**name), json!(value)));
                let fields = format!("{{{}}}", members.collect::<Vec<_>>().join(","));
                let expected = format!(
                    "{{\"record_id\":{},\"version\":{version},\"operation\":\"U\",\"fields\":{fields}}}", json!(row.record_id)
                );
                prop_assert_eq!(&text, &expected);
                prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
            }
        }
    }
}

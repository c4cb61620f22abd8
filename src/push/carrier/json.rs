//! A row as JSON: in pages over HTTPS, and in NDJSON files.

use serde::{Serialize, Serializer, ser::SerializeMap as _};

use super::Row;
use crate::push::platform::Operation;

/// Fields in their order, as an object.
#[derive(Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [(String, String)]);

impl Serialize for Fields<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            object.serialize_entry(name, value)?;
        }
        object.end()
    }
}

/// A row with its record, as an object.
#[derive(Debug, Serialize)]
pub(super) struct JsonRow<'a> {
    record_id: &'a str,
    version: i64,
    operation: Operation,
    fields: Fields<'a>,
}

impl<'a> From<&'a Row> for JsonRow<'a> {
    fn from(row: &'a Row) -> Self {
        let Row { record_id, version, operation, fields } = row;
        Self { record_id, version: *version, operation: *operation, fields: Fields(fields) }
    }
}

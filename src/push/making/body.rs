//! The body of a page in the store: field names once, then the rows.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::push::{carrier::Row, platform::Operation};

/// A row of a page: record, version, operation and the texts of its fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRow(pub String, pub i64, pub Operation, pub Vec<String>);

/// A page, as it is stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageBody {
    /// The receiver's names, in its order.
    pub names: Vec<String>,
    pub rows: Vec<StoredRow>,
}

impl PageBody {
    /// The rows as a carrier takes them.
    pub fn into_rows(self) -> Vec<Row> {
        let names: Vec<Arc<str>> = self.names.into_iter().map(Into::into).collect();
        let rows = self.rows.into_iter().map(|StoredRow(record_id, version, operation, values)| {
            let fields = names.iter().cloned().zip(values).collect();
            Row { record_id, version, operation, fields }
        });
        rows.collect()
    }

    /// The fields of a row, if the page has it.
    pub fn fields(&self, record_id: &str, version: i64) -> Option<Vec<(String, String)>> {
        let row = self.rows.iter().find(|row| row.0 == record_id && row.1 == version)?;
        Some(self.names.iter().cloned().zip(row.3.iter().cloned()).collect())
    }
}

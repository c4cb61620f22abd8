//! A page as rows of a table.

use std::{fmt::Write as _, sync::Arc};

use super::{
    super::{Delivery, Failed, FailureReason, FieldsDigester, PackageHead, Row},
    table::DatasetTable,
};
use crate::{
    domain::Timestamp,
    push::{platform::ExchangeSettings, sha256},
    store::exchange::{Batch, BatchColumn, ColumnValues, Found, Identifier, RowsBefore, Table},
};

/// The beginning of the names of a package's batches. An id has no colon, so that none is the beginning of another's.
pub(super) fn batch_prefix(package: &PackageHead) -> String {
    format!("{}:{:010}:", package.platform, package.number)
}

/// A page, with the values that its columns refer to.
pub(super) struct PageBatch<'a> {
    settings: &'a ExchangeSettings,
    table: &'a DatasetTable,
    rows: &'a [Row],
    pub(super) name: String,
    pub(super) digest: String,
    inserted_at: String,
    /// How the batch is found again.
    before: (Table<'a>, Vec<(&'a Identifier, String)>, Option<&'a Identifier>),
}

/// A page as a batch. Refused where a row has a field that the table lacks.
pub(super) fn page_batch<'a>(
    settings: &'a ExchangeSettings,
    table: &'a DatasetTable,
    of: &Delivery<'a>,
    now: Timestamp,
) -> Result<PageBatch<'a>, Failed> {
    let mut known: Vec<Arc<str>> = Vec::new();
    for row in of.rows {
        // Almost always the names of the row before.
        if row.has_names(&known) {
            continue;
        }
        known = row.fields.iter().map(|(name, _)| name.clone()).collect();
        let unknown = row.fields.iter().find(|(name, _)| !table.fields.iter().any(|column| column.as_str() == &**name));
        if let Some((name, _)) = unknown {
            let why = format!("record {} has the field {name:?}, which has no column", row.record_id);
            return Err(Failed::permanent(FailureReason::Field, why));
        }
    }
    let name = format!("{}{:06}", batch_prefix(of.package), of.page);
    let before = match (&settings.control, &settings.columns.batch) {
        (Some(control), _) => {
            let conditions = vec![(&control.data_table, table.table.to_string()), (&control.batch, name.clone())];
            (Table { schema: settings.schema.as_ref(), name: &control.table }, conditions, Some(&control.digest))
        }
        (None, Some(batch)) => (table.table(settings), vec![(batch, name.clone())], None),
        (None, None) => {
            let why = "a page that is delivered twice could not be recognised: give [carrier.exchange.control], or the column \
                       `batch` in [carrier.exchange.columns]";
            return Err(Failed::permanent(FailureReason::Unsupported, why));
        }
    };
    let (digest, inserted_at) = (digest(of.rows), now.city_time());
    Ok(PageBatch { settings, table, rows: of.rows, name, digest, inserted_at, before })
}

/// The digest of a page: SHA-256 over a line for each row, with its record, version, operation and digest between tabs.
fn digest(rows: &[Row]) -> String {
    let (mut lines, mut digester) = (String::new(), FieldsDigester::default());
    for row in rows {
        let digest = digester.digest(&row.fields);
        // Writing to a String cannot fail.
        let _ = writeln!(lines, "{}\t{}\t{}\t{digest}", row.record_id, row.version, row.operation);
    }
    sha256(lines.as_bytes())
}

impl PageBatch<'_> {
    /// The batch.
    pub(super) fn batch(&self) -> Batch<'_> {
        let (table, conditions, digest) = &self.before;
        Batch {
            name: &self.name,
            before: RowsBefore {
                table: *table,
                conditions: conditions.iter().map(|(column, value)| (*column, value.as_str())).collect(),
                digest: *digest,
            },
            table: self.table.table(self.settings),
            rows: self.rows.len(),
            columns: self.columns(),
            control: self.control(),
        }
    }

    fn columns(&self) -> Vec<BatchColumn<'_>> {
        let columns = &self.settings.columns;
        let texts =
            |value: fn(&Row) -> &str| ColumnValues::Texts(self.rows.iter().map(|row| Some(value(row))).collect());
        let versions = || ColumnValues::Numbers(self.rows.iter().map(|row| row.version).collect());
        let own = [
            (Some(&columns.record_id), texts(|row| &row.record_id)),
            (Some(&columns.operation), texts(|row| row.operation.as_str())),
            (columns.version.as_ref(), versions()),
            (columns.batch.as_ref(), ColumnValues::Text(&self.name)),
            (Some(&columns.switch), ColumnValues::Number(0)),
            (Some(&columns.inserted_at), ColumnValues::Time(&self.inserted_at)),
            (
                columns.source_department.as_ref(),
                ColumnValues::Text(self.settings.source_department.as_deref().unwrap_or_default()),
            ),
            (columns.test_flag.as_ref(), ColumnValues::Number(i64::from(self.settings.test))),
        ];
        let own = own.into_iter().filter_map(|(name, values)| Some(BatchColumn { name: name?, values }));
        let fields = self.table.fields.iter().enumerate().map(|(at, name)| {
            let values = self.rows.iter().map(|row| field(row, at, name)).collect();
            BatchColumn { name, values: ColumnValues::Texts(values) }
        });
        own.chain(fields).collect()
    }

    fn control(&self) -> Option<(Table<'_>, Vec<BatchColumn<'_>>)> {
        let control = self.settings.control.as_ref()?;
        let columns = [
            (&control.data_table, ColumnValues::Text(self.table.table.as_str())),
            (&control.batch, ColumnValues::Text(&self.name)),
            (&control.rows, ColumnValues::Number(i64::try_from(self.rows.len()).unwrap_or(i64::MAX))),
            (&control.digest, ColumnValues::Text(&self.digest)),
            (&control.inserted_at, ColumnValues::Time(&self.inserted_at)),
        ];
        let columns = columns.map(|(name, values)| BatchColumn { name, values });
        Some((Table { schema: self.settings.schema.as_ref(), name: &control.table }, columns.into()))
    }

    /// Refuses a batch that was there before with other rows.
    pub(super) fn check_found(&self, found: &Found) -> Result<(), Failed> {
        let is_same = match &found.digest {
            _ if found.rows == 0 => true,
            Some(digest) => *digest == self.digest,
            None => usize::try_from(found.rows) == Ok(self.rows.len()),
        };
        if is_same {
            return Ok(());
        }
        let why = format!(
            "the batch {} was delivered before with other rows: a package never changes, so make a new one",
            self.name
        );
        Err(Failed::permanent(FailureReason::Conflict, why))
    }
}

/// The value of a field; an empty one is absent.
fn field<'a>(row: &'a Row, at: usize, column: &Identifier) -> Option<&'a str> {
    // The fields of a row are those of the table, in their order: the search is for rows that lack some.
    let in_order = row.fields.get(at).filter(|(name, _)| &**name == column.as_str());
    let found = in_order.or_else(|| row.fields.iter().find(|(name, _)| &**name == column.as_str()));
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

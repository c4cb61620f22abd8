//! The columns of the rows that a statement takes, each with the name by which the statement reads it.

use sqlx::{Arguments as _, postgres::PgArguments, sqlite::SqliteArguments};

pub(super) type Encoded<T> = Result<T, sqlx::error::BoxDynError>;

/// A named column: one value for each row.
#[derive(Debug, Clone)]
pub struct Column {
    pub(super) name: &'static str,
    pub(super) values: Values,
}

/// The values of a column by their type.
#[derive(Debug, Clone)]
pub(super) enum Values {
    Text(Vec<String>),
    TextOpt(Vec<Option<String>>),
    Int(Vec<i64>),
    IntOpt(Vec<Option<i64>>),
    Bytes(Vec<Vec<u8>>),
}

/// A statement with the rows it runs over.
#[derive(Debug, Clone)]
pub struct RowStatement {
    /// The statement, with `bound_rows` or `row_list` in the place of the rows.
    pub sql: &'static str,
    /// The rows, column by column; all columns have the same length.
    pub columns: Vec<Column>,
}

/// How many rows columns hold.
pub(super) fn row_count(columns: &[Column]) -> usize {
    columns.first().map_or(0, Column::len)
}

impl Column {
    /// A column of TEXT.
    pub const fn text(name: &'static str, values: Vec<String>) -> Self {
        Self { name, values: Values::Text(values) }
    }

    /// A column of TEXT or null.
    pub const fn text_opt(name: &'static str, values: Vec<Option<String>>) -> Self {
        Self { name, values: Values::TextOpt(values) }
    }

    /// A column of BIGINT.
    pub const fn int(name: &'static str, values: Vec<i64>) -> Self {
        Self { name, values: Values::Int(values) }
    }

    /// A column of BIGINT or null.
    pub const fn int_opt(name: &'static str, values: Vec<Option<i64>>) -> Self {
        Self { name, values: Values::IntOpt(values) }
    }

    /// A column of BLOB or BYTEA.
    pub const fn bytes(name: &'static str, values: Vec<Vec<u8>>) -> Self {
        Self { name, values: Values::Bytes(values) }
    }

    pub(super) const fn len(&self) -> usize {
        match &self.values {
            Values::Text(values) => values.len(),
            Values::TextOpt(values) => values.len(),
            Values::Int(values) => values.len(),
            Values::IntOpt(values) => values.len(),
            Values::Bytes(values) => values.len(),
        }
    }

    /// The type of the PostgreSQL array that holds the column.
    pub(super) const fn array_type(&self) -> &'static str {
        match self.values {
            Values::Text(_) | Values::TextOpt(_) => "text[]",
            Values::Int(_) | Values::IntOpt(_) => "bigint[]",
            Values::Bytes(_) => "bytea[]",
        }
    }

    /// Moves the value of a row into the arguments; a row beyond the last is null.
    pub(super) fn take(&mut self, row: usize, out: &mut SqliteArguments) -> Encoded<()> {
        // Taken and not cloned: entries are long, and each is bound once.
        match &mut self.values {
            Values::Text(values) => out.add(values.get_mut(row).map(std::mem::take)),
            Values::TextOpt(values) => out.add(values.get_mut(row).and_then(Option::take)),
            Values::Int(values) => out.add(values.get(row).copied()),
            Values::IntOpt(values) => out.add(values.get(row).copied().flatten()),
            Values::Bytes(values) => out.add(values.get_mut(row).map(std::mem::take)),
        }
    }

    /// Adds the whole column to the arguments as one array.
    pub(super) fn add_array(self, out: &mut PgArguments) -> Encoded<()> {
        match self.values {
            Values::Text(values) => out.add(values),
            Values::TextOpt(values) => out.add(values),
            Values::Int(values) => out.add(values),
            Values::IntOpt(values) => out.add(values),
            Values::Bytes(values) => out.add(values),
        }
    }
}

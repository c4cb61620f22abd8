//! The statements of both engines. Their texts consist of checked names and of constants; every value is a parameter.

use std::fmt::Write as _;

use super::identifier::{Engine, Identifier};

/// A table.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    /// The schema, or in MariaDB the database, where it is not the connection's own.
    pub schema: Option<&'a Identifier>,
    pub name: &'a Identifier,
}

/// The values of a column.
#[derive(Debug, Clone)]
pub enum ColumnValues<'a> {
    /// A text for each row; none is NULL.
    Texts(Vec<Option<&'a str>>),
    /// A number for each row.
    Numbers(Vec<i64>),
    /// The same text in every row.
    Text(&'a str),
    /// The same number in every row.
    Number(i64),
    /// The same time in every row, `2026-07-31 08:00:00`.
    Time(&'a str),
}

/// A column to write.
#[derive(Debug, Clone)]
pub struct BatchColumn<'a> {
    pub name: &'a Identifier,
    pub values: ColumnValues<'a>,
}

/// How a batch that was written before is found: the rows of a table with its name.
#[derive(Debug, Clone)]
pub struct RowsBefore<'a> {
    pub table: Table<'a>,
    /// Columns that have these texts.
    pub conditions: Vec<(&'a Identifier, &'a str)>,
    /// A column of which the first text is returned.
    pub digest: Option<&'a Identifier>,
}

/// Rows that are written in one transaction.
#[derive(Debug, Clone)]
pub struct Batch<'a> {
    /// A name that no other batch of the database has.
    pub name: &'a str,
    pub before: RowsBefore<'a>,
    pub table: Table<'a>,
    /// The number of rows.
    pub rows: usize,
    pub columns: Vec<BatchColumn<'a>>,
    /// A row that is written last; its columns have the same value in every row.
    pub control: Option<(Table<'a>, Vec<BatchColumn<'a>>)>,
}

/// What was there of a batch before it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The number of rows: 0 if the batch was written now.
    pub rows: i64,
    /// [`RowsBefore::digest`].
    pub digest: Option<String>,
}

/// A condition of rows to read.
#[derive(Debug, Clone, Copy)]
pub enum Condition<'a> {
    /// The column is later in the table's order than a text.
    After(&'a Identifier, &'a str),
    /// The column begins with a text, which has no `%`, `_` and `\`.
    BeginsWith(&'a Identifier, &'a str),
}

/// Rows to read.
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    pub table: Table<'a>,
    pub columns: Vec<&'a Identifier>,
    pub conditions: Vec<Condition<'a>>,
    pub order: Vec<&'a Identifier>,
    pub limit: u32,
}

impl Engine {
    /// A name in quotes. It has none itself.
    fn quoted(self, name: &Identifier) -> String {
        match self {
            Self::Postgres => format!("\"{name}\""),
            Self::Mariadb => format!("`{name}`"),
        }
    }

    fn table(self, table: Table<'_>) -> String {
        let name = self.quoted(table.name);
        table.schema.map_or_else(|| name.clone(), |schema| format!("{}.{name}", self.quoted(schema)))
    }

    /// The parameter of a number, from 1.
    fn parameter(self, number: usize) -> String {
        match self {
            Self::Postgres => format!("${number}"),
            Self::Mariadb => "?".to_owned(),
        }
    }

    fn as_text(self, column: &Identifier) -> String {
        let kind = match self {
            Self::Postgres => "text",
            Self::Mariadb => "char",
        };
        format!("CAST({} AS {kind})", self.quoted(column))
    }

    /// The beginning of an INSERT.
    pub(super) fn insert_into(self, table: Table<'_>, columns: &[BatchColumn<'_>]) -> String {
        let names: Vec<String> = columns.iter().map(|column| self.quoted(column.name)).collect();
        format!("/* exchange::write */ INSERT INTO {} ({})", self.table(table), names.join(", "))
    }

    /// The statement that looks for a batch: the number of rows, and the digest.
    pub(super) fn find_batch(self, before: &RowsBefore<'_>) -> String {
        let digest = before.digest.map_or("NULL".to_owned(), |column| format!("MIN({})", self.as_text(column)));
        let mut text =
            format!("/* exchange::find */ SELECT COUNT(*), {digest} FROM {} WHERE 1 = 1", self.table(before.table));
        for (at, (column, _)) in before.conditions.iter().enumerate() {
            // Writing to a String cannot fail.
            let _ = write!(text, " AND {} = {}", self.quoted(column), self.parameter(at + 1));
        }
        text
    }

    /// The statement that reads rows.
    pub(super) fn select(self, rows: &Rows<'_>) -> String {
        let columns: Vec<String> = rows.columns.iter().map(|column| self.as_text(column)).collect();
        let mut text =
            format!("/* exchange::read */ SELECT {} FROM {} WHERE 1 = 1", columns.join(", "), self.table(rows.table));
        for (at, condition) in rows.conditions.iter().enumerate() {
            let parameter = self.parameter(at + 1);
            let _ = match condition {
                Condition::After(column, _) => write!(text, " AND {} > {parameter}", self.quoted(column)),
                Condition::BeginsWith(column, _) => write!(text, " AND {} LIKE {parameter}", self.quoted(column)),
            };
        }
        let order: Vec<String> = rows.order.iter().map(|column| self.quoted(column)).collect();
        let _ = write!(text, " ORDER BY {} LIMIT {}", order.join(", "), rows.limit);
        text
    }
}

impl Condition<'_> {
    /// The value of the parameter.
    pub(super) fn value(&self) -> String {
        match self {
            Self::After(_, text) => (*text).to_owned(),
            Self::BeginsWith(_, text) => format!("{text}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_values_are_parameters() {
        let names = ["front", "t", "batch", "digest"].map(|name| name.parse::<Identifier>().unwrap());
        let [schema, name, batch, digest] = &names;
        let table = Table { schema: Some(schema), name };
        let before = RowsBefore { table, conditions: vec![(batch, "b")], digest: Some(digest) };
        assert_eq!(
            Engine::Postgres.find_batch(&before),
            "/* exchange::find */ SELECT COUNT(*), MIN(CAST(\"digest\" AS text)) FROM \"front\".\"t\" WHERE 1 = 1 AND \"batch\" = $1"
        );
        let rows = Rows {
            table: Table { schema: None, name },
            columns: vec![batch],
            conditions: vec![Condition::After(digest, "x"), Condition::BeginsWith(batch, "a:")],
            order: vec![digest, batch],
            limit: 7,
        };
        assert_eq!(
            Engine::Mariadb.select(&rows),
            "/* exchange::read */ SELECT CAST(`batch` AS char) FROM `t` WHERE 1 = 1 AND `digest` > ? AND `batch` LIKE ? \
             ORDER BY `digest`, `batch` LIMIT 7"
        );
        assert_eq!(rows.conditions[1].value(), "a:%");
        for bad in ["", "a\"b", "a`b", "a b", "a;b", "主", &"a".repeat(64)] {
            assert!(bad.parse::<Identifier>().is_err(), "{bad}");
        }
    }
}

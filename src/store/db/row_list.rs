//! Many short values in one statement, however many they are.
//!
//! `row_list` in a statement is a set of rows named `bound`, with the names of its [`Column`]s; of `short_row_list`
//! PostgreSQL must assume that it holds a few rows, and not as many as there are. On PostgreSQL each column is an array. On
//! SQLite all of them are one JSON parameter: bound value by value (`rows.rs`) they would be a statement for every few
//! dozen.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::{
    Arg, EngineTx, Tx,
    column::{Column, Values, row_count},
    rows::{arrays, as_arrays},
    sqlite_args,
};
use crate::store::DbError;

impl Column {
    /// The value of a row as JSON.
    fn json(&self, row: usize) -> Value {
        match &self.values {
            Values::Text(values) => values.get(row).cloned().into(),
            Values::TextOpt(values) => values.get(row).cloned().flatten().into(),
            Values::Int(values) => values.get(row).copied().into(),
            Values::IntOpt(values) => values.get(row).copied().flatten().into(),
            // JSON has no bytes: hex here, and `unhex` in the statement.
            Values::Bytes(values) => values.get(row).map(|bytes| HEXLOWER.encode(bytes)).into(),
        }
    }
}

/// A statement with its rows as one JSON parameter, and that parameter.
fn as_json(sql: &str, columns: &[Column]) -> (AssertSqlSafe<String>, Arg) {
    let mut rows = String::from("(SELECT ");
    for (at, column) in columns.iter().enumerate() {
        let separator = if at == 0 { "" } else { ", " };
        // Writing to a String cannot fail.
        let _ = match column.values {
            Values::Bytes(_) => write!(rows, "{separator}unhex(value->>{at}) AS {}", column.name),
            _ => write!(rows, "{separator}value->>{at} AS {}", column.name),
        };
    }
    rows.push_str(" FROM jsonb_each($1)) AS bound");
    let row = |row| columns.iter().map(|column| column.json(row)).collect::<Value>();
    let values: Value = (0..row_count(columns)).map(row).collect();
    // The longer placeholder first: it contains the other.
    let text = sql.replace("short_row_list", &rows).replace("row_list", &rows);
    (AssertSqlSafe(text), Arg::Text(values.to_string()))
}

/// A statement with its rows as arrays. PostgreSQL's planner assumes ten rows of an array whose length it does not know:
/// each is then looked up by its key.
fn as_row_arrays(sql: &str, columns: &[Column]) -> AssertSqlSafe<String> {
    let (array_type, name) = columns.first().map_or(("text[]", "id"), |first| (first.array_type(), first.name));
    let short = format!("UNNEST(ARRAY(SELECT UNNEST($1::{array_type}))) AS bound({name})");
    as_arrays(&sql.replace("short_row_list", &short).replace("row_list", "bound_rows"), 0, columns)
}

impl Tx {
    /// Runs a statement over a list of rows and returns how many rows it changed.
    pub async fn execute_row_list(&mut self, sql: &'static str, columns: Vec<Column>) -> Result<u64, DbError> {
        let deadline = self.enter(sql).await?;
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    let (text, rows) = as_json(sql, &columns);
                    let bound = sqlite_args(vec![rows]).map_err(sqlx::Error::Encode)?;
                    let done = sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await;
                    done.map(|done| done.rows_affected())
                }
                EngineTx::Postgres(tx) => {
                    let text = as_row_arrays(sql, &columns);
                    let bound = arrays(Vec::new(), columns).map_err(sqlx::Error::Encode)?;
                    let done = sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await;
                    done.map(|done| done.rows_affected())
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }
}

#[cfg(test)]
mod tests {
    use super::{Arg, Column, as_json, as_row_arrays};

    fn columns() -> [Column; 3] {
        [
            Column::int("number", vec![1, 2]),
            Column::text("word", vec!["a".into(), "b\"".into()]),
            Column::bytes("hash", vec![vec![0xff], vec![]]),
        ]
    }

    #[test]
    fn on_sqlite_rows_are_one_json_text() {
        let (text, rows) = as_json("INSERT INTO t SELECT word, hash FROM row_list", &columns());
        assert_eq!(
            text.0,
            "INSERT INTO t SELECT word, hash FROM (SELECT value->>0 AS number, value->>1 AS word, \
             unhex(value->>2) AS hash FROM jsonb_each($1)) AS bound"
        );
        let Arg::Text(rows) = rows else { panic!("{rows:?}") };
        assert_eq!(rows, r#"[[1,"a","ff"],[2,"b\"",""]]"#);
    }

    #[test]
    fn on_postgresql_columns_are_arrays() {
        let text = as_row_arrays("INSERT INTO t SELECT number FROM row_list", &columns());
        let arrays = "UNNEST($1::bigint[],$2::text[],$3::bytea[]) AS bound(number,word,hash)";
        assert_eq!(text.0, format!("INSERT INTO t SELECT number FROM {arrays}"));
        let ids = [Column::text("id", vec![])];
        let text = as_row_arrays("DELETE FROM t WHERE a IN (SELECT bound.id FROM short_row_list)", &ids);
        assert_eq!(
            text.0,
            "DELETE FROM t WHERE a IN (SELECT bound.id FROM UNNEST(ARRAY(SELECT UNNEST($1::text[]))) AS bound(id))"
        );
    }
}

//! Many short values in one statement, however many they are.
//!
//! `listed_rows` in a statement is a set of rows with columns `column1`, `column2` and so on, and `listed_few` one of which
//! PostgreSQL must plan for a few and not for as many as there are. On PostgreSQL each column is an array. On SQLite all of
//! them are one JSON parameter: bound value by value (`rows.rs`) they would be a statement for every few dozen.

use std::fmt::Write;

use data_encoding::HEXLOWER;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Postgres, Sqlite};

use super::{
    Arg, Begun, Column, Tx,
    rows::{arrays, as_arrays},
    sqlite_args,
};
use crate::store::DbError;

impl Column {
    /// The value of a row as JSON.
    fn json(&self, row: usize) -> Value {
        match self {
            Self::Text(values) => values.get(row).cloned().into(),
            Self::TextOpt(values) => values.get(row).cloned().flatten().into(),
            Self::Int(values) => values.get(row).copied().into(),
            Self::IntOpt(values) => values.get(row).copied().flatten().into(),
            Self::Bytes(values) => values.get(row).map(|bytes| HEXLOWER.encode(bytes)).into(),
        }
    }
}

/// A statement with its rows as one JSON parameter, and that parameter.
fn as_json(sql: &str, columns: &[Column]) -> (AssertSqlSafe<String>, Arg) {
    let mut rows = String::from("(SELECT ");
    for (at, column) in columns.iter().enumerate() {
        let begins = if at == 0 { "" } else { ", " };
        let _ = match column {
            Column::Bytes(_) => write!(rows, "{begins}unhex(value->>{at}) AS column{}", at + 1),
            _ => write!(rows, "{begins}value->>{at} AS column{}", at + 1),
        };
    }
    rows.push_str(" FROM jsonb_each($1))");
    let count = columns.first().map_or(0, Column::len);
    let row = |row| columns.iter().map(|column| column.json(row)).collect::<Value>();
    let values: Value = (0..count).map(row).collect();
    let text = sql.replace("listed_rows", &rows).replace("listed_few", &rows);
    (AssertSqlSafe(text), Arg::Text(values.to_string()))
}

/// A statement with its rows as arrays. The planner takes an array it does not know yet for ten rows: each is then looked up
/// by its key.
fn as_lists(sql: &str, columns: &[Column]) -> AssertSqlSafe<String> {
    let first = columns.first().map_or("text[]", Column::array);
    let few = format!("UNNEST(ARRAY(SELECT UNNEST($1::{first}))) AS listed(column1)");
    as_arrays(&sql.replace("listed_few", &few).replace("listed_rows", "bound_rows"), 0, columns)
}

impl Tx {
    /// Runs a statement over listed rows and tells how many it changed.
    pub async fn execute_listed(&mut self, sql: &'static str, columns: Vec<Column>) -> Result<u64, DbError> {
        self.turns.next(sql).await;
        let failed = |error| DbError::of(self.operation, error);
        match &mut self.begun {
            Begun::Sqlite(tx) => {
                let (text, rows) = as_json(sql, &columns);
                let bound = sqlite_args(vec![rows]).map_err(sqlx::Error::Encode).map_err(failed)?;
                let done = sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await;
                done.map(|done| done.rows_affected()).map_err(failed)
            }
            Begun::Postgres(tx) => {
                let text = as_lists(sql, &columns);
                let bound = arrays(Vec::new(), columns).map_err(sqlx::Error::Encode).map_err(failed)?;
                let done = sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await;
                done.map(|done| done.rows_affected()).map_err(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Arg, Column, as_json, as_lists};

    fn columns() -> [Column; 3] {
        [Column::Int(vec![1, 2]), Column::Text(vec!["a".into(), "b\"".into()]), Column::Bytes(vec![vec![0xff], vec![]])]
    }

    #[test]
    fn on_sqlite_rows_are_one_json_text() {
        let (text, rows) = as_json("INSERT INTO t SELECT column2, column3 FROM listed_rows", &columns());
        assert_eq!(
            text.0,
            "INSERT INTO t SELECT column2, column3 FROM (SELECT value->>0 AS column1, value->>1 AS column2, \
             unhex(value->>2) AS column3 FROM jsonb_each($1))"
        );
        let Arg::Text(rows) = rows else { panic!("{rows:?}") };
        assert_eq!(rows, r#"[[1,"a","ff"],[2,"b\"",""]]"#);
    }

    #[test]
    fn on_postgresql_columns_are_arrays() {
        let text = as_lists("INSERT INTO t SELECT column1 FROM listed_rows", &columns());
        let arrays = "UNNEST($1::bigint[],$2::text[],$3::bytea[]) AS bound(column1,column2,column3)";
        assert_eq!(text.0, format!("INSERT INTO t SELECT column1 FROM {arrays}"));
        let text = as_lists("DELETE FROM t WHERE a IN (SELECT column1 FROM listed_few)", &[Column::Text(vec![])]);
        assert_eq!(
            text.0,
            "DELETE FROM t WHERE a IN (SELECT column1 FROM UNNEST(ARRAY(SELECT UNNEST($1::text[]))) AS listed(column1))"
        );
    }
}

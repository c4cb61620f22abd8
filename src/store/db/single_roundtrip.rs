//! A whole transaction in one turn of the engine: of PostgreSQL's server, or of the thread that SQLite's writer lives on.
//!
//! Every turn wakes whoever works and whoever waits for it: with beginning, comparing, inserting and committing apart, a
//! small batch waits longer for turns than for the engine. On PostgreSQL a function does all of it. On SQLite the text of one
//! query does: what is compared is noted in a table of the connection's own, and the insertions ask it whether they are to
//! insert.

use sqlx::{AssertSqlSafe, Database, Postgres, Sqlite, pool::PoolConnection, sqlite::SqliteArguments};

use super::{
    Arg, Column, Db, Pools, Record, record,
    rows::{PART, add_rows, arrays, as_values, filled},
};
use crate::store::DbError;

/// What the writer's connection is opened with: where a comparison is noted. It is a few pages, and in memory without asking
/// for that: asked for, everything temporary would be, the copy that compacting makes of the whole file too.
pub(super) const NOTES: &str = "CREATE TEMP TABLE found (position)";

const FORGET: &str = "DELETE FROM temp.found";
const NOTE: &str = "INSERT INTO temp.found ";
const UNLESS: &str = " WHERE NOT EXISTS (SELECT 1 FROM temp.found)";
const TELL: &str = "SELECT COUNT(*) AS found FROM temp.found";

record! {
    struct FoundRow {
        found: i64,
    }
}

/// A connection for one turn. Whoever stops waiting leaves it to nobody: the next one would be within the same transaction,
/// or wait for the same answer first.
struct Lent<D: Database> {
    connection: PoolConnection<D>,
    whole: bool,
}

impl<D: Database> Drop for Lent<D> {
    fn drop(&mut self) {
        if !self.whole {
            self.connection.close_on_drop();
        }
    }
}

/// The text of such a transaction with its values: statements over bound rows, one after the other, in parts.
#[derive(Default)]
struct Script {
    text: String,
    bound: SqliteArguments,
}

impl Script {
    fn add(&mut self, statement: &str) {
        self.text.push_str(statement);
        self.text.push_str("; ");
    }

    /// Each part filled up to a length.
    fn add_rows(
        &mut self,
        sql: &str,
        mut columns: Vec<Column>,
        filled: fn(usize) -> usize,
    ) -> Result<(), sqlx::error::BoxDynError> {
        let rows = rows_of(&columns);
        for from in (0..rows).step_by(PART) {
            let length = filled((rows - from).min(PART));
            let AssertSqlSafe(statement) = as_values(sql, 0, columns.len(), length);
            self.add(&statement);
            add_rows(&mut self.bound, &mut columns, (from, length))?;
        }
        Ok(())
    }
}

const fn rows_of(columns: &[Column]) -> usize {
    match columns.first() {
        Some(column) => column.len(),
        None => 0,
    }
}

/// Whether there are so few rows that few texts do for all transactions: each number of rows has one of its own, which stays
/// prepared. With more of them the turns weigh little, too.
fn is_short(unless: &[Column], insertions: &[(&str, Vec<Column>)]) -> bool {
    rows_of(unless) <= 2 * PART && insertions.iter().all(|(_, columns)| rows_of(columns) <= PART)
}

/// The transaction: insertions, unless a comparison yields a row.
fn script(
    unless: (&str, Vec<Column>),
    insertions: Vec<(&str, Vec<Column>)>,
) -> Result<Script, sqlx::error::BoxDynError> {
    let mut script = Script::default();
    script.add("BEGIN IMMEDIATE");
    script.add(FORGET);
    // Of more rows than are inserted, and not always of as many more: fewer lengths keep the texts few.
    script.add_rows(
        &format!("{NOTE}{}", unless.0),
        unless.1,
        |rows| if rows <= 8 { 8 } else { rows.next_multiple_of(16) },
    )?;
    for (sql, columns) in insertions {
        script.add_rows(&format!("{sql}{UNLESS}"), columns, filled)?;
    }
    script.add("COMMIT");
    script.text.push_str(TELL);
    Ok(script)
}

impl Db {
    /// Runs one statement as a transaction of its own, in one turn of the server: a function that takes columns as arrays,
    /// after `args`. On return of `Ok` what it did is durable; on [`DbError::CommitUnknown`] nobody knows. PostgreSQL only.
    pub async fn change_at_once<R: Record>(
        &self,
        operation: &'static str,
        sql: &'static str,
        args: Vec<Arg>,
        columns: Vec<Column>,
    ) -> Result<Vec<R>, DbError> {
        self.1.next(sql).await;
        let Pools::Postgres { appends, .. } = &*self.0 else {
            return Err(DbError::Setup(format!("{operation}: a function of PostgreSQL's, on another engine")));
        };
        let failed = |error| DbError::of(operation, error);
        let bound = arrays(args, columns).map_err(sqlx::Error::Encode).map_err(failed)?;
        let mut lent = Lent { connection: appends.acquire().await.map_err(failed)?, whole: false };
        // Rows come before the commit, its failure behind them: all that the server says is read.
        let rows = sqlx::query_as_with::<Postgres, R, _>(sql, bound).fetch_all(&mut *lent.connection).await;
        lent.whole = true;
        let rows = rows.map_err(|source| DbError::of_commit(operation, source))?;
        metrics::counter!("medcredit_store_commits_total", "operation" => operation).increment(1);
        Ok(rows)
    }

    /// Inserts rows in a transaction of their own, unless a comparison over rows yields any, or there are too many of them
    /// for one turn: then nothing is inserted, and the answer is no. On return of `Ok` they are durable; on
    /// [`DbError::CommitUnknown`] nobody knows. SQLite only.
    pub async fn insert_unless(
        &self,
        operation: &'static str,
        unless: (&'static str, Vec<Column>),
        insertions: Vec<(&'static str, Vec<Column>)>,
    ) -> Result<bool, DbError> {
        if !is_short(&unless.1, &insertions) {
            return Ok(false);
        }
        self.1.next(unless.0).await;
        let Pools::Sqlite { core, .. } = &*self.0 else {
            return Err(DbError::Setup(format!("{operation}: a script of SQLite's, on another engine")));
        };
        let failed = |error| DbError::of(operation, error);
        let Script { text, bound } = script(unless, insertions).map_err(sqlx::Error::Encode).map_err(failed)?;
        let mut lent = Lent { connection: core.acquire().await.map_err(failed)?, whole: false };
        let query = sqlx::query_as_with::<Sqlite, FoundRow, _>(AssertSqlSafe(text), bound);
        let found = query.fetch_all(&mut *lent.connection).await;
        // A connection that failed on the way is closed, and what it had begun with it.
        let found = found.map_err(|source| DbError::of_commit(operation, source))?;
        let [FoundRow { found }] = found.as_slice() else {
            return Err(DbError::CommitUnknown { operation, source: sqlx::Error::RowNotFound });
        };
        lent.whole = true;
        if *found > 0 {
            return Ok(false);
        }
        metrics::counter!("medcredit_store_commits_total", "operation" => operation).increment(1);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use sqlx::Arguments as _;

    use super::{Column, Script, is_short, script};

    #[test]
    fn all_of_a_transaction_is_one_text() {
        let numbers = |count: i64| vec![Column::Int((0..count).collect())];
        let made = script(
            ("SELECT column1 FROM bound_rows", numbers(1)),
            vec![("INSERT INTO t SELECT column1 FROM bound_rows", numbers(65))],
        );
        let Script { text, bound } = made.unwrap();
        assert_eq!(text.matches('?').count(), bound.len());
        let statements: Vec<_> = text.split("; ").collect();
        assert_eq!(statements.len(), 7, "a part of 64 and one of 1: {text}");
        assert_eq!(statements[0], "BEGIN IMMEDIATE");
        assert_eq!(
            statements[2],
            format!(
                "INSERT OR FAIL INTO temp.found SELECT column1 FROM \
                 (SELECT * FROM (VALUES {}) WHERE column1 IS NOT NULL)",
                ["(?)"; 8].join(",")
            )
        );
        assert_eq!(
            statements[4],
            "INSERT OR FAIL INTO t SELECT column1 FROM (SELECT * FROM (VALUES (?)) WHERE column1 IS NOT NULL) \
             WHERE NOT EXISTS (SELECT 1 FROM temp.found)"
        );
        assert_eq!(statements[5..], ["COMMIT", "SELECT COUNT(*) AS found FROM temp.found"]);
    }

    #[test]
    fn long_transactions_have_no_text_of_their_own() {
        let numbers = |count: i64| vec![Column::Int((0..count).collect())];
        let short = |compared, inserted| is_short(&numbers(compared), &[("", numbers(inserted))]);
        assert!(short(128, 64));
        assert!(!short(129, 64) && !short(64, 65));
    }
}

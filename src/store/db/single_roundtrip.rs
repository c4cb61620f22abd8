//! A whole transaction in one round trip to the engine: to PostgreSQL's server, or to the thread that owns SQLite's writer.
//!
//! Every round trip wakes the engine and then its caller: with begin, comparison, insertion and commit as separate calls, a
//! small batch waits longer for round trips than for the engine. On PostgreSQL a function does all of it. On SQLite one
//! text of several statements does: the comparison writes what it finds into a temporary table of the connection, and each
//! insertion inserts only when that table is empty.

use sqlx::{AssertSqlSafe, Postgres, Sqlite, sqlite::SqliteArguments};

use super::{
    Arg, Db, Pools, Record,
    column::{Column, Encoded, RowStatement, row_count},
    record,
    rows::{CHUNK, add_rows, arrays, as_values, padded},
    tx::acquire_sqlite,
};
use crate::store::DbError;

/// Run when the writer's connection is opened: the table for what a comparison finds. It is a few pages, which SQLite keeps
/// in memory by itself. `temp_store = MEMORY` would keep all temporary data there, also the copy of the whole file that
/// compacting makes.
pub(super) const CREATE_FOUND: &str = "CREATE TEMP TABLE found (position)";

const CLEAR_FOUND: &str = "DELETE FROM temp.found";
const INTO_FOUND: &str = "INSERT INTO temp.found ";
const UNLESS_FOUND: &str = " WHERE NOT EXISTS (SELECT 1 FROM temp.found)";
const ON_CONFLICT: &str = " ON CONFLICT ";
const COUNT_FOUND: &str = "SELECT COUNT(*) AS found FROM temp.found";

record! {
    struct FoundRow {
        found: i64,
    }
}

/// The text of such a transaction with its values: statements over bound rows, one after the other, in chunks.
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

    /// Adds a statement for each chunk of rows, padded to the length that `padded` gives.
    fn add_rows(&mut self, sql: &str, mut columns: Vec<Column>, padded: fn(usize) -> usize) -> Encoded<()> {
        let rows = row_count(&columns);
        for from in (0..rows).step_by(CHUNK) {
            let length = padded((rows - from).min(CHUNK));
            let AssertSqlSafe(statement) = as_values(sql, 0, &columns, length);
            self.add(&statement);
            add_rows(&mut self.bound, &mut columns, from, length)?;
        }
        Ok(())
    }
}

/// Whether there are so few rows that few texts do for all transactions: each number of rows has one of its own, which stays
/// prepared. With more rows the round trips matter less, too.
fn is_short(unless: &[RowStatement], insertions: &[RowStatement]) -> bool {
    unless.iter().all(|comparison| row_count(&comparison.columns) <= 2 * CHUNK)
        && insertions.iter().all(|insertion| row_count(&insertion.columns) <= CHUNK)
}

/// The transaction: insertions, unless a comparison yields a row.
fn script(unless: impl IntoIterator<Item = RowStatement>, insertions: Vec<RowStatement>) -> Encoded<Script> {
    let mut script = Script::default();
    script.add("BEGIN IMMEDIATE");
    // The table outlives transactions, and may hold what the last comparison found.
    script.add(CLEAR_FOUND);
    // There are more rows to compare than to insert, and not always by the same number: longer padding keeps the texts few.
    for RowStatement { sql, columns } in unless {
        script.add_rows(&format!("{INTO_FOUND}{sql}"), columns, |rows| {
            if rows <= 8 { 8 } else { rows.next_multiple_of(16) }
        })?;
    }
    for RowStatement { sql, columns } in insertions {
        // The condition belongs to the rows, before what is done about those that exist.
        let (rows, conflict) = sql.find(ON_CONFLICT).map_or((sql, ""), |at| sql.split_at(at));
        script.add_rows(&format!("{rows}{UNLESS_FOUND}{conflict}"), columns, padded)?;
    }
    // Also when something was found: nothing was inserted then, and the connection has to leave its transaction.
    script.add("COMMIT");
    script.text.push_str(COUNT_FOUND);
    Ok(script)
}

impl Db {
    /// Runs one statement as a transaction of its own, in one round trip to the server: a function that takes columns as
    /// arrays, after `args`. On return of `Ok` its changes are durable; on [`DbError::CommitUnknown`] they may be.
    /// PostgreSQL only.
    pub async fn change_single_roundtrip<R: Record>(
        &self,
        operation: &'static str,
        sql: &'static str,
        args: Vec<Arg>,
        columns: Vec<Column>,
    ) -> Result<Vec<R>, DbError> {
        self.hook.before(sql).await;
        let Pools::Postgres { appends, reach, .. } = &*self.pools else {
            return Err(DbError::Setup(format!("{operation}: only PostgreSQL has this function")));
        };
        let failed = |error| DbError::of(operation, error);
        let bound = arrays(args, columns).map_err(sqlx::Error::Encode).map_err(failed)?;
        // Unclean until the answer is there: a caller that is dropped before closes the connection, or the next one would
        // read the answer to this statement.
        let mut lent = reach.acquire(appends, operation).await?;
        // The server sends rows before it commits, and a failed commit after them: everything it sends is read.
        let rows = sqlx::query_as_with::<Postgres, R, _>(sql, bound).fetch_all(&mut *lent).await;
        let rows = rows.map_err(|source| DbError::of_commit(operation, source));
        lent.is_clean = rows.as_ref().err().is_none_or(|error| error.is_contention() || error.is_constraint());
        let rows = rows?;
        metrics::counter!("medcredit_store_commits_total", "operation" => operation).increment(1);
        Ok(rows)
    }

    /// Inserts rows in a transaction of their own, unless a statement of `unless` yields a row or there are too many rows
    /// for one round trip: then nothing is inserted and the result is `false`. On return of `Ok(true)` the rows are
    /// durable; on [`DbError::CommitUnknown`] they may be. SQLite only.
    pub async fn insert_unless<const N: usize>(
        &self,
        operation: &'static str,
        unless: [RowStatement; N],
        insertions: Vec<RowStatement>,
    ) -> Result<bool, DbError> {
        if !is_short(&unless, &insertions) {
            return Ok(false);
        }
        for comparison in &unless {
            self.hook.before(comparison.sql).await;
        }
        let Pools::Sqlite { core, .. } = &*self.pools else {
            return Err(DbError::Setup(format!("{operation}: only SQLite runs such a script")));
        };
        let failed = |error| DbError::of(operation, error);
        // Built before the connection is taken: others write meanwhile.
        let Script { text, bound } = script(unless, insertions).map_err(sqlx::Error::Encode).map_err(failed)?;
        let mut lent = acquire_sqlite(core, operation).await?;
        let query = sqlx::query_as_with::<Sqlite, FoundRow, _>(AssertSqlSafe(text), bound);
        let found = query.fetch_all(&mut *lent).await;
        // A script that fails midway leaves its connection unclean: it is closed, which rolls the transaction back.
        let found = found.map_err(|source| DbError::of_commit(operation, source))?;
        // The count comes after the COMMIT: without it, it is unknown whether that ran.
        let [FoundRow { found }] = found.as_slice() else {
            return Err(DbError::CommitUnknown { operation, source: sqlx::Error::RowNotFound });
        };
        lent.is_clean = true;
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

    use super::{Column, RowStatement, Script, is_short, script};

    fn statement(sql: &'static str, count: i64) -> RowStatement {
        RowStatement { sql, columns: vec![Column::int("number", (0..count).collect())] }
    }

    #[test]
    fn a_transaction_is_one_text() {
        let made = script(
            [statement("SELECT number FROM bound_rows", 1)],
            vec![statement("INSERT INTO t SELECT number FROM bound_rows", 65)],
        );
        let Script { text, bound } = made.unwrap();
        assert_eq!(text.matches('?').count(), bound.len());
        let statements: Vec<_> = text.split("; ").collect();
        assert_eq!(statements.len(), 7, "a chunk of 64 and one of 1: {text}");
        assert_eq!(statements[0], "BEGIN IMMEDIATE");
        assert_eq!(
            statements[2],
            format!(
                "INSERT OR FAIL INTO temp.found SELECT number FROM \
                 (SELECT column1 AS number FROM (VALUES {}) WHERE column1 IS NOT NULL) AS bound",
                ["(?)"; 8].join(",")
            )
        );
        assert_eq!(
            statements[4],
            "INSERT OR FAIL INTO t SELECT number FROM \
             (SELECT column1 AS number FROM (VALUES (?)) WHERE column1 IS NOT NULL) AS bound \
             WHERE NOT EXISTS (SELECT 1 FROM temp.found)"
        );
        assert_eq!(statements[5..], ["COMMIT", "SELECT COUNT(*) AS found FROM temp.found"]);
    }

    #[test]
    fn the_condition_comes_before_what_is_done_on_conflict() {
        let upsert = "INSERT INTO t SELECT number FROM bound_rows ON CONFLICT (number) DO NOTHING";
        let Script { text, .. } =
            script([statement("SELECT number FROM bound_rows", 1)], vec![statement(upsert, 1)]).unwrap();
        assert!(
            text.contains(
                "AS bound WHERE NOT EXISTS (SELECT 1 FROM temp.found) ON CONFLICT (number) DO NOTHING; COMMIT"
            ),
            "{text}"
        );
    }

    #[test]
    fn long_transactions_have_no_text_of_their_own() {
        let short = |compared, inserted| is_short(&[statement("", compared)], &[statement("", inserted)]);
        assert!(short(128, 64));
        assert!(!short(129, 64) && !short(64, 65));
    }
}

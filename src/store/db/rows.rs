//! Many rows in one statement, each value bound as it is.
//!
//! One JSON parameter (`json_rows`) is the same on both engines, but a long text must be escaped for it, parsed, and
//! unescaped again. What every answer writes is bound instead: `bound_rows` in a statement is a set of rows named `bound`,
//! with the names of its [`Column`]s. On SQLite it is a list of values, padded to one of a few lengths so that a few
//! prepared statements do for every batch; on PostgreSQL it is one array a column.

use std::fmt::Write;

use sqlx::{AssertSqlSafe, Postgres, Sqlite, postgres::PgArguments, sqlite::SqliteArguments};

use super::{
    Arg, Engine, EngineTx, Record, Tx, add_sqlite,
    column::{Column, Encoded, RowStatement, row_count},
    pg_args,
};
use crate::store::DbError;

/// The most rows of one statement on SQLite; more are run in chunks of this size.
pub(super) const CHUNK: usize = 64;

/// The number of rows to which a chunk is padded.
pub(super) const fn padded(rows: usize) -> usize {
    if rows <= 8 { rows } else { rows.next_multiple_of(8) }
}

/// A statement with its rows as SQLite's `VALUES`. The rows' parameters come first, the `others` after them. Padding rows
/// are recognised by the null in their first column.
///
/// The values are anonymous: SQLite and its driver look for the name of a parameter among all others. And an insertion that
/// fails is not undone by itself: as on PostgreSQL, nothing of its transaction can be committed any more, so SQLite need not
/// keep every page as it was before the statement.
pub(super) fn as_values(sql: &str, others: usize, columns: &[Column], rows: usize) -> AssertSqlSafe<String> {
    let mut sql = sql.to_owned();
    // From the highest: `$1` is also the beginning of `$10`, and a new number must not be replaced again.
    for other in (1..=others).rev() {
        sql = sql.replace(&format!("${other}"), &format!("${}", rows * columns.len() + other));
    }
    let mut values = String::with_capacity(rows * (columns.len() * 2 + 2) + columns.len() * 32 + 64);
    values.push_str("(SELECT ");
    for (at, column) in columns.iter().enumerate() {
        let separator = if at == 0 { "" } else { "," };
        // Writing to a String cannot fail. SQLite itself names the columns of VALUES `column1` and so on.
        let _ = write!(values, "{separator}column{} AS {}", at + 1, column.name);
    }
    values.push_str(" FROM (VALUES ");
    for row in 0..rows {
        values.push_str(if row == 0 { "(?" } else { "),(?" });
        (1..columns.len()).for_each(|_| values.push_str(",?"));
    }
    values.push_str(")) WHERE column1 IS NOT NULL) AS bound");
    AssertSqlSafe(sql.replace("bound_rows", &values).replacen("INSERT INTO ", "INSERT OR FAIL INTO ", 1))
}

/// A statement with its rows as PostgreSQL's arrays. The `others` parameters come first.
pub(super) fn as_arrays(sql: &str, others: usize, columns: &[Column]) -> AssertSqlSafe<String> {
    let mut arrays = String::from("UNNEST(");
    for (at, column) in columns.iter().enumerate() {
        let _ = write!(arrays, "{}${}::{}", if at == 0 { "" } else { "," }, others + at + 1, column.array_type());
    }
    arrays.push_str(") AS bound(");
    for (at, column) in columns.iter().enumerate() {
        let _ = write!(arrays, "{}{}", if at == 0 { "" } else { "," }, column.name);
    }
    arrays.push(')');
    AssertSqlSafe(sql.replace("bound_rows", &arrays))
}

/// Insertions as one PostgreSQL statement: all but the last are CTEs of the last.
fn as_ctes(statements: Vec<RowStatement>) -> (AssertSqlSafe<String>, Vec<Column>) {
    let (mut text, mut all) = (String::new(), Vec::new());
    let last = statements.len().saturating_sub(1);
    for (nth, RowStatement { sql, columns }) in statements.into_iter().enumerate() {
        let AssertSqlSafe(sql) = as_arrays(sql, all.len(), &columns);
        let _ = match nth {
            // The last is the statement itself. PostgreSQL runs inserting CTEs although nothing reads them.
            nth if nth == last => write!(text, "{sql}"),
            0 => write!(text, "WITH part0 AS ({sql}) "),
            nth => write!(text, ", part{nth} AS ({sql}) "),
        };
        all.extend(columns);
    }
    (AssertSqlSafe(text), all)
}

/// Insertions of at most a chunk each, as one SQLite text of several statements. Each statement takes the parameters that
/// follow those of the one before it.
fn as_script(statements: Vec<RowStatement>) -> Encoded<(AssertSqlSafe<String>, SqliteArguments)> {
    let (mut text, mut bound) = (String::new(), SqliteArguments::default());
    for RowStatement { sql, mut columns } in statements {
        let length = padded(row_count(&columns));
        let AssertSqlSafe(statement) = as_values(sql, 0, &columns, length);
        text.push_str(&statement);
        text.push(';');
        add_rows(&mut bound, &mut columns, 0, length)?;
    }
    Ok((AssertSqlSafe(text), bound))
}

fn chunk(args: &[Arg], columns: &mut [Column], from: usize, rows: usize) -> Encoded<SqliteArguments> {
    let mut out = SqliteArguments::default();
    add_rows(&mut out, columns, from, rows)?;
    // Cloned, because the statement of every chunk takes them.
    args.iter().try_for_each(|arg| add_sqlite(&mut out, arg.clone()))?;
    Ok(out)
}

/// Moves `rows` rows, beginning with `from`, into the arguments.
pub(super) fn add_rows(out: &mut SqliteArguments, columns: &mut [Column], from: usize, rows: usize) -> Encoded<()> {
    for row in from..from + rows {
        for column in &mut *columns {
            column.take(row, out)?;
        }
    }
    Ok(())
}

/// Arguments followed by columns, each an array.
pub(super) fn arrays(args: Vec<Arg>, columns: Vec<Column>) -> Encoded<PgArguments> {
    let mut out = pg_args(args)?;
    for column in columns {
        column.add_array(&mut out)?;
    }
    Ok(out)
}

impl Tx {
    /// Runs a statement over bound rows and returns how many rows it changed. `args` are numbered from `$1`.
    pub async fn execute_rows(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
        mut columns: Vec<Column>,
    ) -> Result<u64, DbError> {
        let deadline = self.enter(sql).await?;
        let rows = row_count(&columns);
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    let mut changed = 0;
                    for from in (0..rows).step_by(CHUNK) {
                        let length = padded((rows - from).min(CHUNK));
                        let text = as_values(sql, args.len(), &columns, length);
                        let bound = chunk(&args, &mut columns, from, length).map_err(sqlx::Error::Encode)?;
                        let done = sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await?;
                        changed += done.rows_affected();
                    }
                    Ok(changed)
                }
                EngineTx::Postgres(tx) => {
                    let text = as_arrays(sql, args.len(), &columns);
                    let bound = arrays(args, columns).map_err(sqlx::Error::Encode)?;
                    let done = sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await;
                    done.map(|done| done.rows_affected())
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }

    /// Runs insertions, each over rows of its own: on PostgreSQL as one statement and one round trip, on SQLite as one text
    /// and one call to the thread that owns the connection.
    pub async fn insert_rows(&mut self, statements: Vec<RowStatement>) -> Result<(), DbError> {
        let statements: Vec<_> = statements.into_iter().filter(|statement| row_count(&statement.columns) > 0).collect();
        // Nothing to insert needs no round trip.
        let Some(first) = statements.first() else { return Ok(()) };
        // Each number of rows has a text of its own, which stays prepared: long insertions would be too many texts.
        let is_long = statements.iter().any(|statement| row_count(&statement.columns) > CHUNK);
        if is_long && self.engine() == Engine::Sqlite {
            for RowStatement { sql, columns } in statements {
                self.execute_rows(sql, Vec::new(), columns).await?;
            }
            return Ok(());
        }
        let deadline = self.enter(first.sql).await?;
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    let (text, bound) = as_script(statements).map_err(sqlx::Error::Encode)?;
                    sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await.map(|_| ())
                }
                EngineTx::Postgres(tx) => {
                    let (text, columns) = as_ctes(statements);
                    let bound = arrays(Vec::new(), columns).map_err(sqlx::Error::Encode)?;
                    sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await.map(|_| ())
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }

    /// Every row that a statement over bound rows yields. `args` are numbered from `$1`.
    pub async fn fetch_rows<R: Record>(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
        mut columns: Vec<Column>,
    ) -> Result<Vec<R>, DbError> {
        let deadline = self.enter(sql).await?;
        let rows = row_count(&columns);
        let inner = &mut self.inner;
        let run = async {
            match inner {
                EngineTx::Sqlite(tx) => {
                    let mut found = Vec::new();
                    for from in (0..rows).step_by(CHUNK) {
                        let length = padded((rows - from).min(CHUNK));
                        let text = as_values(sql, args.len(), &columns, length);
                        let bound = chunk(&args, &mut columns, from, length).map_err(sqlx::Error::Encode)?;
                        let query = sqlx::query_as_with::<Sqlite, R, _>(text, bound);
                        found.extend(query.fetch_all(&mut **tx).await?);
                    }
                    Ok(found)
                }
                EngineTx::Postgres(tx) => {
                    let text = as_arrays(sql, args.len(), &columns);
                    let bound = arrays(args, columns).map_err(sqlx::Error::Encode)?;
                    sqlx::query_as_with::<Postgres, R, _>(text, bound).fetch_all(&mut **tx).await
                }
            }
        };
        let done = deadline.wait(run).await;
        self.settle(done)
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, RowStatement, as_arrays, as_ctes, as_values, padded};

    fn columns() -> [Column; 2] {
        [Column::int("number", vec![1]), Column::text("word", vec!["a".into()])]
    }

    #[test]
    fn batches_of_every_size_are_padded_to_a_few_lengths() {
        let lengths: std::collections::BTreeSet<_> = (1..=64).map(padded).collect();
        assert_eq!(lengths.len(), 15);
        assert!((1..=64).all(|rows| padded(rows) >= rows && padded(rows) <= 64));
    }

    #[test]
    fn other_parameters_follow_the_rows_on_sqlite_and_precede_them_on_postgresql() {
        let sql = "SELECT bound.word FROM bound_rows WHERE bound.number > $1";
        assert_eq!(
            as_values(sql, 1, &columns(), 2).0,
            "SELECT bound.word FROM (SELECT column1 AS number,column2 AS word FROM (VALUES (?,?),(?,?)) \
             WHERE column1 IS NOT NULL) AS bound WHERE bound.number > $5"
        );
        assert_eq!(
            as_arrays(sql, 1, &columns()).0,
            "SELECT bound.word FROM UNNEST($2::bigint[],$3::text[]) AS bound(number,word) WHERE bound.number > $1"
        );
    }

    #[test]
    fn insertions_become_one_statement_with_consecutive_parameters() {
        let one = |sql| RowStatement { sql, columns: vec![Column::int("number", vec![1])] };
        let (text, columns) = as_ctes(vec![one("A bound_rows"), one("B bound_rows"), one("C bound_rows")]);
        let rows = |nth| format!("UNNEST(${nth}::bigint[]) AS bound(number)");
        let expected = format!("WITH part0 AS (A {}) , part1 AS (B {}) C {}", rows(1), rows(2), rows(3));
        assert_eq!((text.0, columns.len()), (expected, 3));
        assert_eq!(as_ctes(vec![one("A bound_rows")]).0.0, format!("A {}", rows(1)));
    }
}

//! Many rows in one statement, each value bound as it is.
//!
//! One JSON parameter (`json_rows`) is the same on both engines, but a long text must be escaped for it, parsed, and
//! unescaped again. What every answer writes is bound instead: `bound_rows` in a statement is a set of rows whose columns
//! are `column1`, `column2` and so on. On SQLite that is a list of values, filled up to one of a few lengths so that a
//! few prepared statements do for every batch; on PostgreSQL it is one array a column.

use std::fmt::Write;

use sqlx::{Arguments as _, AssertSqlSafe, Postgres, Sqlite, postgres::PgArguments, sqlite::SqliteArguments};

use super::{Arg, Begun, Record, Tx, add_sqlite, pg_args};
use crate::store::DbError;

/// The rows of one statement on SQLite; more are run in parts.
pub(super) const PART: usize = 64;

/// The values of a column, one for each row.
#[derive(Debug)]
pub enum Column {
    /// TEXT.
    Text(Vec<String>),
    /// TEXT or null.
    TextOpt(Vec<Option<String>>),
    /// BIGINT.
    Int(Vec<i64>),
    /// BIGINT or null.
    IntOpt(Vec<Option<i64>>),
    /// BLOB or BYTEA.
    Bytes(Vec<Vec<u8>>),
}

type Encoded<T> = Result<T, sqlx::error::BoxDynError>;

impl Column {
    pub(super) const fn len(&self) -> usize {
        match self {
            Self::Text(values) => values.len(),
            Self::TextOpt(values) => values.len(),
            Self::Int(values) => values.len(),
            Self::IntOpt(values) => values.len(),
            Self::Bytes(values) => values.len(),
        }
    }

    pub(super) const fn array(&self) -> &'static str {
        match self {
            Self::Text(_) | Self::TextOpt(_) => "text[]",
            Self::Int(_) | Self::IntOpt(_) => "bigint[]",
            Self::Bytes(_) => "bytea[]",
        }
    }

    /// Moves the value of a row into the arguments; a row beyond the last is null.
    fn take(&mut self, row: usize, out: &mut SqliteArguments) -> Encoded<()> {
        match self {
            Self::Text(values) => out.add(values.get_mut(row).map(std::mem::take)),
            Self::TextOpt(values) => out.add(values.get_mut(row).and_then(Option::take)),
            Self::Int(values) => out.add(values.get(row).copied()),
            Self::IntOpt(values) => out.add(values.get(row).copied().flatten()),
            Self::Bytes(values) => out.add(values.get_mut(row).map(std::mem::take)),
        }
    }

    fn array_into(self, out: &mut PgArguments) -> Encoded<()> {
        match self {
            Self::Text(values) => out.add(values),
            Self::TextOpt(values) => out.add(values),
            Self::Int(values) => out.add(values),
            Self::IntOpt(values) => out.add(values),
            Self::Bytes(values) => out.add(values),
        }
    }
}

/// The length to which a part is filled up.
pub(super) const fn filled(rows: usize) -> usize {
    if rows <= 8 { rows } else { rows.next_multiple_of(8) }
}

/// A statement with its rows as values, before `others` other parameters, which are counted on after them. The first
/// column is null in the rows filled up.
///
/// The values are anonymous: SQLite and its driver look for the name of a parameter among all others. And an insertion that
/// fails is not undone by itself: as on PostgreSQL, nothing of its transaction can be committed any more, so SQLite need not
/// keep every page as it was before the statement.
pub(super) fn as_values(sql: &str, others: usize, columns: usize, rows: usize) -> AssertSqlSafe<String> {
    let mut sql = sql.to_owned();
    for other in (1..=others).rev() {
        sql = sql.replace(&format!("${other}"), &format!("${}", rows * columns + other));
    }
    let mut values = String::with_capacity(rows * (columns * 2 + 2) + 64);
    values.push_str("(SELECT * FROM (VALUES ");
    for row in 0..rows {
        values.push_str(if row == 0 { "(?" } else { "),(?" });
        (1..columns).for_each(|_| values.push_str(",?"));
    }
    values.push_str(")) WHERE column1 IS NOT NULL)");
    AssertSqlSafe(sql.replace("bound_rows", &values).replacen("INSERT INTO ", "INSERT OR FAIL INTO ", 1))
}

/// A statement with its rows as arrays, after `before` other parameters.
pub(super) fn as_arrays(sql: &str, before: usize, columns: &[Column]) -> AssertSqlSafe<String> {
    let mut arrays = String::from("UNNEST(");
    for (at, column) in columns.iter().enumerate() {
        let _ = write!(arrays, "{}${}::{}", if at == 0 { "" } else { "," }, before + at + 1, column.array());
    }
    arrays.push_str(") AS bound(");
    for at in 1..=columns.len() {
        let _ = write!(arrays, "{}column{at}", if at == 1 { "" } else { "," });
    }
    arrays.push(')');
    AssertSqlSafe(sql.replace("bound_rows", &arrays))
}

/// Insertions as one: all but the last are named queries of the last.
fn as_one(parts: Vec<(&'static str, Vec<Column>)>) -> (AssertSqlSafe<String>, Vec<Column>) {
    let (mut text, mut all) = (String::new(), Vec::new());
    let last = parts.len().saturating_sub(1);
    for (nth, (sql, columns)) in parts.into_iter().enumerate() {
        let AssertSqlSafe(sql) = as_arrays(sql, all.len(), &columns);
        let _ = match nth {
            nth if nth == last => write!(text, "{sql}"),
            0 => write!(text, "WITH part0 AS ({sql}) "),
            nth => write!(text, ", part{nth} AS ({sql}) "),
        };
        all.extend(columns);
    }
    (AssertSqlSafe(text), all)
}

/// Insertions of at most a part each, one after the other in one text; each takes its values on from where the last ended.
fn as_script(parts: Vec<(&'static str, Vec<Column>)>) -> Encoded<(AssertSqlSafe<String>, SqliteArguments)> {
    let (mut text, mut bound) = (String::new(), SqliteArguments::default());
    for (sql, mut columns) in parts {
        let length = filled(columns.first().map_or(0, Column::len));
        let AssertSqlSafe(statement) = as_values(sql, 0, columns.len(), length);
        text.push_str(&statement);
        text.push(';');
        add_rows(&mut bound, &mut columns, (0, length))?;
    }
    Ok((AssertSqlSafe(text), bound))
}

fn part(args: &[Arg], columns: &mut [Column], from: usize, rows: usize) -> Encoded<SqliteArguments> {
    let mut out = SqliteArguments::default();
    add_rows(&mut out, columns, (from, rows))?;
    args.iter().try_for_each(|arg| add_sqlite(&mut out, arg.clone()))?;
    Ok(out)
}

/// Moves so many rows, from one on, into the arguments.
pub(super) fn add_rows(out: &mut SqliteArguments, columns: &mut [Column], (from, rows): (usize, usize)) -> Encoded<()> {
    for row in from..from + rows {
        for column in &mut *columns {
            column.take(row, out)?;
        }
    }
    Ok(())
}

pub(super) fn arrays(args: Vec<Arg>, columns: Vec<Column>) -> Encoded<PgArguments> {
    let mut out = pg_args(args)?;
    for column in columns {
        column.array_into(&mut out)?;
    }
    Ok(out)
}

impl Tx {
    /// Runs a statement over bound rows and tells how many it changed. Its other parameters come first.
    pub async fn execute_rows(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
        mut columns: Vec<Column>,
    ) -> Result<u64, DbError> {
        self.turns.next(sql).await;
        let failed = |error| DbError::of(self.operation, error);
        let rows = columns.first().map_or(0, Column::len);
        match &mut self.begun {
            Begun::Sqlite(tx) => {
                let mut changed = 0;
                for from in (0..rows).step_by(PART) {
                    let length = filled((rows - from).min(PART));
                    let bound = part(&args, &mut columns, from, length).map_err(sqlx::Error::Encode).map_err(failed)?;
                    let text = as_values(sql, args.len(), columns.len(), length);
                    let done = sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await.map_err(failed)?;
                    changed += done.rows_affected();
                }
                Ok(changed)
            }
            Begun::Postgres(tx) => {
                let text = as_arrays(sql, args.len(), &columns);
                let bound = arrays(args, columns).map_err(sqlx::Error::Encode).map_err(failed)?;
                let done = sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await;
                done.map(|done| done.rows_affected()).map_err(failed)
            }
        }
    }

    /// Runs insertions, each over rows of its own: on PostgreSQL as one statement, and one turn of the server, on SQLite as
    /// one text, and one turn of the thread that the connection lives on.
    pub async fn insert_rows(&mut self, parts: Vec<(&'static str, Vec<Column>)>) -> Result<(), DbError> {
        let parts: Vec<_> =
            parts.into_iter().filter(|(_, columns)| columns.first().is_some_and(|of| of.len() > 0)).collect();
        let failed = |error| DbError::of(self.operation, error);
        let Some((first, _)) = parts.first() else { return Ok(()) };
        self.turns.next(first).await;
        match &mut self.begun {
            // A text of its own for every number of long parts would be as many prepared statements to keep.
            Begun::Sqlite(_) if parts.iter().any(|(_, columns)| columns.iter().any(|of| of.len() > PART)) => {
                for (sql, columns) in parts {
                    self.execute_rows(sql, Vec::new(), columns).await?;
                }
                Ok(())
            }
            Begun::Sqlite(tx) => {
                let (text, bound) = as_script(parts).map_err(sqlx::Error::Encode).map_err(failed)?;
                let done = sqlx::query_with::<Sqlite, _>(text, bound).execute(&mut **tx).await;
                done.map(|_| ()).map_err(failed)
            }
            Begun::Postgres(tx) => {
                let (text, columns) = as_one(parts);
                let bound = arrays(Vec::new(), columns).map_err(sqlx::Error::Encode).map_err(failed)?;
                let done = sqlx::query_with::<Postgres, _>(text, bound).execute(&mut **tx).await;
                done.map(|_| ()).map_err(failed)
            }
        }
    }

    /// Every row that a statement over bound rows yields. Its other parameters come first.
    pub async fn fetch_rows<R: Record>(
        &mut self,
        sql: &'static str,
        args: Vec<Arg>,
        mut columns: Vec<Column>,
    ) -> Result<Vec<R>, DbError> {
        self.turns.next(sql).await;
        let failed = |error| DbError::of(self.operation, error);
        let rows = columns.first().map_or(0, Column::len);
        match &mut self.begun {
            Begun::Sqlite(tx) => {
                let mut found = Vec::new();
                for from in (0..rows).step_by(PART) {
                    let length = filled((rows - from).min(PART));
                    let bound = part(&args, &mut columns, from, length).map_err(sqlx::Error::Encode).map_err(failed)?;
                    let text = as_values(sql, args.len(), columns.len(), length);
                    let query = sqlx::query_as_with::<Sqlite, R, _>(text, bound);
                    found.extend(query.fetch_all(&mut **tx).await.map_err(failed)?);
                }
                Ok(found)
            }
            Begun::Postgres(tx) => {
                let text = as_arrays(sql, args.len(), &columns);
                let bound = arrays(args, columns).map_err(sqlx::Error::Encode).map_err(failed)?;
                sqlx::query_as_with::<Postgres, R, _>(text, bound).fetch_all(&mut **tx).await.map_err(failed)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Column, as_arrays, as_one, as_values, filled};

    #[test]
    fn a_few_lengths_do_for_every_batch() {
        let lengths: std::collections::BTreeSet<_> = (1..=64).map(filled).collect();
        assert_eq!(lengths.len(), 15);
        assert!((1..=64).all(|rows| filled(rows) >= rows && filled(rows) <= 64));
    }

    #[test]
    fn other_parameters_are_counted_on_after_the_rows_of_sqlite_and_before_those_of_postgresql() {
        let sql = "SELECT column2 FROM bound_rows WHERE column1 > $1";
        assert_eq!(
            as_values(sql, 1, 2, 2).0,
            "SELECT column2 FROM (SELECT * FROM (VALUES (?,?),(?,?)) WHERE column1 IS NOT NULL) WHERE column1 > $5"
        );
        let columns = [Column::Int(vec![1]), Column::Text(vec!["a".into()])];
        assert_eq!(
            as_arrays(sql, 1, &columns).0,
            "SELECT column2 FROM UNNEST($2::bigint[],$3::text[]) AS bound(column1,column2) WHERE column1 > $1"
        );
    }

    #[test]
    fn insertions_become_one_with_their_parameters_counted_on() {
        let one = |sql| (sql, vec![Column::Int(vec![1])]);
        let (text, columns) = as_one(vec![one("A bound_rows"), one("B bound_rows"), one("C bound_rows")]);
        let rows = |nth| format!("UNNEST(${nth}::bigint[]) AS bound(column1)");
        let expected = format!("WITH part0 AS (A {}) , part1 AS (B {}) C {}", rows(1), rows(2), rows(3));
        assert_eq!((text.0, columns.len()), (expected, 3));
        assert_eq!(as_one(vec![one("A bound_rows")]).0.0, format!("A {}", rows(1)));
    }
}

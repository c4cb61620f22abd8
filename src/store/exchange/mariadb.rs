//! MariaDB and MySQL: statements of several hundred rows, with a parameter for each value.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection as _, MySql, Row as _,
    mysql::{MySqlArguments, MySqlConnection, MySqlPool},
    pool::PoolConnection,
    query::Query,
};

use super::{
    error::{ExchangeError, failed},
    identifier::Engine,
    statement::{Batch, BatchColumn, ColumnValues, Found, Rows, Table},
};

const ENGINE: Engine = Engine::Mariadb;
/// The most rows of a statement.
const ROWS: usize = 500;
/// The most parameters of a statement: the protocol counts them in 16 bits.
const PARAMETERS: usize = 60_000;

async fn acquire(pool: &MySqlPool) -> Result<PoolConnection<MySql>, ExchangeError> {
    pool.acquire().await.map_err(|error| failed(&error))
}

/// Writes a batch, unless it is there.
pub(super) async fn write(pool: &MySqlPool, batch: &Batch<'_>, limit: Duration) -> Result<Found, ExchangeError> {
    let mut connection = acquire(pool).await?;
    let done = tokio::time::timeout(limit, write_locked(&mut connection, batch, limit)).await;
    let done = done.unwrap_or(Err(ExchangeError::Timeout));
    if done.is_err() {
        // In the middle of a statement, perhaps, and with the lock: never used again. The server rolls back.
        connection.close_on_drop();
    }
    done
}

/// Two gateways never write the same batch at the same time, whatever keys the tables have. Before the transaction begins, or it
/// would not see what the other one has written.
async fn write_locked(
    connection: &mut MySqlConnection,
    batch: &Batch<'_>,
    limit: Duration,
) -> Result<Found, ExchangeError> {
    let seconds = i64::try_from(limit.as_secs()).unwrap_or(i64::MAX);
    // Names of locks have at most 64 characters.
    let taken =
        sqlx::query_scalar::<_, Option<i64>>("SELECT CAST(GET_LOCK(CONCAT('medcredit ', SHA1(?)), ?) AS SIGNED)");
    let taken = taken.bind(batch.name).bind(seconds);
    let taken = taken.fetch_one(&mut *connection).await.map_err(|error| failed(&error))?;
    if taken != Some(1) {
        return Err(ExchangeError::Timeout);
    }
    let found = write_on(connection, batch).await?;
    let released = sqlx::query("DO RELEASE_LOCK(CONCAT('medcredit ', SHA1(?)))").bind(batch.name);
    released.execute(&mut *connection).await.map_err(|error| failed(&error))?;
    Ok(found)
}

async fn write_on(connection: &mut MySqlConnection, batch: &Batch<'_>) -> Result<Found, ExchangeError> {
    let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
    let mut find = sqlx::query(AssertSqlSafe(ENGINE.find_batch(&batch.before)));
    for (_, value) in &batch.before.conditions {
        find = find.bind(*value);
    }
    let row = find.fetch_one(&mut *tx).await.map_err(|error| failed(&error))?;
    let number = |error| failed(&error);
    let found = Found { rows: row.try_get(0).map_err(number)?, digest: row.try_get(1).map_err(number)? };
    if found.rows == 0 {
        insert(&mut tx, batch.table, &batch.columns, batch.rows).await?;
        if let Some((table, columns)) = &batch.control {
            insert(&mut tx, *table, columns, 1).await?;
        }
        tx.commit().await.map_err(|error| failed(&error))?;
    }
    Ok(found)
}

async fn insert(
    tx: &mut MySqlConnection,
    table: Table<'_>,
    columns: &[BatchColumn<'_>],
    rows: usize,
) -> Result<(), ExchangeError> {
    let begin = ENGINE.insert_into(table, columns);
    let row = format!("({})", vec!["?"; columns.len()].join(", "));
    let most = ROWS.min(PARAMETERS / columns.len().max(1)).max(1);
    let mut at = 0;
    while at < rows {
        let length = most.min(rows - at);
        let text = format!("{begin} VALUES {}", vec![row.as_str(); length].join(", "));
        // Prepared once for whole statements; the last one has a length of its own.
        let mut query = sqlx::query(AssertSqlSafe(text)).persistent(length == most);
        for number in at..at + length {
            for column in columns {
                query = bind(query, &column.values, number);
            }
        }
        query.execute(&mut *tx).await.map_err(|error| failed(&error))?;
        at += length;
    }
    Ok(())
}

fn bind<'q>(
    query: Query<'q, MySql, MySqlArguments>,
    values: &'q ColumnValues<'_>,
    row: usize,
) -> Query<'q, MySql, MySqlArguments> {
    match values {
        ColumnValues::Texts(texts) => query.bind(texts.get(row).copied().flatten()),
        ColumnValues::Numbers(numbers) => query.bind(numbers.get(row).copied()),
        ColumnValues::Text(text) | ColumnValues::Time(text) => query.bind(*text),
        ColumnValues::Number(number) => query.bind(*number),
    }
}

/// Reads rows.
pub(super) async fn read(
    pool: &MySqlPool,
    rows: &Rows<'_>,
    limit: Duration,
) -> Result<Vec<Vec<Option<String>>>, ExchangeError> {
    let mut connection = acquire(pool).await?;
    let mut query = sqlx::query(AssertSqlSafe(ENGINE.select(rows)));
    for condition in &rows.conditions {
        query = query.bind(condition.value());
    }
    let done = tokio::time::timeout(limit, query.fetch_all(&mut *connection)).await;
    let done = done.map_err(|_| ExchangeError::Timeout).and_then(|done| done.map_err(|error| failed(&error)));
    if done.is_err() {
        connection.close_on_drop();
    }
    let values = |row: &sqlx::mysql::MySqlRow| (0..rows.columns.len()).map(|at| row.try_get(at)).collect();
    done?.iter().map(values).collect::<Result<_, _>>().map_err(|error| failed(&error))
}

//! PostgreSQL: each column of a batch is one parameter, an array, so that a statement takes any number of rows.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, Connection as _, Postgres, Row as _,
    pool::PoolConnection,
    postgres::{PgArguments, PgConnection, PgPool},
    query::Query,
};

use super::{
    error::{ExchangeError, failed},
    identifier::Engine,
    statement::{Batch, BatchColumn, ColumnValues, Found, Rows, Table},
};

const ENGINE: Engine = Engine::Postgres;

/// Takes a connection.
async fn acquire(pool: &PgPool) -> Result<PoolConnection<Postgres>, ExchangeError> {
    pool.acquire().await.map_err(|error| failed(&error))
}

/// Writes a batch, unless it is there.
pub(super) async fn write(pool: &PgPool, batch: &Batch<'_>, limit: Duration) -> Result<Found, ExchangeError> {
    let mut connection = acquire(pool).await?;
    let done = tokio::time::timeout(limit, write_on(&mut connection, batch)).await;
    let done = done.unwrap_or(Err(ExchangeError::Timeout));
    if done.is_err() {
        // In the middle of a statement, perhaps: never used again. The server rolls back.
        connection.close_on_drop();
    }
    done
}

async fn write_on(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Found, ExchangeError> {
    let mut tx = connection.begin().await.map_err(|error| failed(&error))?;
    // Two gateways never write the same batch at the same time, whatever keys the tables have.
    let lock =
        sqlx::query("SELECT pg_advisory_xact_lock(hashtext('medcredit exchange'), hashtext($1))").bind(batch.name);
    lock.execute(&mut *tx).await.map_err(|error| failed(&error))?;
    let mut find = sqlx::query(AssertSqlSafe(ENGINE.find_batch(&batch.before)));
    for (_, value) in &batch.before.conditions {
        find = find.bind(*value);
    }
    let row = find.fetch_one(&mut *tx).await.map_err(|error| failed(&error))?;
    let number = |error| failed(&error);
    let found = Found { rows: row.try_get(0).map_err(number)?, digest: row.try_get(1).map_err(number)? };
    if found.rows == 0 {
        if batch.rows > 0 {
            insert(&mut tx, batch.table, &batch.columns).await?;
        }
        if let Some((table, columns)) = &batch.control {
            insert(&mut tx, *table, columns).await?;
        }
        tx.commit().await.map_err(|error| failed(&error))?;
    }
    Ok(found)
}

async fn insert(tx: &mut PgConnection, table: Table<'_>, columns: &[BatchColumn<'_>]) -> Result<(), ExchangeError> {
    let (mut selected, mut arrays) = (Vec::new(), Vec::new());
    for (at, column) in columns.iter().enumerate() {
        let number = at + 1;
        let mut array = |kind: &str| {
            arrays.push(format!("${number}::{kind}[]"));
            format!("r.c{}", arrays.len())
        };
        selected.push(match &column.values {
            ColumnValues::Texts(_) => array("text"),
            ColumnValues::Numbers(_) => array("bigint"),
            ColumnValues::Text(_) => format!("${number}::text"),
            ColumnValues::Number(_) => format!("${number}::bigint"),
            // Of an untyped text the server would make a text, which no column of times takes.
            ColumnValues::Time(_) => format!("${number}::text::timestamp"),
        });
    }
    let names: Vec<String> = (1..=arrays.len()).map(|number| format!("c{number}")).collect();
    let from = match arrays.as_slice() {
        [] => String::new(),
        arrays => format!(" FROM unnest({}) AS r({})", arrays.join(", "), names.join(", ")),
    };
    let text = format!("{} SELECT {}{from}", ENGINE.insert_into(table, columns), selected.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(text));
    for column in columns {
        query = bind(query, &column.values);
    }
    query.execute(tx).await.map_err(|error| failed(&error)).map(drop)
}

fn bind<'q>(query: Query<'q, Postgres, PgArguments>, values: &'q ColumnValues<'_>) -> Query<'q, Postgres, PgArguments> {
    match values {
        ColumnValues::Texts(texts) => query.bind(texts.as_slice()),
        ColumnValues::Numbers(numbers) => query.bind(numbers.as_slice()),
        ColumnValues::Text(text) | ColumnValues::Time(text) => query.bind(*text),
        ColumnValues::Number(number) => query.bind(*number),
    }
}

/// Reads rows.
pub(super) async fn read(
    pool: &PgPool,
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
    let values = |row: &sqlx::postgres::PgRow| (0..rows.columns.len()).map(|at| row.try_get(at)).collect();
    done?.iter().map(values).collect::<Result<_, _>>().map_err(|error| failed(&error))
}

//! The return of a copied store into an empty database of PostgreSQL, in one transaction.

use super::{Db, DbError, TableColumns, Tx, args, migrations, record};

record! {
    struct CountRow {
        number: i64,
    }
}

const TABLE_COUNT: &str = "/* restoration::table_count */ SELECT CAST(count(*) AS BIGINT) AS number FROM pg_class c \
    JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname IN ('core', 'bulk') AND c.relkind IN ('r', 'p', 'v', 'm')";

/// A restoration that is not committed yet: dropped, it leaves the database empty.
#[derive(Debug)]
pub struct Restoration {
    tx: Tx,
}

/// Begins a restoration: the schema after the named migrations, without rows in the named tables. An error unless the
/// database is empty.
pub async fn begin(db: &Db, names: &[String], tables: &[TableColumns]) -> Result<Restoration, DbError> {
    let mut tx = db.begin("restoration").await?;
    tx.allow_idle().await?;
    // Before the tables are counted: somebody who migrates at the same time is then done, or waits.
    migrations::lock(&mut tx).await?;
    let count: CountRow = tx.fetch_one(TABLE_COUNT, args![]).await?;
    if count.number > 0 {
        return Err(DbError::Setup(format!(
            "the database has {} tables already: restore into an empty one",
            count.number
        )));
    }
    migrations::create_at(&mut tx, names).await?;
    // Migrations insert a few rows themselves. In reverse, so that no row is referred to when it is removed.
    for table in tables.iter().rev() {
        tx.clear_table(table).await?;
    }
    Ok(Restoration { tx })
}

impl Restoration {
    /// Adds rows to a table, as [`super::Snapshot::copy_out`] sent them.
    pub async fn copy_in(&mut self, table: &TableColumns, rows: &[u8]) -> Result<(), DbError> {
        self.tx.copy_in(table, rows).await
    }

    /// Makes everything durable.
    pub async fn commit(self) -> Result<(), DbError> {
        self.tx.commit().await
    }
}

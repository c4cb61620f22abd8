//! Pages into the table of an exchange database, beside plain inserts of the same rows, a statement and a transaction a page.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, Result};
use medcredit::{
    domain::{Clock, Kinds, SystemClock},
    grading::Library,
    push::{
        carrier::{Carrier as _, Delivery, Row, exchange::Exchange},
        platform::{Carrier, Platforms, Reference},
    },
    store::exchange::{Engine, ExchangeAccess},
};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

use super::{Pair, ROUNDS, Site, cluster::cluster, rows};

/// The rows of a page.
const PAGE_ROWS: usize = 2_000;
/// The columns of the convention, before the platform's fields.
const CONVENTION: &str = "record_unique_identity text NOT NULL, opt_type char(1) NOT NULL, exchange_flag smallint, \
                          cd_time timestamp, source_dept_code text, env_flag smallint";

/// Starts the database with the tables, and writes its address to the folder.
pub(crate) async fn prepare(folder: &Path) -> Result<()> {
    // It makes a database of its own, with a runtime of its own.
    let database = tokio::task::spawn_blocking(|| super::block_on(cluster().empty_database())).await?;
    let url = cluster().url(&database);
    let mut connection = PgConnection::connect(&url).await?;
    let fields = rows::FIELDS.map(|name| format!("{} text", name.to_lowercase())).join(", ");
    for table in ["ours", "plain"] {
        // With the index that a receiver needs to find a record.
        let sql = format!(
            "CREATE TABLE {table} ({CONVENTION}, {fields}); CREATE INDEX ON {table} (record_unique_identity);
             CREATE TABLE IF NOT EXISTS control (table_name text, batch_no text, row_count integer, data_digest text,
                 cd_time timestamp); CREATE INDEX IF NOT EXISTS control_batch ON control (table_name, batch_no)"
        );
        connection.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
    }
    connection.close().await?;
    Ok(std::fs::write(folder.join("url"), url)?)
}

/// The carrier to the table.
fn carrier(site: &Site) -> Result<Exchange> {
    let (library, kinds) = (Library::shipped()?, Kinds::built_in()?);
    let platforms = Platforms::shipped(&site.folder, &Reference { kinds: &kinds, library: &library });
    let mut platform = platforms.get("provincial-credit-exchange")?.clone();
    let fields = platform.grades.as_mut().context("fields of grades")?;
    let mut template = fields.fields.clone();
    template.truncate(1);
    let first = template.pop().context("a field")?;
    fields.fields = rows::FIELDS
        .iter()
        .map(|name| {
            let mut field = first.clone();
            field.name = name.to_lowercase();
            field
        })
        .collect();
    let Carrier::Exchange(settings) = platform.carrier.clone() else { anyhow::bail!("another carrier") };
    let mut settings = *settings;
    let name = |text: &str| text.parse().map_err(anyhow::Error::msg);
    settings.access = ExchangeAccess {
        engine: Engine::Postgres,
        url_file: site.folder.join("url"),
        connect_timeout: Duration::from_secs(10),
        timeout: Duration::from_mins(1),
        connections: 2,
    };
    settings.schema = None;
    settings.grades_table = Some(name("ours")?);
    let control = settings.control.as_mut().context("a control table")?;
    control.table = name("control")?;
    Exchange::new(&platform, settings, Arc::new(SystemClock)).map_err(anyhow::Error::msg)
}

/// Inserts pages of rows plainly.
async fn insert_plainly(connection: &mut PgConnection, rows: &[Row]) -> Result<Duration> {
    let clock = SystemClock;
    let columns = rows::FIELDS.len() + 2;
    let arrays = (1..=columns).map(|number| format!("${number}::text[]")).collect::<Vec<_>>().join(", ");
    let names = rows::FIELDS.map(str::to_lowercase).join(", ");
    let sql = format!(
        "INSERT INTO plain (record_unique_identity, opt_type, {names}, exchange_flag, cd_time, source_dept_code, env_flag)
         SELECT *, 0, now(), '330300000036', 0 FROM unnest({arrays})"
    );
    let began = clock.monotonic();
    for (_, page) in rows::pages(rows, PAGE_ROWS) {
        let mut insert = sqlx::query(AssertSqlSafe(sql.clone()));
        insert = insert.bind(page.iter().map(|row| row.record_id.as_str()).collect::<Vec<_>>());
        insert = insert.bind(page.iter().map(|row| row.operation.as_str()).collect::<Vec<_>>());
        for at in 0..rows::FIELDS.len() {
            let value =
                |row: &'_ Row| row.fields.get(at).map(|(_, value)| value.clone()).filter(|value| !value.is_empty());
            insert = insert.bind(page.iter().map(value).collect::<Vec<_>>());
        }
        insert.execute(&mut *connection).await?;
    }
    Ok(clock.monotonic().saturating_sub(began))
}

pub(crate) async fn measure(site: &Site) -> Result<Pair> {
    let clock = SystemClock;
    let carrier = carrier(site)?;
    let rows = rows::rows_named(&rows::FIELDS.map(|name| name.to_lowercase().into()));
    let url = std::fs::read_to_string(site.folder.join("url"))?;
    let mut plain = PgConnection::connect(&url).await?;
    let mut pair = Pair::new(
        "exchange database, PostgreSQL, pages of 2,000 rows",
        "multi-row inserts of the same rows, a transaction a page",
        0.7,
    );
    for round in 0..=ROUNDS {
        // Both tables are empty at the beginning of a round.
        plain.execute("TRUNCATE ours, plain").await?;
        let head = rows::head(i64::try_from(round)? + 1, PAGE_ROWS);
        let began = clock.monotonic();
        for (page, rows) in rows::pages(&rows, PAGE_ROWS) {
            let of = Delivery { package: &head, page, key: "obx_1", rows };
            carrier.deliver(&of).await.map_err(|failed| anyhow::anyhow!(failed.detail))?;
        }
        let ours = clock.monotonic().saturating_sub(began);
        let floor = insert_plainly(&mut plain, &rows).await?;
        if round > 0 {
            pair.rounds.push((ours, floor));
        }
    }
    plain.close().await?;
    Ok(pair)
}

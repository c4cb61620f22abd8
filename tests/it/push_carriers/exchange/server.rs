//! The tables of a platform in a database of a real server, and the platform's file for them.

use std::time::Duration;

use medcredit::{
    domain::ManualClock,
    outbox::Receipt,
    push::{
        carrier::{Carrier as _, Delivery, Failed, PackageHead, Row, exchange::Exchange},
        platform::{Carrier, Content, ControlTable, Engine, ExchangeSettings, Operation, Platform},
    },
    store::exchange::{ExchangeAccess, Identifier},
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row as _, postgres::PgConnectOptions};

use super::super::open::shipped;
use crate::support::{cluster::cluster, mariadb::mariadb, pki::NOW};

/// The user of the gateway, who may insert and select.
const WRITER: &str = "front_writer";
pub const PASSWORD: &str = "wr1ter-pass";

const TABLES: &str = "\
    CREATE TABLE t_grades (record_unique_identity varchar(100) NOT NULL, opt_type char(1) NOT NULL, exchange_flag smallint, \
        cd_time TIME_TYPE, source_dept_code varchar(20), env_flag smallint, ver integer, batch_no varchar(100), \
        result varchar(20), reason varchar(10), note varchar(200), ztmc varchar(40), pjdj varchar(10)); \
    CREATE TABLE t_usage (record_unique_identity varchar(100), opt_type char(1), exchange_flag char(1), cd_time varchar(30), \
        source_dept_code varchar(20), env_flag char(1), ver varchar(10), batch_no varchar(100), \
        result varchar(20), reason varchar(10), note varchar(200), tjq varchar(20), sqs varchar(20)); \
    CREATE TABLE t_control (table_name varchar(64), batch_no varchar(100), row_count integer, data_digest varchar(64), \
        cd_time TIME_TYPE);";

/// A database with the tables.
#[derive(Debug)]
pub struct Front {
    pub engine: Engine,
    database: String,
    files: tempfile::TempDir,
}

pub fn name(text: &str) -> Identifier {
    text.parse().unwrap()
}

impl Front {
    pub async fn open(engine: Engine) -> Self {
        let files = tempfile::tempdir().unwrap();
        let front = match engine {
            Engine::Postgres => Self { engine, database: cluster().empty_database().await, files },
            Engine::Mariadb => Self { engine, database: mariadb().empty_database().await, files },
        };
        let time = if engine == Engine::Postgres { "timestamp" } else { "datetime" };
        front.execute(&TABLES.replace("TIME_TYPE", time)).await;
        match engine {
            Engine::Postgres => {
                cluster().create_role(WRITER).await;
                front.execute(&format!("GRANT INSERT, SELECT ON t_grades, t_usage, t_control TO {WRITER}")).await;
                front.address(&cluster().url_as(WRITER, &front.database));
            }
            Engine::Mariadb => {
                let grants = ["t_grades", "t_usage", "t_control"].map(|table| {
                    format!("GRANT INSERT, SELECT ON {}.{table} TO {WRITER}@'127.0.0.1';", front.database)
                });
                let user = format!("CREATE USER IF NOT EXISTS {WRITER}@'127.0.0.1' IDENTIFIED BY '{PASSWORD}';");
                front.execute(&(user + &grants.concat())).await;
                front.address(&mariadb().url(WRITER, PASSWORD, &front.database));
            }
        }
        front
    }

    /// Puts an address into the carrier's file.
    pub fn address(&self, url: &str) {
        std::fs::write(self.files.path().join("url"), format!("{url}\n")).unwrap();
    }

    /// The address for the gateway's user with another password, or another user.
    pub fn address_as(&self, user: &str, password: &str) -> String {
        match self.engine {
            Engine::Postgres => cluster().url_as(user, &self.database),
            Engine::Mariadb => mariadb().url(user, password, &self.database),
        }
    }

    /// Runs statements as the owner of the tables.
    pub async fn execute(&self, sql: &str) {
        match self.engine {
            Engine::Postgres => {
                let mut connection = self.postgres().await;
                connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))).await.unwrap();
                connection.close().await.unwrap();
            }
            Engine::Mariadb => mariadb().execute(&self.database, sql).await,
        }
    }

    /// A connection of the owner of the tables.
    pub async fn postgres(&self) -> sqlx::PgConnection {
        let options: PgConnectOptions = cluster().url(&self.database).parse().unwrap();
        options.connect().await.unwrap()
    }

    /// A connection of the owner of the tables.
    pub async fn mariadb(&self) -> sqlx::MySqlConnection {
        mariadb().options(&self.database).connect().await.unwrap()
    }

    /// Runs a statement as the gateway's user.
    pub async fn execute_as_writer(&self, sql: &'static str) -> sqlx::Result<()> {
        let url = self.address_as(WRITER, PASSWORD);
        match self.engine {
            Engine::Postgres => {
                let mut connection = sqlx::PgConnection::connect(&url).await?;
                sqlx::query(sql).execute(&mut connection).await.map(drop)
            }
            Engine::Mariadb => {
                let mut connection = sqlx::MySqlConnection::connect(&url).await?;
                sqlx::query(sql).execute(&mut connection).await.map(drop)
            }
        }
    }

    /// Ends a connection of this database that waits for the control table. False if none waits.
    pub async fn end_waiting_writer(&self) -> bool {
        match self.engine {
            Engine::Postgres => {
                let sql = "SELECT CAST(COUNT(pg_terminate_backend(pid)) AS text) FROM pg_stat_activity \
                           WHERE datname = current_database() AND wait_event_type = 'Lock' AND query LIKE '%t_control%'";
                self.rows(sql).await[0][0] != "0"
            }
            Engine::Mariadb => {
                let sql = "SELECT CAST(id AS char) FROM information_schema.processlist \
                           WHERE db = DATABASE() AND info LIKE '%INSERT INTO `t_control`%' AND state LIKE 'Waiting for%'";
                let Some(waiting) = self.rows(sql).await.pop() else { return false };
                self.execute(&format!("KILL CONNECTION {}", waiting[0])).await;
                true
            }
        }
    }

    /// Inserts into a table in memory until it is full.
    pub async fn fill(&self, table: &str) {
        let mut connection = self.mariadb().await;
        let sql = format!("INSERT INTO {table} SELECT 't', seq, 1, 'd', NOW() FROM seq_1_to_1000");
        while connection.execute(sqlx::raw_sql(AssertSqlSafe(sql.clone()))).await.is_ok() {}
    }

    /// The rows of a query whose columns are texts; NULL is `-`.
    pub async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let sql = AssertSqlSafe(sql.to_owned());
        match self.engine {
            Engine::Postgres => {
                let mut connection = self.postgres().await;
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| text(row.get(at))).collect()).collect()
            }
            Engine::Mariadb => {
                let mut connection = self.mariadb().await;
                let rows = sqlx::query(sql).fetch_all(&mut connection).await.unwrap();
                connection.close().await.unwrap();
                rows.iter().map(|row| (0..row.len()).map(|at| text(row.get(at))).collect()).collect()
            }
        }
    }

    /// A number out of a query.
    pub async fn count(&self, condition: &str) -> usize {
        let cast = if self.engine == Engine::Postgres { "text" } else { "char" };
        let rows = self.rows(&format!("SELECT CAST(COUNT(*) AS {cast}) FROM {condition}")).await;
        rows[0][0].parse().unwrap()
    }

    /// The file of a platform with these tables, in which every optional column is there.
    pub fn settings(&self) -> ExchangeSettings {
        let Carrier::Exchange(settings) = shipped("provincial-credit-exchange").carrier else {
            panic!("another carrier")
        };
        let mut settings = *settings;
        settings.access = ExchangeAccess {
            engine: self.engine,
            url_file: self.files.path().join("url"),
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(20),
            connections: 4,
        };
        settings.schema = None;
        settings.grades_table = Some(name("t_grades"));
        settings.usage_table = Some(name("t_usage"));
        let columns = &mut settings.columns;
        columns.version = Some(name("ver"));
        columns.batch = Some(name("batch_no"));
        columns.result = Some(name("result"));
        columns.reason = Some(name("reason"));
        columns.note = Some(name("note"));
        settings.control = Some(ControlTable {
            table: name("t_control"),
            data_table: name("table_name"),
            batch: name("batch_no"),
            rows: name("row_count"),
            digest: name("data_digest"),
            inserted_at: name("cd_time"),
        });
        settings
    }

    /// The carrier with these settings.
    pub fn carrier_with(&self, settings: ExchangeSettings) -> Exchange {
        Exchange::new(&platform(), settings, ManualClock::new(NOW)).unwrap()
    }

    pub fn carrier(&self) -> Exchange {
        self.carrier_with(self.settings())
    }
}

/// The provincial platform, with few fields.
fn platform() -> Platform {
    let mut platform = shipped("provincial-credit-exchange");
    "city-credit".clone_into(&mut platform.id);
    platform.grades.as_mut().unwrap().fields.retain(|field| matches!(field.name.as_str(), "ztmc" | "pjdj"));
    platform.usage.as_mut().unwrap().fields.retain(|field| matches!(field.name.as_str(), "tjq" | "sqs"));
    assert!(platform.grades.as_ref().unwrap().fields.iter().all(|field| matches!(field.content, Content::Value(_))));
    platform
}

/// A row with a name and a grade.
pub fn grade(record: &str, version: i64, operation: Operation, name: &str, grade: &str) -> Row {
    let fields = [("ztmc", name), ("pjdj", grade)].map(|(name, value)| (name.into(), value.to_owned()));
    Row { record_id: record.to_owned(), version, operation, fields: fields.into() }
}

/// Grades of institutions with these numbers.
pub fn grades(numbers: std::ops::Range<u32>) -> Vec<Row> {
    let row = |number| grade(&format!("run_1:H{number:05}"), 1, Operation::Insert, &format!("第{number}医院"), "A");
    numbers.map(row).collect()
}

/// Delivers a page.
pub async fn deliver(carrier: &Exchange, package: &PackageHead, page: u32, rows: &[Row]) -> Result<Receipt, Failed> {
    carrier.deliver(&Delivery { package, page, key: &format!("obx_{page}"), rows }).await
}

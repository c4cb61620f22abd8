//! Rows in the tables of front-end exchange databases: a real PostgreSQL, and a real MariaDB.

mod delivery;
mod failures;
mod holdings;
mod server;

/// Runs tests on both engines.
macro_rules! both_databases {
    ($($name:ident),+ $(,)?) => {
        mod on_postgres { $(#[test] fn $name() { crate::support::block_on(super::$name(medcredit::push::platform::Engine::Postgres)); })+ }
        mod on_mariadb { $(#[test] fn $name() { crate::support::block_on(super::$name(medcredit::push::platform::Engine::Mariadb)); })+ }
    };
}
use both_databases;

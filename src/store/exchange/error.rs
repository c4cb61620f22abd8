//! What went wrong at another party's database, classified as far as an operator or a repeated attempt acts on it. Never with a
//! value or a part of the address.

use std::io;

use sqlx::{error::DatabaseError, mysql::MySqlDatabaseError};

/// Why a batch was not written, or rows not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// The file with the address cannot be used.
    #[error("{0}")]
    UrlFile(String),
    /// The name of the host resolves to no address.
    #[error("the database's host is not found: {0}")]
    Name(String),
    /// Nothing listens at the address.
    #[error("the database refuses connections: nothing listens at its address")]
    Refused,
    #[error("the TLS connection to the database failed: {0}")]
    Tls(String),
    /// The database did not answer in time.
    #[error("the database did not answer in time: it may be overloaded, or a table is locked")]
    Timeout,
    /// The connection ended: whether the batch is there is unknown.
    #[error("the connection to the database ended: {0}")]
    Closed(String),
    /// User or password are not accepted.
    #[error("the database does not accept the user or the password ({0}): correct the file of `url_file`")]
    Credentials(String),
    /// A right is missing.
    #[error("the database refuses it ({0}): the user needs INSERT and SELECT on the tables, and on the schema USAGE")]
    Permission(String),
    /// A table, a column or the database is not there.
    #[error("the database has no such table or column ({0}): compare the platform's file with the tables")]
    Missing(String),
    /// There is no room.
    #[error("the database has no room left ({0}): have its operator make room")]
    Full(String),
    /// A row with the same key is there.
    #[error("a unique key of the table has the row already ({0}): have the platform's operator look at it")]
    Duplicate(String),
    /// A value does not fit its column.
    #[error("a column does not take a value ({0}): compare the fields' types and lengths with the table's columns")]
    Value(String),
    /// Another failure.
    #[error("the database failed: {0}")]
    Other(String),
}

/// Classifies a failure of the driver.
pub(super) fn failed(error: &sqlx::Error) -> ExchangeError {
    match error {
        sqlx::Error::Database(error) => match error.try_downcast_ref::<MySqlDatabaseError>() {
            Some(error) => of_mariadb(error),
            None => of_postgres(&**error),
        },
        sqlx::Error::Io(error) => of_io(error),
        sqlx::Error::PoolTimedOut => ExchangeError::Timeout,
        sqlx::Error::Tls(error) => ExchangeError::Tls(error.to_string()),
        sqlx::Error::Protocol(_) | sqlx::Error::WorkerCrashed | sqlx::Error::PoolClosed => {
            ExchangeError::Closed("it broke the protocol".to_owned())
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => {
            ExchangeError::Other("a value of the table is not text".to_owned())
        }
        // Not its text: of the rest some have the address.
        _ => ExchangeError::Other("the driver could not use the connection".to_owned()),
    }
}

fn of_io(error: &io::Error) -> ExchangeError {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => ExchangeError::Refused,
        io::ErrorKind::TimedOut => ExchangeError::Timeout,
        io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            ExchangeError::Closed("whether it has the rows is unknown; the next attempt looks".to_owned())
        }
        // What a resolver reports has no kind of its own.
        _ if error.to_string().contains("lookup address") => ExchangeError::Name(error.to_string()),
        _ => ExchangeError::Other(error.to_string()),
    }
}

/// Of PostgreSQL's states: appendix A of its manual.
fn of_postgres(error: &dyn DatabaseError) -> ExchangeError {
    let code = error.code().unwrap_or_default().into_owned();
    let named = || match error.constraint().or_else(|| error.table()) {
        Some(name) => format!("{code}, {name}"),
        None => code.clone(),
    };
    match code.as_str() {
        "28000" | "28P01" => ExchangeError::Credentials(code),
        "42501" | "25006" => ExchangeError::Permission(format!("{code}: {}", error.message())),
        "42P01" | "42703" | "3D000" | "3F000" => ExchangeError::Missing(format!("{code}: {}", error.message())),
        "53100" | "53200" => ExchangeError::Full(code),
        "55P03" | "57014" | "40P01" | "40001" => ExchangeError::Timeout,
        "23505" => ExchangeError::Duplicate(named()),
        "53300" | "57P01" | "57P02" | "57P03" | "08006" => ExchangeError::Closed(code),
        code if code.starts_with("22") || code.starts_with("23") || code == "42804" => ExchangeError::Value(named()),
        _ => ExchangeError::Other(code),
    }
}

/// Of MariaDB's numbers, which are also MySQL's.
fn of_mariadb(error: &MySqlDatabaseError) -> ExchangeError {
    let number = error.number();
    let named = || match column_of(error.message()) {
        Some(column) => format!("{number}, column {column}"),
        None => number.to_string(),
    };
    match number {
        1045 | 1698 | 1524 | 1251 => ExchangeError::Credentials(number.to_string()),
        1044 | 1142 | 1143 | 1227 | 1290 | 1792 | 1836 => ExchangeError::Permission(number.to_string()),
        1146 | 1054 | 1049 => ExchangeError::Missing(format!("{number}: {}", error.message())),
        1021 | 1114 | 1030 | 3 => ExchangeError::Full(number.to_string()),
        1205 | 1213 | 1969 | 3024 => ExchangeError::Timeout,
        1062 => ExchangeError::Duplicate(number.to_string()),
        1040 | 1053 | 1203 | 1927 => ExchangeError::Closed(number.to_string()),
        1048 | 1264 | 1265 | 1292 | 1364 | 1366 | 1406 | 4025 | 1267 | 3819 => ExchangeError::Value(named()),
        _ => ExchangeError::Other(number.to_string()),
    }
}

/// The column that a message names: a plain name, so that it cannot be a value.
fn column_of(message: &str) -> Option<&str> {
    let (_, rest) = message.split_once("olumn ")?;
    let name = rest.trim_start_matches(['\'', '`']).split(['\'', '`']).next()?;
    // Some have `database`.`table`.`column`, of which the last is meant.
    let name = if rest.starts_with('`') {
        rest.split('`').filter(|part| !part.is_empty() && *part != ".").nth(2)?
    } else {
        name
    };
    name.parse::<super::Identifier>().is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::column_of;

    #[test]
    fn a_message_names_a_column_and_never_a_value() {
        for (message, column) in [
            ("Data too long for column 'pjmc' at row 1", Some("pjmc")),
            ("Incorrect string value: '\\xF0\\x9F' for column `front`.`t`.`ztmc` at row 3", Some("ztmc")),
            ("Column 'a' cannot be null", Some("a")),
            ("Data too long for column '某人' at row 1", None),
            ("Out of range", None),
        ] {
            assert_eq!(column_of(message), column, "{message}");
        }
    }
}

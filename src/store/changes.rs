//! The change number, by which processes notice each other's changes.

use super::{Db, DbError, Tx, args, record};

record! {
    struct NumberRow {
        number: i64,
    }
}

const CURRENT: &str = "/* changes::current */ SELECT number FROM change_counter WHERE id = 1";
// An update and not a sequence: the row's lock makes the order of numbers that of commits.
const RAISE: &str = "/* changes::raise */ UPDATE change_counter SET number = number + 1 WHERE id = 1";

/// The change number: other processes compare it with the one they read last.
pub async fn current(db: &Db) -> Result<i64, DbError> {
    db.read("changes::current").fetch_one::<NumberRow>(CURRENT, args![]).await.map(|row| row.number)
}

/// Increments the change number in the transaction of a change, so that other processes notice it.
pub async fn raise(tx: &mut Tx) -> Result<(), DbError> {
    tx.execute(RAISE, args![]).await.map(|_| ())
}

//! The ends of access, as the database numbers them. A transaction adds its own with [`super::Tx::end`].

use super::{Db, DbError, EndRow, args};

const SINCE: &str = "/* ends::since */
    SELECT number, id, epoch, kind, target, detail, actor, at FROM ends WHERE number >= $1 ORDER BY number";

/// The ends from a number on.
pub async fn since(db: &Db, number: i64) -> Result<Vec<EndRow>, DbError> {
    db.read("ends::since").fetch_all(SINCE, args![number]).await
}

//! What the end of a delivery looks at once more.

use crate::store::{DbError, Tx, args, record};

record! {
    struct IdRow {
        id: String,
    }
}

const CLIENT_STANDS: &str = "/* ledger::client_stands */ \
    SELECT id FROM clients WHERE id = $1 AND epoch = $2 AND state = 'active'";

/// Whether a client is active and of an epoch still, under its lock.
pub async fn client_stands(tx: &mut Tx, client: &str, epoch: i64) -> Result<bool, DbError> {
    let found: Option<IdRow> = tx.fetch_optional(CLIENT_STANDS, args![client, epoch]).await?;
    Ok(found.is_some_and(|row| row.id == client))
}

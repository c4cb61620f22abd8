//! Reads what the ledger publishes, for rooms that have no database handle.

use crate::{
    domain::Failure,
    ledger::{self, ProofStatus},
    merkle::TileId,
    store::Db,
};

/// Reads checkpoints, tiles, entries and proofs of the ledger.
#[derive(Debug)]
pub struct LogReader {
    db: Db,
}

impl LogReader {
    pub(super) const fn new(db: Db) -> Self {
        Self { db }
    }

    /// The newest checkpoint; none before the first one is signed.
    pub async fn checkpoint(&self) -> Result<Option<String>, Failure> {
        Ok(ledger::checkpoint(&self.db).await?)
    }

    /// The hashes of a tile, if a checkpoint covers it.
    pub async fn tile(&self, id: TileId, width: u16) -> Result<Option<Vec<u8>>, Failure> {
        Ok(ledger::published_tile(&self.db, id, width).await?)
    }

    /// The entries below a tile of level 0, if a checkpoint covers it.
    pub async fn entries(&self, id: TileId, width: u16) -> Result<Option<Vec<u8>>, Failure> {
        Ok(ledger::entry_bundle(&self.db, id, width).await?)
    }

    /// The proof of a disclosure that was made to a client.
    pub async fn prove(&self, disclosure: &str, client: &str) -> Result<Option<ProofStatus>, Failure> {
        Ok(ledger::prove(&self.db, disclosure, Some(client)).await?)
    }

    /// The proof of any entry, for those who read the whole ledger.
    pub async fn prove_any(&self, entry: &str) -> Result<Option<ProofStatus>, Failure> {
        Ok(ledger::prove(&self.db, entry, None).await?)
    }
}

//! The log of disclosures: its checkpoint, tiles, entry bundles and keys, and proofs that a disclosure is in it.

pub mod checkpoint;
pub mod entries;
pub mod keys;
pub mod proof;
pub mod tile;

/// Raw bytes.
#[derive(Debug, utoipa::ToSchema)]
#[schema(value_type = String, format = Binary)]
pub struct Binary(());

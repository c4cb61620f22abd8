//! A page in the directory of unfinished files: a line about it, then its bytes as they will be in the data file.

use serde::{Deserialize, Serialize};

use crate::push::sha256;

/// What the line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartHead {
    pub(super) rows: u64,
    /// The columns of a CSV file; none in another format, or without rows.
    pub(super) columns: Vec<String>,
    /// The digest of the bytes.
    pub(super) sha256: String,
}

/// A page of a data file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) head: PartHead,
    pub(super) body: Vec<u8>,
}

impl Part {
    pub(super) fn new(rows: usize, columns: Vec<String>, body: Vec<u8>) -> Self {
        let rows = u64::try_from(rows).unwrap_or(u64::MAX);
        Self { head: PartHead { rows, columns, sha256: sha256(&body) }, body }
    }

    /// The bytes of the file.
    pub(super) fn to_bytes(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(&self.head)?;
        bytes.reserve_exact(self.body.len() + 1);
        bytes.push(b'\n');
        bytes.extend_from_slice(&self.body);
        Ok(bytes)
    }

    /// Reads a page, and compares its digest: none if it was damaged.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: PartHead = serde_json::from_slice(&bytes[..end]).ok()?;
        let body = bytes[end + 1..].to_vec();
        (sha256(&body) == head.sha256).then_some(Self { head, body })
    }
}

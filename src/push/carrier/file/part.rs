//! A page in the directory of unfinished files: a line about it, then its bytes as they will be in the data file.

use serde::{Deserialize, Serialize};

/// What the line says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct PartHead {
    pub(super) rows: u64,
    /// The columns of a CSV file; none in another format, or without rows.
    pub(super) columns: Vec<String>,
    /// The fingerprint of the bytes.
    pub(super) fingerprint: String,
}

/// What damage and a mistaken repetition change: CRC-32 and length. The directory is ours alone, so that nobody forges what is in it, and
/// the receiver gets SHA-256 of the whole file.
fn fingerprint(bytes: &[u8]) -> String {
    format!("crc32 {:08x}, {} bytes", crc32fast::hash(bytes), bytes.len())
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
        Self { head: PartHead { rows, columns, fingerprint: fingerprint(&body) }, body }
    }

    /// The first line of the file.
    pub(super) fn line(&self) -> serde_json::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(&self.head)?;
        line.push(b'\n');
        Ok(line)
    }

    /// Reads a page, and compares its digest: none if it was damaged.
    pub(super) fn read(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().position(|byte| *byte == b'\n')?;
        let head: PartHead = serde_json::from_slice(bytes.get(..end)?).ok()?;
        bytes.drain(..=end);
        (fingerprint(&bytes) == head.fingerprint).then_some(Self { head, body: bytes })
    }
}

//! The manifest of a data file, and the record that a package is closed.

use serde::{Deserialize, Serialize};

use super::{super::PackageHead, Target, names::FileNames};
use crate::domain::Timestamp;

/// The identifier of the format.
const FORMAT: &str = "medcredit-file/1";

/// A data file as it was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Written {
    pub(super) rows: u64,
    pub(super) bytes: u64,
    /// Hex SHA-256.
    pub(super) sha256: String,
}

#[derive(Serialize)]
struct Manifest<'a> {
    format: &'a str,
    source: &'a str,
    platform: &'a str,
    package: i64,
    dataset: &'a str,
    period: &'a str,
    made_at: Timestamp,
    digest: &'a str,
    file: &'a str,
    encoding: &'a str,
    #[serde(flatten)]
    written: &'a Written,
}

/// The bytes of a manifest: the same for the same package.
pub(super) fn manifest(
    target: &Target,
    package: &PackageHead,
    names: &FileNames,
    written: &Written,
) -> serde_json::Result<Vec<u8>> {
    let manifest = Manifest {
        format: FORMAT,
        source: target.source.as_str(),
        platform: &package.platform,
        package: package.number,
        dataset: &package.dataset,
        period: &package.period,
        made_at: package.made_at,
        digest: &package.digest,
        file: &names.data,
        encoding: target.form.encoding.registered(),
        written,
    };
    let mut bytes = serde_json::to_vec_pretty(&manifest)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// The record of a closed package. It stays when the receiver has taken the files away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Closed {
    pub(super) written: Written,
    /// The fingerprints of the pages.
    pub(super) pages: Vec<String>,
}

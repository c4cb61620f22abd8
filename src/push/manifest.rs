//! The manifest of a package: `manifest.json`.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::Receiver;
use crate::{
    domain::Timestamp,
    grading::InForceRound,
    scoring::{Mapping, SchemeRef},
};

/// The identifier of the package format.
pub(super) const FORMAT: &str = "medcredit-package/1";

/// A data file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFile {
    pub name: String,
    /// SHA-256, hex.
    pub sha256: String,
    /// The number of bytes.
    pub bytes: usize,
    /// The number of records.
    pub records: usize,
}

/// The numbers of subjects of the round that are not in the package, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Subjects with an open objection.
    pub under_objection: usize,
    /// Natural persons whom the receiver may not have.
    pub natural_persons: usize,
}

/// The mapping of the grades in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedBy {
    pub mapping: String,
    /// The digest of the mapping table, see [`mapping_digest`].
    pub digest: String,
    /// The mapped scheme, that of the round.
    pub from: SchemeRef,
    /// The id of the receiver's scheme.
    pub to: String,
    /// Whether the grade in our own scheme is included too.
    pub own_grade: bool,
}

/// The manifest of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `medcredit-package/1`.
    pub format: String,
    pub receiver: String,
    /// When it was made.
    pub made_at: Timestamp,
    pub run: String,
    /// The kind of subject.
    pub kind: String,
    pub period: String,
    pub scheme: String,
    pub scheme_version: i64,
    /// The mapping, where grades of the receiver's scheme are included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_by: Option<MappedBy>,
    /// The last day on which the grades are valid.
    pub valid_until: Option<String>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of the results, before corrections.
    pub outcome_digest: String,
    /// The number of results with corrections.
    pub corrected: usize,
    pub files: Vec<DataFile>,
    /// The subjects that are not included.
    pub left_out: LeftOut,
}

impl Manifest {
    /// The manifest of a package of a round for a receiver.
    pub(super) fn of(
        round: InForceRound,
        receiver: &Receiver,
        mapping: Option<&Mapping>,
        file: DataFile,
        left_out: LeftOut,
        now: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            receiver: receiver.id.clone(),
            made_at: now,
            // Version 1 is the publication; every correction raises it.
            corrected: round.results.iter().filter(|result| result.version > 1).count(),
            run: round.head.run,
            kind: round.head.kind,
            period: round.head.period,
            scheme: round.head.scheme,
            scheme_version: round.scheme.version,
            mapped_by: mapping.map(|mapping| MappedBy {
                mapping: mapping.receiver().to_owned(),
                digest: mapping_digest(mapping),
                from: mapping.from().clone(),
                to: mapping.to().scheme.clone(),
                own_grade: receiver.own_grade,
            }),
            valid_until: round.valid_until,
            model_digest: round.model_digest,
            outcome_digest: round.outcome_digest,
            files: vec![file],
            left_out,
        }
    }
}

/// The digest by which a manifest names a mapping table: SHA-256 over its canonical form, hex.
pub fn mapping_digest(mapping: &Mapping) -> String {
    sha256(mapping.canonical().as_bytes())
}

/// SHA-256 in hex, as manifests and ledger entries of exports have it.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

//! The manifest of a package: `manifest.json`.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::platform::Platform;
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
    /// Natural persons whom the platform may not have.
    pub natural_persons: usize,
    /// Subjects that have ended their agreement themselves, or whose licence was revoked.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub closed: usize,
}

/// The mapping of the grades in a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedBy {
    pub mapping: String,
    /// The digest of the mapping table, see [`mapping_digest`].
    pub digest: String,
    /// The mapped scheme, that of the round.
    pub from: SchemeRef,
    /// The id of the platform's scheme.
    pub to: String,
    /// Whether the grade in our own scheme is included too.
    pub own_grade: bool,
}

/// The manifest of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `medcredit-package/1`.
    pub format: String,
    /// The id of the platform.
    pub receiver: String,
    /// SHA-256 of the platform's file by which it was made; absent from packages of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform_sha256: Option<String>,
    /// The platform's code of the data set; absent from packages of former versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dataset: Option<String>,
    /// When it was made.
    pub made_at: Timestamp,
    pub run: String,
    /// The kind of subject.
    pub kind: String,
    pub period: String,
    pub scheme: String,
    pub scheme_version: i64,
    /// The mapping, where grades of the platform's scheme are included.
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
    /// The number of subjects that are included with the mark of an open objection.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub marked: usize,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde calls")]
const fn is_zero(number: &usize) -> bool {
    *number == 0
}

/// What a package contains.
#[derive(Debug)]
pub(super) struct Contents {
    pub(super) file: DataFile,
    pub(super) left_out: LeftOut,
    pub(super) marked: usize,
    /// Results with corrections, also of subjects that are left out.
    pub(super) corrected: usize,
}

impl Manifest {
    /// The manifest of a package of a round for a platform.
    pub(super) fn of(
        round: InForceRound,
        platform: &Platform,
        mapping: Option<&Mapping>,
        contents: Contents,
        now: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            receiver: platform.id.clone(),
            platform_sha256: Some(platform.digest.clone()),
            dataset: platform.grades.as_ref().map(|grades| grades.dataset.clone()),
            made_at: now,
            // Version 1 is the publication; every correction raises it.
            corrected: contents.corrected,
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
                own_grade: platform.own_grade,
            }),
            valid_until: round.valid_until,
            model_digest: round.model_digest,
            outcome_digest: round.outcome_digest,
            files: vec![contents.file],
            left_out: contents.left_out,
            marked: contents.marked,
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

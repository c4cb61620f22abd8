//! What a package says of itself: `manifest.json`.

use aws_lc_rs::digest::{SHA256, digest};
use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::Receiver;
use crate::{
    domain::Timestamp,
    grading::InForceRound,
    scoring::{Mapping, SchemeRef},
};

/// The word for the form of packages.
pub(super) const FORMAT: &str = "medcredit-package/1";

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileOf {
    /// Its name.
    pub name: String,
    /// SHA-256, hex.
    pub sha256: String,
    /// How many bytes it has.
    pub bytes: usize,
    /// How many records it has.
    pub records: usize,
}

/// Who of the round is not in a package, and why.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// With an open objection.
    pub under_objection: usize,
    /// Natural persons the receiver may have nothing of.
    pub natural_persons: usize,
}

/// In whose words the grades of a package are, and by which table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappedBy {
    /// The mapping.
    pub mapping: String,
    /// The digest of the table that maps the round's scheme, as [`mapping_digest`] has it.
    pub digest: String,
    /// The scheme that is mapped, the round's.
    pub from: SchemeRef,
    /// The scheme that it is mapped to.
    pub to: String,
    /// Whether the grade in our own words stands beside it.
    pub own_grade: bool,
}

/// What a package says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// `medcredit-package/1`.
    pub format: String,
    /// The receiver.
    pub receiver: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The round.
    pub run: String,
    /// The kind of subject.
    pub kind: String,
    /// The half-year.
    pub period: String,
    /// The scheme.
    pub scheme: String,
    /// Its version.
    pub scheme_version: i64,
    /// In whose words the grades are, where they are not only in the scheme's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mapped_by: Option<MappedBy>,
    /// The last day on which the grades are good.
    pub valid_until: Option<String>,
    /// The digest of the model.
    pub model_digest: String,
    /// The digest of what the run came to, before corrections.
    pub outcome_digest: String,
    /// How many results were corrected since.
    pub corrected: usize,
    /// The data.
    pub files: Vec<FileOf>,
    /// Who is not in it.
    pub left_out: LeftOut,
}

impl Manifest {
    /// What is said of a package of a round for a receiver.
    pub(super) fn of(
        round: InForceRound,
        (receiver, mapping): (&Receiver, Option<&Mapping>),
        (file, left_out): (FileOf, LeftOut),
        now: Timestamp,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            receiver: receiver.id.clone(),
            made_at: now,
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

/// SHA-256, as manifests and the ledger's entries of exports write it: hex.
pub fn sha256(bytes: &[u8]) -> String {
    HEXLOWER.encode(digest(&SHA256, bytes).as_ref())
}

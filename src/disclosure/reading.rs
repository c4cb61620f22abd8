//! What a kind of data answer declares about itself, and what all of them start from.

use std::borrow::Cow;

use serde::Serialize;

use super::{Disclosures, render::Members};
use crate::{
    access::Caller,
    consent::{ConsentPermit, MonthRange},
    domain::{Failure, HalfYear, Month, permission::Permission},
    grading::CurrentAssessment,
};

/// A kind of data answer: the permissions it needs, its period, and how it is read. One file of this room each.
///
/// Everything in an answer must be covered by the versions that the append compares, and be read after them: it is cached
/// under these versions (see `cache.rs`).
pub trait Reading: Copy + Send + Sync + 'static {
    /// The `operationId` of its operation in the OpenAPI document. Part of the cache key.
    const OPERATION: &'static str;

    /// The permissions to read under. The consent must have at least one of them.
    fn permissions(&self, caller: &Caller) -> Cow<'static, [Permission]>;

    /// The period that the caller requested.
    fn period(&self) -> RequestedPeriod {
        RequestedPeriod::None
    }

    /// Step 4 of the cycle: reads the answer that a permit allows.
    fn read(
        self,
        room: &Disclosures,
        permit: &ConsentPermit,
        current: CurrentGrades,
    ) -> impl Future<Output = Result<CachedReading, Failure>> + Send;
}

/// The period a caller requested. An end that is absent is the consent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestedPeriod {
    /// The answer has no period.
    None,
    /// Months; the permit compares them with the consent's.
    Months(MonthRange),
    /// Half-years; the reading itself compares them with the consent's months.
    HalfYears {
        /// The first.
        from: Option<HalfYear>,
        /// The last.
        to: Option<HalfYear>,
    },
}

impl RequestedPeriod {
    /// The months that the permit must cover.
    pub(super) const fn months(self) -> Option<MonthRange> {
        match self {
            Self::Months(months) => Some(months),
            Self::None | Self::HalfYears { .. } => None,
        }
    }
}

/// The assessments in force of the codes of a consent, with the publication they belong to. Read first by every reading:
/// an answer rests on their versions.
#[derive(Debug)]
pub struct CurrentGrades {
    pub(super) publication: i64,
    pub(super) assessments: Vec<CurrentAssessment>,
}

/// The part of a reading that goes into the ledger entry beside its digest.
#[derive(Debug)]
pub(super) struct Extent {
    /// The permissions whose data is in the answer.
    pub(super) permissions: Vec<Permission>,
    /// The first and the last month of the data.
    pub(super) months: Option<(Month, Month)>,
}

impl Extent {
    /// One permission, and no months.
    pub(super) fn of(permission: Permission) -> Self {
        Self { permissions: vec![permission], months: None }
    }
}

/// A reading with its members serialised, and the versions it rests on.
#[derive(Debug)]
pub struct CachedReading {
    pub(super) members: Members,
    pub(super) extent: Extent,
    /// Each code with its subject's version.
    pub(super) subjects: Vec<(String, i64)>,
    pub(super) publication: i64,
    /// The refusal that the caller gets instead of the members, once it is recorded.
    pub(super) refusal: Option<Failure>,
}

impl CachedReading {
    /// A refusal that says something of a subject, such as that none is in good standing. It rests on the same versions as
    /// an answer, and is recorded before it leaves (I1).
    pub(super) fn refused(current: &CurrentGrades, refusal: Failure, extent: Extent) -> Result<Self, Failure> {
        Ok(Self { refusal: Some(refusal), ..Self::of(current, &serde_json::Map::new(), extent)? })
    }

    /// Serialises an answer that was read after `current`.
    pub(super) fn of<T: Serialize>(current: &CurrentGrades, answer: &T, extent: Extent) -> Result<Self, Failure> {
        let subjects = current.assessments.iter().map(|of| (of.subject_code.clone(), of.subject_version)).collect();
        Ok(Self { members: Members::of(answer)?, extent, subjects, publication: current.publication, refusal: None })
    }
}

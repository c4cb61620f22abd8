//! What a package contains, counted, with what is not in it and why.

use serde::Serialize;

use crate::{
    domain::{ids::PackageId, words::words},
    push::platform::RenderError,
};

/// How many records that do not fit are named.
const UNFIT_NAMED: usize = 20;

words! {
    /// Why a package was made.
    Cause: "cause of a package" {
        /// The platform's schedule.
        Scheduled = "scheduled",
        /// Something that the platform has changed.
        Correction = "correction",
        /// Rejected rows are sent again.
        Resend = "resend",
        /// An operator.
        Manual = "manual",
    }
}

words! {
    /// Why a subject is not sent to a platform.
    NotSent: "reason of not being sent" {
        /// An objection is open.
        UnderObjection = "under_objection",
        /// It is a natural person or a sole trader, whom the platform may not have.
        NaturalPerson = "natural_person",
        /// It has ended its agreement, or its licence was revoked.
        Closed = "closed",
        /// It is no longer registered.
        Unregistered = "unregistered",
        /// The round no longer covers it.
        NotCovered = "not_covered",
        /// The platform's file no longer names its kind, or may not show it.
        KindNotNamed = "kind_not_named",
    }
}

/// Which subjects are compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// All of the round.
    All,
    /// Some, by code.
    Subjects {
        codes: Vec<String>,
        /// Whether what the platform rejected is sent again though nothing changed.
        again: bool,
    },
}

impl Scope {
    pub(super) const fn is_again(&self) -> bool {
        matches!(self, Self::Subjects { again: true, .. })
    }
}

/// A subject that is not sent to a platform.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOutSubject {
    pub code: String,
    pub because: NotSent,
}

/// The difference between what a platform is to have and what it was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Plan {
    pub platform: String,
    /// `grades` or `usage`.
    pub dataset: &'static str,
    /// The round, for grades.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    pub period: String,
    /// New records.
    pub new: u64,
    /// Records with another content.
    pub changed: u64,
    /// Records that are withdrawn.
    pub withdrawn: u64,
    /// Records that the platform has as they are.
    pub unchanged: u64,
    /// Records that it rejected as they are, and that wait for a person.
    pub rejected: u64,
    /// Records that it rejected as they are, and that a person waived.
    pub waived: u64,
    /// Records that do not fit the platform's fields, and are not sent until they do.
    pub unfit_rows: u64,
    /// The first of them, each with what is wrong.
    pub unfit: Vec<String>,
    /// Subjects of the round that it does not have.
    pub left_out: Vec<LeftOutSubject>,
}

impl Plan {
    /// A plan of which nothing is counted yet.
    pub(super) fn empty(platform: &str, dataset: &'static str, period: &str) -> Self {
        Self {
            platform: platform.to_owned(),
            dataset,
            run: None,
            kind: None,
            period: period.to_owned(),
            new: 0,
            changed: 0,
            withdrawn: 0,
            unchanged: 0,
            rejected: 0,
            waived: 0,
            unfit_rows: 0,
            unfit: Vec::new(),
            left_out: Vec::new(),
        }
    }

    /// Notes a record that does not fit: the others are sent, and a person reads what is wrong with this one.
    pub(super) fn does_not_fit(&mut self, error: &RenderError) {
        self.unfit_rows += 1;
        if self.unfit.len() < UNFIT_NAMED {
            self.unfit.push(error.to_string());
        }
    }

    /// The rows of the package.
    pub const fn rows(&self) -> u64 {
        self.new + self.changed + self.withdrawn
    }

    /// How many subjects are left out for a reason.
    pub fn left_out_for(&self, reason: NotSent) -> usize {
        self.left_out.iter().filter(|subject| subject.because == reason).count()
    }
}

/// A frozen package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MadePackage {
    pub id: PackageId,
    /// Its place among the platform's packages.
    pub number: i64,
    pub rows: u64,
    pub pages: u64,
    /// SHA-256 over the digests of its pages, hex.
    pub digest: String,
}

/// The outcome of making a package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Made {
    pub plan: Plan,
    /// None where the platform has everything already.
    pub package: Option<MadePackage>,
}

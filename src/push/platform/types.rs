//! A platform: what it may have, when, by which carrier, and under which names.

use super::{
    carrier::Carrier,
    fields::{Fields, GradeValue, UsageValue},
};
use crate::{domain::words::words, scoring::Basis};

words! {
    /// Who reads what a platform receives.
    Audience: "audience" {
        /// Everybody: the platform publishes (公开).
        Public = "public",
        /// Departments, which share it among themselves (政务共享).
        Departments = "departments",
    }
}

words! {
    /// What a platform may have of natural persons.
    Natural: "rule for natural persons" {
        /// Nothing: natural persons are left out.
        None = "none",
        /// The national code and the grade; never a name or a certificate number.
        Code = "code",
    }
}

words! {
    /// What becomes of subjects with an open objection.
    OpenObjections: "rule for open objections" {
        /// They are left out until the objection is decided.
        LeaveOut = "leave_out",
        /// They are sent with a mark.
        Mark = "mark",
    }
}

words! {
    /// When the grades are sent.
    GradesSchedule: "schedule of grades" {
        /// After each round.
        HalfYearly = "half_yearly",
        /// Every month.
        Monthly = "monthly",
        /// As soon as a grade changes, and after each round.
        OnChange = "on_change",
    }
}

words! {
    /// When the use made of the grades is reported.
    UsageSchedule: "schedule of usage" {
        /// After each half-year.
        HalfYearly = "half_yearly",
        /// After each month.
        Monthly = "monthly",
    }
}

words! {
    /// How the receipts of a platform come.
    Receipts: "way of receipts" {
        /// The gateway reads what the platform lists.
        Read = "read",
        /// The platform reports them itself; the gateway reads none.
        CalledBack = "called_back",
    }
}

/// When packages are sent. A platform has a package exactly where it has a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Schedule {
    pub grades: Option<GradesSchedule>,
    pub usage: Option<UsageSchedule>,
}

/// A platform that receives packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The stable word.
    pub id: String,
    pub name_zh: String,
    /// Whether the definition was published.
    pub basis: Basis,
    /// The publication, where `basis` is `published`.
    pub source: Option<String>,
    /// The reason, where `basis` is `default`.
    pub reason: Option<String>,
    pub audience: Audience,
    /// The kinds of subject whose grades it may have.
    pub kinds: Vec<String>,
    pub natural: Natural,
    pub objections: OpenObjections,
    /// Whether it may have total points.
    pub points: bool,
    /// The mapping of grades to its own scheme.
    pub mapping: Option<String>,
    /// Whether it receives the grade in our own scheme; always true without a mapping.
    pub own_grade: bool,
    pub schedule: Schedule,
    pub carrier: Carrier,
    pub receipts: Receipts,
    /// The package with the grades of a round.
    pub grades: Option<Fields<GradeValue>>,
    /// The package with the use made of the grades.
    pub usage: Option<Fields<UsageValue>>,
    /// SHA-256 of the file's text, hex: packages name the definition by which they were made.
    pub digest: String,
}

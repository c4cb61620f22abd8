//! Which subjects a platform may have, and how much of each (I4). Judged on the subject's present file, when a package is made
//! and again when it is sent.

use super::types::{Audience, Natural, OpenObjections, Platform};
use crate::domain::{Kind, kinds::Person};

/// The prefix of the USCC of a sole trader, who is a natural person.
const SOLE_TRADER: &str = "92";

/// Why a subject is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exclusion {
    /// An objection is open.
    UnderObjection,
    /// It is a natural person, whom the platform may not have.
    NaturalPerson,
    /// It has ended its agreement itself, or its licence was revoked: it provides no services any more.
    Closed,
}

/// What a platform may have of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admission {
    /// The name, the unified social credit code and the grade.
    Named,
    /// The national code and the grade.
    CodeOnly,
    /// Nothing.
    LeftOut(Exclusion),
}

impl Platform {
    /// Whether it may have anything about natural persons: never if it publishes.
    pub fn may_have_natural(&self) -> bool {
        self.natural == Natural::Code && self.audience == Audience::Departments
    }

    /// Whether its audience may see a kind. An unknown kind is never published.
    pub fn may_show(&self, kind: Option<&Kind>) -> bool {
        self.audience == Audience::Departments || kind.is_some_and(|kind| kind.publishable)
    }

    /// What it may have of a subject with this unified social credit code.
    pub fn admission(&self, kind: Option<&Kind>, uscc: Option<&str>, under_objection: bool) -> Admission {
        // An unknown kind counts as natural persons: it is better to leave one out than to name one.
        let natural = kind.is_none_or(|kind| kind.person == Person::Natural)
            || uscc.is_some_and(|uscc| uscc.starts_with(SOLE_TRADER));
        if under_objection && self.objections == OpenObjections::LeaveOut {
            Admission::LeftOut(Exclusion::UnderObjection)
        } else if !natural {
            Admission::Named
        } else if self.may_have_natural() {
            Admission::CodeOnly
        } else {
            Admission::LeftOut(Exclusion::NaturalPerson)
        }
    }
}

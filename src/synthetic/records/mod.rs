//! Synthetic credit facts that come to a published distribution of grades.
//!
//! Each subject is given a target for every half-year, plausible measures are drawn around it, and the bureau's own
//! scores in them are then moved until the scoring room itself says that the total is right. Nothing here knows a weight
//! or a rule: a city that changes its model gets data that fits the changed model.
//!
//! Integer arithmetic and one ChaCha stream for each (seed, subject, half-year): the same plan gives the same rows on any
//! machine, in whatever order the subjects are listed.

mod batch;
mod calibrate;
mod draw;
mod emit;
mod events;
mod institution;
mod kinds;
mod sheet;
mod targets;

use crate::{
    domain::{Day, HalfYear},
    scoring::{Catalogue, Decimal, Fact, Measures, Model},
};

pub use batch::{Batch, in_batches};
use draw::{Draw, History};

/// How large an institution is. Subjects of other kinds are drawn alike, whatever their size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Size {
    /// 三级.
    Tertiary,
    /// 二级.
    Secondary,
    /// 一级, community and township.
    Primary,
    /// Clinics, village posts and others.
    Clinic,
}

/// A subject that records are made for.
#[derive(Debug, Clone)]
pub struct SubjectSeed {
    /// Its national code.
    pub code: String,
    /// Its size.
    pub size: Size,
    /// When its agreement was signed, which counts towards its points.
    pub agreement_signed_on: Day,
    /// Whether it takes part in rounds: only these are counted in the distribution. The others get records too.
    pub rated: bool,
}

/// What is to be made.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The model that the totals are reckoned by.
    pub model: &'a Model,
    /// Its catalogue.
    pub catalogue: &'a Catalogue,
    /// The subjects, in the order in which rows are wanted.
    pub subjects: &'a [SubjectSeed],
    /// The half-years, one after the other. The last one has the published distribution.
    pub periods: &'a [HalfYear],
    /// Where everything random comes from.
    pub seed: u64,
    /// How many rows there shall be; figures are reported in smaller pieces until there are. Fewer than the least
    /// possible is not possible: then the least possible are made.
    pub rows: Option<u64>,
}

/// One line of `records.csv`.
#[derive(Debug, Clone, Copy)]
pub struct RecordRow<'a> {
    /// The half-year whose delivery the line belongs to. What happened before the first one is delivered with it.
    pub period: HalfYear,
    /// Whom it is about.
    pub subject_code: &'a str,
    /// What it reports.
    pub measure: &'a str,
    /// How much.
    pub value: Decimal,
    /// When.
    pub occurred_on: Day,
    /// Who says so.
    pub source: &'a str,
    /// By what it can be found again.
    pub reference: &'a str,
}

/// Why records could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError<E> {
    /// The rows could not be handed on.
    #[error("the rows could not be written")]
    Sink(#[source] E),
    /// No figures were found that bring a subject to its target: the model is far from the one these draws are meant for.
    #[error("no figures bring {subject_code} to {target} points in {period} under this model")]
    OutOfReach {
        /// The subject.
        subject_code: String,
        /// The half-year.
        period: HalfYear,
        /// The points it should have come to.
        target: crate::domain::money::MilliPoints,
    },
    /// A thread that was making some of them stopped.
    #[error("a thread that was making records stopped")]
    Stopped,
    /// The published distribution is over five grades; this model has another number.
    #[error("the published distribution is over five grades, the scheme {0} has another number")]
    OtherScheme(String),
}

/// Makes every row of a plan, batch by batch of subjects, and tells how many there were.
pub fn records<E>(
    plan: &Plan<'_>,
    mut sink: impl FnMut(RecordRow<'_>) -> Result<(), E>,
) -> Result<u64, RecordsError<E>> {
    in_batches(plan, |_| (), |batch, ()| batch.each(&mut sink))
}

/// The total that facts come to, reckoned by the scoring room; `None` where it cannot.
fn measures_of(draw: &Draw<'_>, history: &History, facts: &[Fact]) -> Option<Measures> {
    let all = history.facts().iter().chain(facts).cloned().collect();
    let signed = Some(draw.subject.agreement_signed_on);
    Measures::collect(draw.plan.catalogue, draw.period, draw.plan.model.lookback(), signed, all).ok()
}

#[cfg(test)]
mod tests;

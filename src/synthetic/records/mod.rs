//! Synthetic credit facts with the published distribution of grades.
//!
//! Each subject gets a target for every half-year. Plausible measures are drawn around it, and the bureau's own scores
//! among them are then moved until the scoring room computes the target's total. Nothing here knows a weight or a rule,
//! so a city that changes its model gets data that fits the changed model.
//!
//! Integer arithmetic and one ChaCha stream for each (seed, subject, half-year): the same plan gives the same rows on
//! any machine, in whatever order the subjects are listed.

mod batch;
mod calibrate;
mod draw;
mod emit;
mod events;
mod fact_sheet;
mod institution;
mod kinds;
mod knobs;
mod spread;
mod table;
mod targets;

use crate::{
    domain::{Day, HalfYear},
    scoring::{Catalogue, Decimal, Fact, Measures, Model},
};

pub use batch::{Batch, in_batches};
use fact_sheet::Context;

/// The size of an institution. It has no effect on subjects of other kinds.
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

/// A subject to draw records for.
#[derive(Debug, Clone)]
pub struct SubjectSeed {
    /// The national code.
    pub code: String,
    pub size: Size,
    /// When the agreement was signed, which counts towards the points.
    pub agreement_signed_on: Day,
    /// Whether it is graded, and so counts in the distribution. Other subjects have no records.
    pub rated: bool,
}

/// The records to draw.
#[derive(Debug, Clone, Copy)]
pub struct Plan<'a> {
    /// The model that computes the totals.
    pub model: &'a Model,
    /// The catalogue of the model.
    pub catalogue: &'a Catalogue,
    /// The subjects, in the order of the rows.
    pub subjects: &'a [SubjectSeed],
    /// Consecutive half-years. The last one has the published distribution.
    pub periods: &'a [HalfYear],
    /// The seed of all random numbers.
    pub seed: u64,
    /// The number of rows. Figures are split into as many rows as it takes; a number below the least possible gives the
    /// least possible.
    pub rows: Option<u64>,
}

/// A row of `records.csv`.
#[derive(Debug, Clone, Copy)]
pub struct RecordRow<'a> {
    /// The half-year whose file the row belongs to. Events before the first half-year are in its file.
    pub period: HalfYear,
    pub subject_code: &'a str,
    /// The id of the measure.
    pub measure: &'a str,
    pub value: Decimal,
    /// The day of the event, or the last day of what the figure covers.
    pub occurred_on: Day,
    /// The authority that reports it.
    pub source: &'a str,
    /// The source's reference.
    pub reference: &'a str,
}

/// Why records could not be drawn.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError<E> {
    /// The rows could not be written.
    #[error("the rows could not be written")]
    Sink(#[source] E),
    /// No figures give a subject its target: the model is too different from the one that the draws are made for.
    #[error("no figures give {subject_code} {target} points in {period} under this model")]
    OutOfReach { subject_code: String, period: HalfYear, target: crate::domain::money::MilliPoints },
    /// A thread panicked.
    #[error("a thread that draws records panicked")]
    Stopped,
    /// The model does not have the five grades of the published distribution.
    #[error("the published distribution has five grades, and the scheme {0} has another number")]
    OtherScheme(String),
}

/// Calls `sink` with every row of a plan, and returns the number of rows.
pub fn records<E>(
    plan: &Plan<'_>,
    mut sink: impl FnMut(RecordRow<'_>) -> Result<(), E>,
) -> Result<u64, RecordsError<E>> {
    in_batches(plan, |_| (), |batch, ()| batch.each(&mut sink))
}

/// The measures of a subject's facts for the scoring room; `None` if it refuses them.
fn measures_of(context: Context<'_>, history: &[Fact], facts: &[Fact]) -> Option<Measures> {
    let all = history.iter().chain(facts).cloned().collect();
    let signed = Some(context.subject.agreement_signed_on);
    Measures::collect(context.plan.catalogue, context.period, context.plan.model.lookback(), signed, all).ok()
}

#[cfg(test)]
mod tests;

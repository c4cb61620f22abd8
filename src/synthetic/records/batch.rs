//! Draws a plan in batches of subjects, several at a time on threads of their own. Memory is bounded by the batches in
//! progress, and the result of a batch does not depend on how many there are.

use std::{num::NonZero, ops::Range};

use super::{
    Plan, RecordRow, RecordsError, SubjectSeed, calibrate,
    draw::{Draw, History, Prepared, Traits},
    emit::{LeastRows, Splitter, monthly},
    fact_sheet::Context,
    targets::Targets,
};
use crate::{
    domain::{HalfYear, money::MilliPoints},
    scoring::Fact,
};

/// Subjects in a batch.
const SUBJECTS: usize = 128;

/// The state that all batches of a plan share.
struct Shared<'a> {
    plan: &'a Plan<'a>,
    targets: Targets,
    prepared: Prepared<'a>,
    monthly: Vec<bool>,
}

/// The facts of some subjects in all half-years of a plan.
#[derive(Debug)]
pub struct Batch<'a> {
    plan: &'a Plan<'a>,
    monthly: &'a [bool],
    subjects: &'a [SubjectSeed],
    /// By half-year and then by subject.
    facts: Vec<Vec<Fact>>,
    /// Number of monthly figures among them, which can be split into several rows.
    figures: u64,
    /// The least number of rows for them.
    least: u64,
    /// Additional rows.
    extra: u64,
}

/// A subject whose target is out of reach.
struct OutOfReach {
    subject_code: String,
    period: HalfYear,
    target: MilliPoints,
}

impl Batch<'_> {
    /// The number of its rows.
    pub const fn rows(&self) -> u64 {
        self.least + self.extra
    }

    /// Calls `sink` with every row, by half-year and then by subject.
    pub fn each<E>(&self, mut sink: impl FnMut(RecordRow<'_>) -> Result<(), E>) -> Result<(), E> {
        let mut splitter = Splitter::new(self.plan, self.monthly, self.extra, self.figures);
        let mut facts = self.facts.iter();
        for period in self.plan.periods {
            for (subject, facts) in self.subjects.iter().zip(facts.by_ref()) {
                splitter.emit(&subject.code, *period, facts, &mut sink)?;
            }
        }
        Ok(())
    }
}

impl<'a> Shared<'a> {
    fn draw(&'a self, range: &Range<usize>) -> Result<Batch<'a>, OutOfReach> {
        let plan = self.plan;
        let subjects = plan.subjects.get(range.clone()).unwrap_or_default();
        let traits: Vec<Traits> = subjects.iter().map(|subject| Traits::draw(plan, subject)).collect();
        let mut histories: Vec<History> = subjects.iter().map(|_| History::default()).collect();
        let mut batch =
            Batch { plan, monthly: &self.monthly, subjects, facts: Vec::new(), figures: 0, least: 0, extra: 0 };
        // By period first: what a subject gets rests on its history of the periods before.
        for (nth, period) in plan.periods.iter().enumerate() {
            for ((subject, traits), history) in subjects.iter().zip(&traits).zip(&mut histories) {
                // A subject that is not rated has no data: nothing about it could be wrong or right.
                if !subject.rated {
                    batch.facts.push(Vec::new());
                    continue;
                }
                let target = self.targets.of_subject(&subject.code, nth);
                let prepared = &self.prepared;
                let best = self.targets.best_of(&subject.code);
                let context = Context { plan, subject, period: *period, first: nth == 0, target, best };
                let draw = Draw { context, prepared, traits };
                let drawn = calibrate::find(&draw, history).ok_or_else(|| OutOfReach {
                    subject_code: subject.code.clone(),
                    period: *period,
                    target: target.points.milli(),
                })?;
                let least = LeastRows::of(&self.monthly, &drawn.all);
                batch.figures += least.monthly_figures;
                batch.least += least.rows;
                batch.facts.push(drawn.all.clone());
                history.add(*period, plan.model.lookback(), drawn);
            }
        }
        Ok(batch)
    }
}

/// Distributes the requested rows among batches. What a batch needs beyond its share is taken from later ones.
struct Budget {
    requested: Option<u64>,
    subjects: u64,
    /// Subjects of the batches so far.
    before: u64,
    /// Rows of the batches so far.
    given: u64,
}

impl Budget {
    fn give(&mut self, batch: &mut Batch<'_>) {
        self.before += u64::try_from(batch.subjects.len()).unwrap_or(u64::MAX);
        if let Some(requested) = self.requested
            && batch.figures > 0
        {
            // From the running total, so that no remainder is left at the end.
            let until = u128::from(requested) * u128::from(self.before) / u128::from(self.subjects.max(1));
            let due = u64::try_from(until).unwrap_or(u64::MAX).saturating_sub(self.given);
            batch.extra = due.saturating_sub(batch.least);
        }
        self.given += batch.rows();
    }
}

/// Draws every row of a plan, batch by batch: `render` converts a batch on a thread, `take` gets batches and results in
/// order. Returns the number of rows.
pub fn in_batches<T: Send, E>(
    plan: &Plan<'_>,
    render: impl Fn(&Batch<'_>) -> T + Sync,
    mut take: impl FnMut(&Batch<'_>, T) -> Result<(), E>,
) -> Result<u64, RecordsError<E>> {
    let targets = Targets::of(plan).ok_or_else(|| RecordsError::OtherScheme(plan.model.scheme().id.clone()))?;
    let shared = Shared { plan, targets, prepared: Prepared::of(plan), monthly: monthly(plan) };
    let subjects = plan.subjects.len();
    let ranges: Vec<Range<usize>> =
        (0..subjects).step_by(SUBJECTS).map(|from| from..(from + SUBJECTS).min(subjects)).collect();
    let count = u64::try_from(subjects).unwrap_or(u64::MAX);
    let mut budget = Budget { requested: plan.rows, subjects: count, before: 0, given: 0 };
    let threads = std::thread::available_parallelism().map_or(1, NonZero::get);
    // As many batches in memory as threads, whatever the size of the city.
    for round in ranges.chunks(threads) {
        let mut batches = Vec::with_capacity(threads);
        for drawn in on_threads(round, |range| shared.draw(range)).ok_or(RecordsError::Stopped)? {
            let mut batch = drawn.map_err(|out| RecordsError::OutOfReach {
                subject_code: out.subject_code,
                period: out.period,
                target: out.target,
            })?;
            // In the order of the batches and not in that in which threads finish: the same seed gives the same rows.
            budget.give(&mut batch);
            batches.push(batch);
        }
        let rendered = on_threads(&batches, &render).ok_or(RecordsError::Stopped)?;
        for (batch, rendered) in batches.iter().zip(rendered) {
            take(batch, rendered).map_err(RecordsError::Sink)?;
        }
    }
    Ok(budget.given)
}

/// Runs each piece of work on a thread of its own; `None` if one of them panicked.
fn on_threads<W: Sync, T: Send>(work: &[W], run: impl Fn(&W) -> T + Sync) -> Option<Vec<T>> {
    let run = &run;
    std::thread::scope(|scope| {
        let threads: Vec<_> = work.iter().map(|piece| scope.spawn(move || run(piece))).collect();
        // A thread that panicked leaves a gap, and then there is no result at all.
        threads.into_iter().map(|thread| thread.join().ok()).collect()
    })
}

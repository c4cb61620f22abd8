//! Figures of runs: how results are distributed, who moves from one round to the next, where two models differ, and
//! whether an indicator distinguishes subjects at all.
//!
//! Figures are exact: counts, and shares and statistics in integer arithmetic. Figures for readers outside the bureau pass
//! through [`suppression`], so that nobody can be identified in a small cell (I4).

mod bias;
mod compare;
mod movement;
mod outcomes;
mod round;
mod simulate;
mod solvable;
mod statistics;
mod suppression;

pub use bias::{BiasFlag, BiasReport, IndicatorBias};
pub use compare::{Comparison, SubjectDifference};
pub use movement::{Movement, MovementTable};
pub use outcomes::{Column, RunHead};
pub(super) use outcomes::{Outcomes, ordinal, summary};
pub use round::{KindLine, ReportNames, RoundReport, Share, Table, TableRow};
pub use simulate::{MeasureCount, Simulation};

//! Rounds in figures: how results are spread, who moves from one round to the next, where two models differ, and whether
//! an indicator tells subjects apart at all.
//!
//! Figures are exact: counts, and shares and statistics reckoned with integers. What may be shown to others passes through
//! [`withhold`], so that nobody is found in a small cell.

mod bias;
mod compare;
mod movement;
mod outcomes;
mod round;
mod simulate;
mod statistics;
mod withhold;

pub use bias::{BiasFlag, BiasReport, IndicatorBias};
pub use compare::{Comparison, Differs};
pub use movement::{Movement, MovementTold};
pub use outcomes::{Column, RunHead};
pub use round::{KindLine, RoundReport, Share, Table, TableRow};
pub use simulate::{Followed, Simulation};

/// A share as a percentage with two decimals, rounded half up.
pub(super) fn percent(count: u64, of: u64) -> String {
    let (count, of) = (u128::from(count), u128::from(of));
    let hundredths = if of > 0 { (count * 20_000 + of) / (2 * of) } else { 0 };
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

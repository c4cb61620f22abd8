//! Figures of other kinds, from tables: each line gives a measure, and its range or the measure that it depends on.

use super::fact_sheet::{ALL, FactSheet};
use crate::{
    scoring::{Decimal, Measure},
    synthetic::stream::Stream,
};

/// Share of points lost above which rare measures are reported, in ten-thousandths.
const RARE: i64 = 2_500;

/// How a measure is drawn. Amounts of money are in fen, everything else in whole units; shares are in ten-thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rule {
    /// A number in a range that grows from half-year to half-year.
    Grows(i64, i64),
    /// A number in a range that stays the same.
    Stays(i64, i64),
    /// A multiple of another measure that grows from half-year to half-year.
    Times(&'static str, i64, i64),
    /// A multiple of another measure that stays the same.
    Part(&'static str, i64, i64),
    /// All of another measure when no points are lost, down to this share of it when all are.
    Kept(&'static str, i64),
    /// None of another measure when no points are lost, up to this share of it when all are.
    Lost(&'static str, i64),
    /// Not reported for most subjects; otherwise up to this number.
    Rare(i64),
}

/// A measure, and how it is drawn.
pub(super) type Line = (&'static str, Rule);

/// What stays the same about a subject: the number or multiple of each line.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    lines: &'static [Line],
    starts: Vec<i64>,
}

/// The number or multiple of each line in a half-year.
pub(super) type Figures = Vec<i64>;

impl Traits {
    /// Draws the traits for a table.
    pub(super) fn draw(lines: &'static [Line], stream: &mut Stream) -> Self {
        let start = |(_, rule): &Line| match *rule {
            Rule::Grows(low, high) | Rule::Stays(low, high) | Rule::Times(_, low, high) | Rule::Part(_, low, high) => {
                stream.between(low, high)
            }
            Rule::Kept(..) | Rule::Lost(..) | Rule::Rare(_) => 0,
        };
        let starts = lines.iter().map(start).collect();
        Self { lines, starts }
    }

    /// The numbers and multiples of the next half-year.
    pub(super) fn grown(&self, last: Option<&Figures>, loss: i64, stream: &mut Stream) -> Figures {
        let Some(last) = last else { return self.starts.clone() };
        // With more points to lose, figures grow further in the direction that costs points.
        let stray = loss.clamp(0, ALL);
        let mut grow = |value: i64, low: i64, high: i64| {
            // In 128 bits: a value times ten thousand can exceed 64. Half of the divisor rounds to the nearest.
            let grown = i128::from(value) * i128::from(ALL + stream.between(low, high)) + i128::from(ALL / 2);
            i64::try_from(grown / i128::from(ALL)).unwrap_or(value).max(1)
        };
        let next = |((_, rule), last): (&Line, &i64)| match rule {
            Rule::Grows(..) => grow(*last, -300, 500 + stray / 8),
            Rule::Times(..) => grow(*last, -200, 250 + stray / 4),
            _ => *last,
        };
        self.lines.iter().zip(last).map(next).collect()
    }

    /// Writes the figures of a half-year as facts.
    pub(super) fn report(&self, figures: &Figures, loss: i64, sheet: &mut FactSheet<'_>, stream: &mut Stream) {
        // 50 % to 150 % of the average loss.
        let mut share = || (loss * stream.between(5_000, 15_000) / ALL).clamp(0, ALL);
        let mut done: Vec<i64> = Vec::with_capacity(self.lines.len());
        for ((measure, rule), figure) in self.lines.iter().zip(figures) {
            let of = |other: &str| {
                // Only lines before this one have a value: each table lists first what its other lines refer to.
                let at = self.lines.iter().position(|(known, _)| *known == other);
                at.and_then(|at| done.get(at)).copied().unwrap_or(0)
            };
            let value = match *rule {
                Rule::Grows(..) | Rule::Stays(..) => Some(*figure),
                Rule::Times(other, ..) | Rule::Part(other, ..) => Some(of_e4(of(other), *figure)),
                Rule::Kept(other, least) => part(of(other), |all| all - of_e4(all, of_e4(ALL - least, share()))),
                Rule::Lost(other, most) => part(of(other), |all| of_e4(all, of_e4(most, share()))),
                Rule::Rare(most) => {
                    let beyond = share() - RARE;
                    (beyond > 0).then(|| of_e4(most, beyond * ALL / (ALL - RARE)).max(1))
                }
            };
            done.push(value.unwrap_or(0));
            if let (Some(value), Some(known)) = (value, sheet.context.plan.catalogue.measure(measure)) {
                sheet.figure(measure, decimal(known, value));
            }
        }
    }
}

/// A part of a number; `None` of zero.
fn part(all: i64, of: impl FnOnce(i64) -> i64) -> Option<i64> {
    (all > 0).then(|| of(all))
}

fn of_e4(all: i64, share: i64) -> i64 {
    i64::try_from(i128::from(all) * i128::from(share) / i128::from(ALL)).unwrap_or(i64::MAX / Decimal::ONE)
}

/// A number in the measure's unit, in ten-thousandths; amounts of money are converted from fen.
pub(super) fn decimal(measure: &Measure, value: i64) -> i64 {
    let unit = if measure.unit == "元" { Decimal::ONE / 100 } else { Decimal::ONE };
    value.saturating_mul(unit)
}

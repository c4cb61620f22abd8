//! What subjects of other kinds report, as tables: a line says what a measure is in proportion to.

use super::draw::{ALL, Sheet};
use crate::{
    scoring::{Decimal, Measure},
    synthetic::stream::Stream,
};

/// A share of the average loss above which something rare is reported at all, in ten-thousandths.
const RARE: i64 = 2_500;

/// How a measure is drawn. Amounts of money are in fen, everything else in whole units; shares are in ten-thousandths.
#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// Between two numbers, and growing from half-year to half-year.
    Grows(i64, i64),
    /// Between two numbers, and staying.
    Stays(i64, i64),
    /// So many times another measure, the multiple growing from half-year to half-year.
    Times(&'static str, i64, i64),
    /// So many times another measure, the multiple staying.
    Part(&'static str, i64, i64),
    /// All of another measure, down to this share of it when everything is lost.
    Kept(&'static str, i64),
    /// Nothing of another measure, up to this share of it when everything is lost.
    Lost(&'static str, i64),
    /// Nothing for most, up to this number.
    Rare(i64),
}

/// A measure, and how it is drawn.
pub(super) type Line = (&'static str, How);

/// What stays the same about a subject: for each line its size or its multiple.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    lines: &'static [Line],
    starts: Vec<i64>,
}

/// What grows: for each line its size or its multiple in this half-year.
pub(super) type Figures = Vec<i64>;

impl Traits {
    /// Draws them.
    pub(super) fn draw(lines: &'static [Line], stream: &mut Stream) -> Self {
        let start = |(_, how): &Line| match *how {
            How::Grows(low, high) | How::Stays(low, high) | How::Times(_, low, high) | How::Part(_, low, high) => {
                stream.between(low, high)
            }
            How::Kept(..) | How::Lost(..) | How::Rare(_) => 0,
        };
        let starts = lines.iter().map(start).collect();
        Self { lines, starts }
    }

    /// The sizes and multiples of a half-year, grown from those before.
    pub(super) fn grown(&self, last: Option<&Figures>, loss: i64, stream: &mut Stream) -> Figures {
        let Some(last) = last else { return self.starts.clone() };
        // The more is to be lost, the farther growth strays to the side that costs points.
        let stray = loss.clamp(0, ALL);
        let mut grow = |value: i64, low: i64, high: i64| {
            let grown = i128::from(value) * i128::from(ALL + stream.between(low, high)) + i128::from(ALL / 2);
            i64::try_from(grown / i128::from(ALL)).unwrap_or(value).max(1)
        };
        let next = |((_, how), last): (&Line, &i64)| match how {
            How::Grows(..) => grow(*last, -300, 500 + stray / 8),
            How::Times(..) => grow(*last, -200, 250 + stray / 4),
            _ => *last,
        };
        self.lines.iter().zip(last).map(next).collect()
    }

    /// Writes what is reported of a half-year.
    pub(super) fn report(&self, figures: &Figures, loss: i64, sheet: &mut Sheet<'_>, stream: &mut Stream) {
        // Half of the average loss to three halves of it.
        let mut share = || (loss * stream.between(5_000, 15_000) / ALL).clamp(0, ALL);
        let mut done: Vec<i64> = Vec::with_capacity(self.lines.len());
        for ((measure, how), figure) in self.lines.iter().zip(figures) {
            let of = |other: &str| {
                let at = self.lines.iter().position(|(known, _)| *known == other);
                at.and_then(|at| done.get(at)).copied().unwrap_or(0)
            };
            let value = match *how {
                How::Grows(..) | How::Stays(..) => Some(*figure),
                How::Times(other, ..) | How::Part(other, ..) => Some(of_e4(of(other), *figure)),
                How::Kept(other, least) => part(of(other), |all| all - of_e4(all, of_e4(ALL - least, share()))),
                How::Lost(other, most) => part(of(other), |all| of_e4(all, of_e4(most, share()))),
                How::Rare(most) => {
                    let beyond = share() - RARE;
                    (beyond > 0).then(|| of_e4(most, beyond * ALL / (ALL - RARE)).max(1))
                }
            };
            done.push(value.unwrap_or(0));
            if let (Some(value), Some(known)) = (value, sheet.draw.plan.catalogue.measure(measure)) {
                sheet.figure(measure, decimal(known, value));
            }
        }
    }
}

/// A part of something, where there is something.
fn part(all: i64, of: impl FnOnce(i64) -> i64) -> Option<i64> {
    (all > 0).then(|| of(all))
}

fn of_e4(all: i64, share: i64) -> i64 {
    i64::try_from(i128::from(all) * i128::from(share) / i128::from(ALL)).unwrap_or(i64::MAX / Decimal::ONE)
}

/// A number of a measure's own unit, in ten-thousandths: amounts come in fen.
pub(super) fn decimal(measure: &Measure, value: i64) -> i64 {
    let unit = if measure.unit == "元" { Decimal::ONE / 100 } else { Decimal::ONE };
    value.saturating_mul(unit)
}

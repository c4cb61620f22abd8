//! Facts as rows of a file. Figures of a half-year are reported month by month, and in smaller pieces if more rows are
//! requested. Pieces add up to the figure exactly, so that the score does not change.

use super::{Plan, RecordRow};
use crate::{
    domain::HalfYear,
    scoring::{Decimal, Fact, MeasureForm},
};

/// Measures that are reported by month.
const MONTHLY: [&str; 13] = [
    "visits",
    "fund_used",
    "medical_revenue",
    "claimed_amount",
    "audit_rejected_visits",
    "audit_rejected_amount",
    "claims",
    "nursing_items",
    "prescriptions_dispensed",
    "cases_closed",
    "orders",
    "contribution_due_amount",
    "card_uses",
];

/// Months in a half-year.
const MONTHS: i64 = 6;

/// Which measures of a catalogue, by place, are reported by month.
pub(super) fn monthly(plan: &Plan<'_>) -> Vec<bool> {
    let measures = plan.catalogue.measures().iter();
    measures.map(|measure| measure.form == MeasureForm::Flow && MONTHLY.contains(&measure.id.as_str())).collect()
}

/// Writes facts as rows.
#[derive(Debug)]
pub(super) struct Splitter<'a> {
    plan: &'a Plan<'a>,
    monthly: &'a [bool],
    /// Additional rows of every monthly figure.
    more: i64,
    /// The number of monthly figures with one more row than that.
    one_more: i64,
    /// Monthly figures written so far.
    written: i64,
}

/// The least number of rows that facts are written as.
#[derive(Debug)]
pub(super) struct LeastRows {
    /// Rows of figures that are reported by month.
    pub(super) monthly_figures: u64,
    pub(super) rows: u64,
}

impl LeastRows {
    pub(super) fn of(monthly: &[bool], facts: &[Fact]) -> Self {
        let of_months = facts.iter().filter(|fact| monthly.get(fact.measure) == Some(&true)).count();
        let others = facts.len() - of_months;
        let monthly_figures = count(of_months) * count(6);
        Self { monthly_figures, rows: monthly_figures + count(others) }
    }
}

impl<'a> Splitter<'a> {
    /// A splitter that spreads `extra` rows evenly over `figures` monthly figures.
    pub(super) fn new(plan: &'a Plan<'a>, monthly: &'a [bool], extra: u64, figures: u64) -> Self {
        let (extra, figures) = (int(extra), int(figures).max(1));
        Self { plan, monthly, more: extra / figures, one_more: extra % figures, written: 0 }
    }

    /// Writes the facts of a subject.
    pub(super) fn emit<E>(
        &mut self,
        subject_code: &str,
        period: HalfYear,
        facts: &[Fact],
        sink: &mut dyn FnMut(RecordRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for fact in facts {
            let Some(measure) = self.plan.catalogue.measures().get(fact.measure) else { continue };
            let row = RecordRow {
                period,
                subject_code,
                measure: &measure.id,
                value: fact.value,
                occurred_on: fact.occurred_on,
                source: &fact.source,
                reference: &fact.reference,
            };
            if self.monthly.get(fact.measure) == Some(&true) {
                // Visits are whole numbers; amounts have two decimals.
                let unit = if measure.unit == "元" { Decimal::ONE / 100 } else { Decimal::ONE };
                self.months(row, unit, sink)?;
            } else {
                sink(row)?;
            }
        }
        Ok(())
    }

    fn months<E>(
        &mut self,
        row: RecordRow<'_>,
        unit: i64,
        sink: &mut dyn FnMut(RecordRow<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        for nth in 0..MONTHS {
            let month = row.period.first_month().plus(i32::try_from(nth).unwrap_or(0));
            let whole = share(row.value.0 / unit, nth, MONTHS);
            // The remainder of the rows is spread over the first figures, one each.
            let pieces = 1 + self.more + i64::from(self.written < self.one_more);
            self.written += 1;
            let days = month.last_day().days_since(month.first_day()) + 1;
            for piece in 0..pieces {
                // A single row is dated at the end of the month; pieces are spread over its days.
                let before = if pieces == 1 { 0 } else { (pieces - 1 - piece) * days / pieces };
                let reference = format!("{}-{month}-{}", row.reference, piece + 1);
                sink(RecordRow {
                    value: Decimal(share(whole, piece, pieces) * unit),
                    occurred_on: month.last_day().plus_days(-before),
                    reference: &reference,
                    ..row
                })?;
            }
        }
        Ok(())
    }
}

/// The `nth` of `of` nearly equal parts that add up to `whole`.
fn share(whole: i64, nth: i64, of: i64) -> i64 {
    whole / of + i64::from(nth < whole % of)
}

fn int(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn count(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

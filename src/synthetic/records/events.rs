//! Events: sanctions, penalties, commendations. The lower the target, the more faults.

use super::fact_sheet::FactSheet;
use crate::{
    scoring::{Catalogue, Decimal, MeasureForm},
    synthetic::stream::Stream,
};

/// The probability of an event in a half-year.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance<'a> {
    pub(super) measure: &'a str,
    /// Lost points above which faults happen, or below which honours do.
    bound: i64,
    /// Chances of ten thousand for each point beyond the bound.
    per_point: i64,
    honour: bool,
}

impl<'a> Chance<'a> {
    /// Happens to subjects that lose more points than `over`.
    pub(super) const fn fault(measure: &'a str, over: i64, per_point: i64) -> Self {
        Self { measure, bound: over, per_point, honour: false }
    }

    /// Happens to subjects that lose fewer points than `under`.
    pub(super) const fn honour(measure: &'a str, under: i64, per_point: i64) -> Self {
        Self { measure, bound: under, per_point, honour: true }
    }

    /// The chances of ten thousand; those of faults are `faults` times the usual ones.
    fn chances(self, lost: i64, faults: i64) -> i64 {
        let beyond = if self.honour { self.bound - lost } else { (lost - self.bound) * faults };
        beyond.max(0) * self.per_point
    }
}

/// Events of subjects of any kind. Models that count events (stars) use the same ones.
const USUAL: [Chance<'_>; 34] = [
    Chance::fault("agreement_sanction", 120, 33),
    Chance::fault("agreement_sanction", 200, 25),
    Chance::fault("agreement_breach", 140, 20),
    Chance::fault("violation", 130, 20),
    Chance::fault("violation", 200, 30),
    Chance::fault("complaint_received", 100, 30),
    Chance::fault("complaint_substantiated", 130, 20),
    Chance::fault("complaint_substantiated", 220, 20),
    Chance::fault("price_interview", 140, 15),
    Chance::fault("insurance_penalty", 180, 25),
    Chance::fault("health_penalty", 150, 16),
    Chance::fault("market_penalty", 150, 16),
    Chance::fault("drug_penalty", 150, 16),
    Chance::fault("labour_penalty", 150, 16),
    Chance::fault("fraud_finding", 260, 12),
    Chance::fault("serious_violation", 270, 5),
    Chance::fault("court_fraud_judgment", 270, 10),
    Chance::fault("court_dishonest_listing", 250, 10),
    Chance::fault("supply_interruption", 140, 20),
    Chance::fault("tender_breach", 150, 20),
    Chance::fault("bribery_case", 260, 8),
    Chance::fault("arrears_month", 130, 35),
    Chance::fault("arrears_month", 180, 30),
    Chance::fault("false_enrolment", 220, 12),
    Chance::fault("audit_finding", 120, 30),
    Chance::fault("accountability", 180, 16),
    Chance::fault("card_lending", 150, 18),
    Chance::fault("drug_resale", 240, 8),
    Chance::fault("false_material", 190, 14),
    Chance::fault("duplicate_benefit", 170, 14),
    Chance::honour("insurance_commendation", 200, 40),
    Chance::honour("health_commendation", 180, 25),
    Chance::honour("market_commendation", 180, 25),
    Chance::honour("association_commendation", 180, 25),
];

/// Draws events from a table of chances. The first half-year of a plan also gets the events of earlier ones. Without
/// `repeats`, a fault happens in one half-year only, so that a person's grade can rise.
pub(super) fn happen(sheet: &mut FactSheet<'_>, table: &[Chance<'_>], repeats: bool, faults: i64, stream: &mut Stream) {
    let context = sheet.context;
    let lost = (context.plan.model.file().total.0 - context.target.points.0) / 1000;
    let periods = if context.first { i32::from(context.plan.model.lookback()) } else { 0 };
    for back in (0..=periods).rev() {
        let period = context.period.plus(-back);
        let days = period.last_month().last_day().days_since(period.first_month().first_day());
        for chance in table {
            // Drawn even if nothing happens, so that one outcome does not shift the draws that follow it.
            let on = period.first_month().first_day().plus_days(stream.between(0, days));
            // Fewer events before the plan: they only give subjects a past.
            let chances = chance.chances(lost, faults) / if back > 0 { 3 } else { 1 };
            // An event that caps the grade stays in the window of later half-years, which may have a better one.
            let limits = context.plan.model.most_with(chance.measure).is_some_and(|most| most < context.best);
            if stream.happens(chances)
                && !limits
                && (repeats || chance.honour || !sheet.happened_before(chance.measure, period))
            {
                sheet.write(chance.measure, Decimal(Decimal::ONE), on);
            }
        }
    }
}

/// Chances for events of a catalogue that are not in a table: the usual chances, and for a city's own events those of a
/// rare fault.
pub(super) fn beyond<'c>(table: &[Chance<'_>], catalogue: &'c Catalogue) -> Vec<Chance<'c>> {
    let events = catalogue.measures().iter().filter(|measure| measure.form == MeasureForm::Event);
    let ids: Vec<&str> = events.map(|measure| measure.id.as_str()).collect();
    let of = |table: &[Chance<'_>], id: &str| table.iter().any(|chance| chance.measure == id);
    let missing = |id: &str| ids.contains(&id) && !of(table, id);
    let usual: Vec<Chance<'c>> = USUAL.iter().filter(|chance| missing(chance.measure)).copied().collect();
    let own = ids.iter().filter(|id| missing(id) && !of(&USUAL, id)).map(|id| Chance::fault(id, 200, 10));
    usual.iter().copied().chain(own).collect()
}

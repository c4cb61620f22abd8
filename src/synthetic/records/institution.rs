//! Figures of medical institutions: beds, visits, money, DRG.

use super::{
    Size,
    events::Chance,
    fact_sheet::{ALL, FactSheet},
};
use crate::{scoring::Decimal, synthetic::stream::Stream};

/// The events of institutions.
pub(super) const EVENTS: [Chance<'_>; 9] = [
    Chance::fault("agreement_sanction", 120, 33),
    Chance::fault("agreement_sanction", 200, 25),
    Chance::fault("insurance_penalty", 180, 25),
    Chance::fault("health_penalty", 150, 16),
    Chance::fault("market_penalty", 150, 16),
    Chance::fault("court_fraud_judgment", 270, 10),
    Chance::fault("court_dishonest_listing", 250, 10),
    Chance::honour("insurance_commendation", 200, 40),
    Chance::honour("health_commendation", 180, 25),
];

/// The measures of institutions, except scores and events.
pub(super) const REPORTED: [&str; 22] = [
    "visits",
    "fund_used",
    "medical_revenue",
    "claimed_amount",
    "audit_rejected_visits",
    "audit_rejected_amount",
    "procurement_agreed_amount",
    "procurement_completed_amount",
    "collective_due_amount",
    "collective_settled_amount",
    "training_required",
    "training_attended",
    "profile_fields_required",
    "profile_fields_filled",
    "beds_open",
    "senior_physicians",
    "senior_nurses",
    "insurance_experts",
    "discharges",
    "readmissions",
    "case_mix_index",
    "drg_cost_index",
];

/// What stays the same about an institution.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    beds: i64,
    /// Whether it is paid by DRG.
    drg: bool,
    visits: i64,
    /// Fund money per visit, in fen.
    fund_per_visit: i64,
    /// The fund's share of its revenue, in ten-thousandths.
    fund_share: i64,
    discharges: i64,
    /// Readmissions per ten thousand discharges.
    readmission_rate: i64,
    case_mix_e4: i64,
    drg_cost_e4: i64,
}

impl Traits {
    /// Draws the traits for a size. Fund money is about 35 million yuan a month for 三级, and 25 thousand for clinics.
    pub(super) fn draw(size: Size, stream: &mut Stream) -> Self {
        let (beds, visits, fund_per_visit) = match size {
            Size::Tertiary => {
                (stream.between(800, 2000), stream.between(300_000, 900_000), stream.between(28_000, 45_000))
            }
            Size::Secondary => {
                (stream.between(150, 600), stream.between(60_000, 200_000), stream.between(18_000, 30_000))
            }
            Size::Primary => {
                let beds = if stream.happens(ALL / 2) { stream.between(10, 80) } else { 0 };
                (beds, stream.between(15_000, 60_000), stream.between(9_000, 15_000))
            }
            Size::Clinic => (0, stream.between(900, 5_000), stream.between(4_500, 9_000)),
        };
        Self {
            beds,
            drg: matches!(size, Size::Tertiary | Size::Secondary),
            visits,
            fund_per_visit,
            fund_share: stream.between(4_500, 7_500),
            discharges: beds * stream.between(14, 22),
            readmission_rate: stream.between(150, 400),
            case_mix_e4: stream.between(7_500, 13_000),
            drg_cost_e4: stream.between(8_800, 11_500),
        }
    }
}

/// The figures of a half-year, from which those of the next one grow.
#[derive(Debug, Clone)]
pub(super) struct Figures {
    visits: i64,
    fund_fen: i64,
    fund_share: i64,
    readmission_rate: i64,
    case_mix_e4: i64,
    drg_cost_e4: i64,
}

impl Traits {
    /// The figures of the next half-year.
    pub(super) fn grown(&self, last: Option<&Figures>, loss: i64, stream: &mut Stream) -> Figures {
        let Some(last) = last else {
            return Figures {
                visits: self.visits,
                fund_fen: self.visits * self.fund_per_visit,
                fund_share: self.fund_share,
                readmission_rate: self.readmission_rate,
                case_mix_e4: self.case_mix_e4,
                drg_cost_e4: self.drg_cost_e4,
            };
        };
        let mut grow = |value: i64, low: i64, high: i64| value * (ALL + stream.between(low, high)) / ALL;
        // With more points to lose, figures grow further in the direction that costs points.
        let stray = loss.clamp(0, ALL);
        Figures {
            visits: grow(last.visits, -300, 800 + stray / 8).max(30),
            fund_fen: grow(last.fund_fen, -300, 300 + stray / 4).max(1_000),
            fund_share: grow(last.fund_share, -200, 100 + stray / 8).clamp(2_000, 9_500),
            readmission_rate: grow(last.readmission_rate, -600, 200 + stray / 5).clamp(60, 1_500),
            case_mix_e4: grow(last.case_mix_e4, -50 - stray / 12, 350).clamp(5_000, 20_000),
            drg_cost_e4: grow(last.drg_cost_e4, -400, 100 + stray / 10).clamp(6_000, 16_000),
        }
    }
}

impl Traits {
    /// Writes the figures of a half-year as facts.
    pub(super) fn report(&self, figures: &Figures, loss: i64, sheet: &mut FactSheet<'_>, stream: &mut Stream) {
        work(figures, loss, sheet, stream);
        self.staff(loss, sheet, stream);
        self.hospital(figures, sheet);
    }

    fn staff(&self, loss: i64, sheet: &mut FactSheet<'_>, stream: &mut Stream) {
        let beds = self.beds;
        let mut short = || ALL - (loss * stream.between(0, 15_000) / ALL).clamp(0, ALL);
        let (physicians, nurses) = if beds == 0 { (2, 2) } else { (beds / 5, beds / 4) };
        sheet.figure("beds_open", beds * Decimal::ONE);
        sheet.figure("senior_physicians", (physicians * short() / ALL).max(1) * Decimal::ONE);
        sheet.figure("senior_nurses", (nurses * short() / ALL).max(1) * Decimal::ONE);
        let experts = match stream.between(0, ALL) {
            drawn if drawn < loss => 0,
            drawn if drawn < 2 * loss => 1,
            _ => 2,
        };
        sheet.figure("insurance_experts", experts * Decimal::ONE);
    }

    /// Writes the figures that only institutions with beds report.
    fn hospital(&self, figures: &Figures, sheet: &mut FactSheet<'_>) {
        let discharges = self.discharges;
        if discharges > 0 {
            sheet.figure("discharges", discharges * Decimal::ONE);
            sheet.figure("readmissions", (discharges * figures.readmission_rate / ALL).max(1) * Decimal::ONE);
        }
        if self.drg {
            sheet.figure("case_mix_index", figures.case_mix_e4);
            sheet.figure("drg_cost_index", figures.drg_cost_e4);
        }
    }
}

/// Writes visits, money and audit findings.
fn work(figures: &Figures, loss: i64, sheet: &mut FactSheet<'_>, stream: &mut Stream) {
    let yuan = |fen: i64| fen * (Decimal::ONE / 100);
    // 50 % to 150 % of the average loss.
    let mut share = || (loss * stream.between(5_000, 15_000) / ALL).clamp(0, ALL);
    let claimed_fen = figures.fund_fen + figures.fund_fen / 40;
    sheet.figure("visits", figures.visits * Decimal::ONE);
    sheet.figure("fund_used", yuan(figures.fund_fen));
    sheet.figure("medical_revenue", yuan(figures.fund_fen * ALL / figures.fund_share.max(1)));
    sheet.figure("claimed_amount", yuan(claimed_fen));
    sheet.figure("audit_rejected_visits", figures.visits * share() / (20 * ALL) * Decimal::ONE);
    sheet.figure("audit_rejected_amount", yuan(claimed_fen / 1000 * share() / (20 * ALL) * 1000));
    let agreed = figures.fund_fen / 5;
    sheet.figure("procurement_agreed_amount", yuan(agreed));
    sheet.figure("procurement_completed_amount", yuan(agreed / ALL * (ALL - share() / 2)));
    let due = figures.fund_fen / 7;
    sheet.figure("collective_due_amount", yuan(due));
    sheet.figure("collective_settled_amount", yuan(due / ALL * (ALL - share() / 2)));
    let required = 4 + share() % 7;
    sheet.figure("training_required", required * Decimal::ONE);
    sheet.figure("training_attended", (required - required * share() * 6 / (10 * ALL)) * Decimal::ONE);
    sheet.figure("profile_fields_required", 60 * Decimal::ONE);
    sheet.figure("profile_fields_filled", (60 - 24 * share() / ALL) * Decimal::ONE);
}

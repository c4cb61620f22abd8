//! Plausible figures of an institution in a half-year, around a wanted total.

use super::{Plan, Size, SubjectSeed, targets::Target};
use crate::{
    domain::{Day, HalfYear},
    scoring::{Decimal, Fact},
    synthetic::stream::Stream,
};

/// Ten thousand of ten thousand.
const ALL: i64 = 10_000;

/// What stays the same about an institution.
#[derive(Debug, Clone)]
pub(super) struct Traits {
    beds: i64,
    /// Whether it is paid by DRG.
    drg: bool,
    visits: i64,
    /// Fund money for a visit, in fen.
    fund_per_visit: i64,
    /// The fund's share of its revenue, in ten-thousandths.
    fund_share: i64,
    discharges: i64,
    /// Readmissions in ten thousand discharges.
    readmission_rate: i64,
    case_mix_e4: i64,
    drg_cost_e4: i64,
}

impl Traits {
    /// Draws them for a size (magnitudes: 三级 some 35 million yuan a month, clinics some 25 thousand).
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

/// The figures of a half-year from which the next one grows.
#[derive(Debug, Clone)]
struct Figures {
    visits: i64,
    fund_fen: i64,
    fund_share: i64,
    readmission_rate: i64,
    case_mix_e4: i64,
    drg_cost_e4: i64,
}

/// What was drawn for an institution in the half-years before.
#[derive(Debug, Default)]
pub(super) struct History {
    facts: Vec<Fact>,
    last: Option<Figures>,
}

impl History {
    /// What has happened, as far back as the model looks.
    pub(super) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Takes over what was drawn for a half-year, and lets go of what no later one will look at.
    pub(super) fn keep(&mut self, period: HalfYear, lookback: u8, drawn: Drawn) {
        let since = period.plus(1 - i32::from(lookback)).first_month().first_day();
        self.facts.retain(|fact| fact.occurred_on >= since);
        self.facts.extend(drawn.all.into_iter().filter(|fact| fact.occurred_on >= since));
        self.last = Some(drawn.figures);
    }
}

/// What was drawn for a half-year: one fact for each measure, and one for each event.
#[derive(Debug)]
pub(super) struct Drawn {
    pub(super) all: Vec<Fact>,
    figures: Figures,
}

/// One subject in one half-year, with what it shall come to.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) subject: &'a SubjectSeed,
    pub(super) traits: &'a Traits,
    pub(super) period: HalfYear,
    /// Whether it is the first half-year of the plan, which brings what happened before along.
    pub(super) first: bool,
    pub(super) target: Target,
}

impl Draw<'_> {
    /// Draws everything but the bureau's scores, which calibration sets. `loss` is the share of points that indicators
    /// should lose on average, in ten-thousandths.
    pub(super) fn figures(&self, history: &History, loss: i64, stream: &mut Stream) -> Drawn {
        let mut sheet = Sheet { draw: self, facts: Vec::new() };
        sheet.events(stream);
        let figures = self.grown(history, loss, stream);
        sheet.work(&figures, loss, stream);
        sheet.staff(loss, stream);
        sheet.hospital(&figures);
        Drawn { all: sheet.facts, figures }
    }

    /// A fact to stand after others; `None` where the catalogue has no such measure.
    pub(super) fn fact(&self, others: &[Fact], measure: &str, value: Decimal, occurred_on: Day) -> Option<Fact> {
        let catalogue = self.plan.catalogue;
        let place = catalogue.place(measure)?;
        let category = catalogue.category(catalogue.measure(measure)?.category)?;
        let nth = others.iter().filter(|fact| fact.measure == place).count() + 1;
        Some(Fact {
            measure: place,
            occurred_on,
            value,
            source: category.provider_zh.clone(),
            reference: format!("{:02}-{}-{nth}", category.no, HalfYear::of(occurred_on.month())),
            import_seq: 1,
        })
    }

    /// The figures of this half-year, grown from those before.
    fn grown(&self, history: &History, loss: i64, stream: &mut Stream) -> Figures {
        let traits = self.traits;
        let Some(last) = &history.last else {
            return Figures {
                visits: traits.visits,
                fund_fen: traits.visits * traits.fund_per_visit,
                fund_share: traits.fund_share,
                readmission_rate: traits.readmission_rate,
                case_mix_e4: traits.case_mix_e4,
                drg_cost_e4: traits.drg_cost_e4,
            };
        };
        let mut grow = |value: i64, low: i64, high: i64| value * (ALL + stream.between(low, high)) / ALL;
        // The more is to be lost, the farther growth strays to the side that costs points.
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

/// The facts of a half-year as they are written down.
struct Sheet<'a> {
    draw: &'a Draw<'a>,
    facts: Vec<Fact>,
}

impl Sheet<'_> {
    /// Writes a figure of the whole half-year, in ten-thousandths.
    fn figure(&mut self, measure: &str, value_e4: i64) {
        let end = self.draw.period.last_month().last_day();
        self.write(measure, Decimal(value_e4), end);
    }

    fn write(&mut self, measure: &str, value: Decimal, occurred_on: Day) {
        self.facts.extend(self.draw.fact(&self.facts, measure, value, occurred_on));
    }

    /// What happened to the institution: the fewer points it shall have, the more.
    fn events(&mut self, stream: &mut Stream) {
        // Points that are to be lost, in whole points.
        let lost = (self.draw.plan.model.file().total.0 - self.draw.target.points.0) / 1000;
        let periods = if self.draw.first { i32::from(self.draw.plan.model.lookback()) } else { 0 };
        for back in (0..=periods).rev() {
            let period = self.draw.period.plus(-back);
            // What lies before the plan is thinner: it is only there to have a past.
            let chance = |over: i64, per_point: i64| (lost - over).max(0) * per_point / if back > 0 { 3 } else { 1 };
            let honour = |over: i64, per_point: i64| (over - lost).max(0) * per_point / if back > 0 { 3 } else { 1 };
            let chances = [
                ("agreement_sanction", chance(120, 33)),
                ("agreement_sanction", chance(200, 25)),
                ("insurance_penalty", chance(180, 25)),
                ("health_penalty", chance(150, 16)),
                ("market_penalty", chance(150, 16)),
                ("court_fraud_judgment", chance(270, 10)),
                ("court_dishonest_listing", chance(250, 10)),
                ("insurance_commendation", honour(200, 40)),
                ("health_commendation", honour(180, 25)),
            ];
            let days = period.last_month().last_day().days_since(period.first_month().first_day());
            for (measure, chance) in chances {
                let on = period.first_month().first_day().plus_days(stream.between(0, days));
                if stream.happens(chance) {
                    self.write(measure, Decimal(Decimal::ONE), on);
                }
            }
        }
    }

    /// Work, money and what the audit found.
    fn work(&mut self, figures: &Figures, loss: i64, stream: &mut Stream) {
        let yuan = |fen: i64| fen * (Decimal::ONE / 100);
        // Half of the average loss to three halves of it.
        let mut share = || (loss * stream.between(5_000, 15_000) / ALL).clamp(0, ALL);
        let claimed_fen = figures.fund_fen + figures.fund_fen / 40;
        self.figure("visits", figures.visits * Decimal::ONE);
        self.figure("fund_used", yuan(figures.fund_fen));
        self.figure("medical_revenue", yuan(figures.fund_fen * ALL / figures.fund_share.max(1)));
        self.figure("claimed_amount", yuan(claimed_fen));
        self.figure("audit_rejected_visits", figures.visits * share() / (20 * ALL) * Decimal::ONE);
        self.figure("audit_rejected_amount", yuan(claimed_fen / 1000 * share() / (20 * ALL) * 1000));
        let agreed = figures.fund_fen / 5;
        self.figure("procurement_agreed_amount", yuan(agreed));
        self.figure("procurement_completed_amount", yuan(agreed / ALL * (ALL - share() / 2)));
        let due = figures.fund_fen / 7;
        self.figure("collective_due_amount", yuan(due));
        self.figure("collective_settled_amount", yuan(due / ALL * (ALL - share() / 2)));
        let required = 4 + share() % 7;
        self.figure("training_required", required * Decimal::ONE);
        self.figure("training_attended", (required - required * share() * 6 / (10 * ALL)) * Decimal::ONE);
        self.figure("profile_fields_required", 60 * Decimal::ONE);
        self.figure("profile_fields_filled", (60 - 24 * share() / ALL) * Decimal::ONE);
    }

    fn staff(&mut self, loss: i64, stream: &mut Stream) {
        let beds = self.draw.traits.beds;
        let mut short = || ALL - (loss * stream.between(0, 15_000) / ALL).clamp(0, ALL);
        let (physicians, nurses) = if beds == 0 { (2, 2) } else { (beds / 5, beds / 4) };
        self.figure("beds_open", beds * Decimal::ONE);
        self.figure("senior_physicians", (physicians * short() / ALL).max(1) * Decimal::ONE);
        self.figure("senior_nurses", (nurses * short() / ALL).max(1) * Decimal::ONE);
        let experts = match stream.between(0, ALL) {
            drawn if drawn < loss => 0,
            drawn if drawn < 2 * loss => 1,
            _ => 2,
        };
        self.figure("insurance_experts", experts * Decimal::ONE);
    }

    /// What only institutions with beds report.
    fn hospital(&mut self, figures: &Figures) {
        let discharges = self.draw.traits.discharges;
        if discharges > 0 {
            self.figure("discharges", discharges * Decimal::ONE);
            self.figure("readmissions", (discharges * figures.readmission_rate / ALL).max(1) * Decimal::ONE);
        }
        if self.draw.traits.drg {
            self.figure("case_mix_index", figures.case_mix_e4);
            self.figure("drg_cost_index", figures.drg_cost_e4);
        }
    }
}

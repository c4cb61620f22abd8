//! The facts of one subject in one half-year, as they are drawn one by one.

use super::{Plan, SubjectSeed, targets::Target};
use crate::{
    domain::{Day, HalfYear},
    scoring::{Decimal, Fact, Points},
};

/// The whole of a share in ten-thousandths.
pub(super) const ALL: i64 = 10_000;

/// One subject in one half-year, and its target.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) plan: &'a Plan<'a>,
    pub(super) subject: &'a SubjectSeed,
    pub(super) period: HalfYear,
    /// Whether it is the first half-year of the plan, which also gets the events of earlier ones.
    pub(super) first: bool,
    pub(super) target: Target,
    /// The most points of the subject's grades in all half-years of the plan.
    pub(super) best: Points,
}

impl Context<'_> {
    /// A fact to add to others; `None` if the catalogue does not have its measure.
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
}

/// The facts drawn so far.
pub(super) struct FactSheet<'a> {
    pub(super) context: Context<'a>,
    /// Facts of earlier half-years.
    history: &'a [Fact],
    facts: Vec<Fact>,
}

impl<'a> FactSheet<'a> {
    /// A sheet without facts.
    pub(super) const fn new(context: Context<'a>, history: &'a [Fact]) -> Self {
        Self { context, history, facts: Vec::new() }
    }

    /// Adds a figure of the whole half-year, in ten-thousandths.
    pub(super) fn figure(&mut self, measure: &str, value_e4: i64) {
        let end = self.context.period.last_month().last_day();
        self.write(measure, Decimal(value_e4), end);
    }

    /// Whether an event happened in another half-year, as far back as the model looks.
    pub(super) fn happened_before(&self, measure: &str, period: HalfYear) -> bool {
        let place = self.context.plan.catalogue.place(measure);
        let mut all = self.history.iter().chain(&self.facts);
        all.any(|fact| Some(fact.measure) == place && HalfYear::of(fact.occurred_on.month()) != period)
    }

    /// Adds a fact, if the catalogue has its measure.
    pub(super) fn write(&mut self, measure: &str, value: Decimal, occurred_on: Day) {
        self.facts.extend(self.context.fact(&self.facts, measure, value, occurred_on));
    }

    /// The facts.
    pub(super) fn into_facts(self) -> Vec<Fact> {
        self.facts
    }
}

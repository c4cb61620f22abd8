//! Plausible figures of a subject in a half-year, around its target.

use super::{
    Plan, SubjectSeed,
    events::{self, Chance},
    fact_sheet::{ALL, Context, FactSheet},
    institution, kinds,
    knobs::score_measure,
    table,
};
use crate::{
    domain::HalfYear,
    scoring::{Decimal, Fact, MeasureForm},
    synthetic::stream::Stream,
};

/// The kind whose figures depend on each other: beds, discharges, DRG. Other kinds are drawn from tables.
const INSTITUTION: &str = "medical_institution";

/// What stays the same about a subject.
#[derive(Debug, Clone)]
pub(super) enum Traits {
    Institution(institution::Traits),
    Other(table::Traits),
}

impl Traits {
    /// Draws the traits of a subject.
    pub(super) fn draw(plan: &Plan<'_>, subject: &SubjectSeed) -> Self {
        // Without the period: traits are the same in all half-years.
        let mut stream = Stream::of(plan.seed, &["traits", &subject.code]);
        match plan.model.kind() {
            INSTITUTION => Self::Institution(institution::Traits::draw(subject.size, &mut stream)),
            kind => Self::Other(table::Traits::draw(kinds::lines(kind), &mut stream)),
        }
    }
}

/// Tables that are computed once for all subjects of a plan.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    /// The events of the kind's own model.
    events: Vec<Chance<'a>>,
    /// Events of the catalogue that only other models use.
    events_beyond: Vec<Chance<'a>>,
    /// Measures of the catalogue, by place, that neither the tables of this room nor calibration set: a city's own.
    measures_beyond: Vec<usize>,
}

impl<'a> Prepared<'a> {
    /// Prepares a plan.
    pub(super) fn of(plan: &Plan<'a>) -> Self {
        let kind = plan.model.kind();
        let lines = kinds::lines(kind).iter().map(|(measure, _)| *measure);
        let reported: Vec<&str> = if kind == INSTITUTION { institution::REPORTED.to_vec() } else { lines.collect() };
        let scores: Vec<&str> =
            plan.model.indicators().filter_map(|placed| score_measure(placed.indicator, plan.catalogue)).collect();
        let measures = plan.catalogue.measures().iter().enumerate();
        let beyond = measures.filter(|(_, measure)| {
            let id = measure.id.as_str();
            measure.form != MeasureForm::Event && !reported.contains(&id) && !scores.contains(&id)
        });
        let (events, events_beyond) = match kind {
            INSTITUTION => (institution::EVENTS.to_vec(), events::beyond(&institution::EVENTS, plan.catalogue)),
            _ => (events::beyond(&[], plan.catalogue), Vec::new()),
        };
        Self { events, events_beyond, measures_beyond: beyond.map(|(place, _)| place).collect() }
    }
}

/// The figures of a half-year, from which those of the next one grow.
#[derive(Debug, Clone)]
enum Figures {
    Institution(institution::Figures),
    Other(table::Figures),
}

impl Figures {
    const fn institution(&self) -> Option<&institution::Figures> {
        if let Self::Institution(figures) = self { Some(figures) } else { None }
    }

    const fn other(&self) -> Option<&table::Figures> {
        if let Self::Other(figures) = self { Some(figures) } else { None }
    }
}

/// What was drawn for a subject in earlier half-years.
#[derive(Debug, Default)]
pub(super) struct History {
    facts: Vec<Fact>,
    last: Option<Figures>,
}

impl History {
    /// The facts of earlier half-years, as far back as the model looks.
    pub(super) fn facts(&self) -> &[Fact] {
        &self.facts
    }

    /// Adds what was drawn for a half-year, and drops facts that no later half-year uses.
    pub(super) fn add(&mut self, period: HalfYear, lookback: u8, drawn: Drawn) {
        let since = period.plus(1 - i32::from(lookback)).first_month().first_day();
        // What is older than the model looks back counts no more.
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

/// Draws the facts of one subject in one half-year.
#[derive(Debug)]
pub(super) struct Draw<'a> {
    pub(super) context: Context<'a>,
    pub(super) prepared: &'a Prepared<'a>,
    pub(super) traits: &'a Traits,
}

impl Draw<'_> {
    /// Draws everything except the bureau's scores, which calibration sets. `loss` is the share of points that
    /// indicators should lose on average, in ten-thousandths, and `faults` how many times the usual chances faults have.
    pub(super) fn figures(&self, history: &History, loss: i64, faults: i64, stream: &mut Stream) -> Drawn {
        let Context { plan, subject, period, .. } = self.context;
        let mut sheet = FactSheet::new(self.context, history.facts());
        let repeats = matches!(self.traits, Traits::Institution(_));
        events::happen(&mut sheet, &self.prepared.events, repeats, faults, stream);
        let figures = match (self.traits, &history.last) {
            (Traits::Institution(traits), last) => {
                let last = last.as_ref().and_then(Figures::institution);
                let figures = traits.grown(last, loss, stream);
                traits.report(&figures, loss, &mut sheet, stream);
                Figures::Institution(figures)
            }
            (Traits::Other(traits), last) => {
                let figures = traits.grown(last.as_ref().and_then(Figures::other), loss, stream);
                traits.report(&figures, loss, &mut sheet, stream);
                Figures::Other(figures)
            }
        };
        // A stream of its own, so that a city that adds to its catalogue gets the same other figures as before.
        let mut beyond = Stream::of(plan.seed, &["beyond", &subject.code, &period.to_string()]);
        events::happen(&mut sheet, &self.prepared.events_beyond, false, faults, &mut beyond);
        self.measures_beyond(&mut sheet, loss, &mut beyond);
        Drawn { all: sheet.into_facts(), figures }
    }

    /// Draws measures that a city, or another model, has added to the catalogue: scores near the subject's target,
    /// numbers from 1 to 100.
    fn measures_beyond(&self, sheet: &mut FactSheet<'_>, loss: i64, stream: &mut Stream) {
        for place in &self.prepared.measures_beyond {
            let Some(measure) = self.context.plan.catalogue.measures().get(*place) else { continue };
            let near = (ALL - loss + stream.between(-800, 800)).clamp(0, ALL);
            let least = measure.least.map_or(0, |least| least.0);
            let value = match measure.most {
                Some(most) => least + (most.0 - least) / ALL * near,
                None => least + stream.between(1, 100) * Decimal::ONE,
            };
            sheet.figure(&measure.id, value);
        }
    }
}

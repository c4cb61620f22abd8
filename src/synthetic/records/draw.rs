//! Plausible figures of a subject in a half-year, around a wanted total.

use super::{
    Plan, SubjectSeed,
    calibrate::knob_of,
    events::{self, Chance},
    institution, kinds, sheet,
    targets::Target,
};
use crate::{
    domain::{Day, HalfYear},
    scoring::{Decimal, Fact, MeasureForm},
    synthetic::stream::Stream,
};

/// Ten thousand of ten thousand.
pub(super) const ALL: i64 = 10_000;

/// The kind whose figures hang together in ways of their own: beds, discharges, DRG.
const INSTITUTION: &str = "medical_institution";

/// What stays the same about a subject.
#[derive(Debug, Clone)]
pub(super) enum Traits {
    Institution(institution::Traits),
    Other(sheet::Traits),
}

impl Traits {
    /// Draws them.
    pub(super) fn draw(plan: &Plan<'_>, subject: &SubjectSeed) -> Self {
        let mut stream = Stream::of(plan.seed, &["traits", &subject.code]);
        match plan.model.kind() {
            INSTITUTION => Self::Institution(institution::Traits::draw(subject.size, &mut stream)),
            kind => Self::Other(sheet::Traits::draw(kinds::lines(kind), &mut stream)),
        }
    }
}

/// What is found out once for all subjects of a plan.
#[derive(Debug)]
pub(super) struct Prepared<'a> {
    /// What happens to them.
    events: Vec<Chance<'a>>,
    /// What happens besides, which the kind's own model need not know: other models judge by it.
    events_beyond: Vec<Chance<'a>>,
    /// Measures of the catalogue that neither the tables of this room nor calibration set: a city's own.
    measures_beyond: Vec<usize>,
}

impl<'a> Prepared<'a> {
    /// Prepares a plan.
    pub(super) fn of(plan: &Plan<'a>) -> Self {
        let kind = plan.model.kind();
        let lines = kinds::lines(kind).iter().map(|(measure, _)| *measure);
        let reported: Vec<&str> = if kind == INSTITUTION { institution::REPORTED.to_vec() } else { lines.collect() };
        let knobs: Vec<&str> =
            plan.model.indicators().filter_map(|placed| knob_of(placed.indicator, plan.catalogue)).collect();
        let measures = plan.catalogue.measures().iter().enumerate();
        let beyond = measures.filter(|(_, measure)| {
            let id = measure.id.as_str();
            measure.form != MeasureForm::Event && !reported.contains(&id) && !knobs.contains(&id)
        });
        let (events, events_beyond) = match kind {
            INSTITUTION => (institution::EVENTS.to_vec(), events::beyond(&institution::EVENTS, plan.catalogue)),
            _ => (events::beyond(&[], plan.catalogue), Vec::new()),
        };
        Self { events, events_beyond, measures_beyond: beyond.map(|(place, _)| place).collect() }
    }
}

/// The figures of a half-year from which the next one grows.
#[derive(Debug, Clone)]
enum Figures {
    Institution(institution::Figures),
    Other(sheet::Figures),
}

impl Figures {
    const fn institution(&self) -> Option<&institution::Figures> {
        if let Self::Institution(figures) = self { Some(figures) } else { None }
    }

    const fn other(&self) -> Option<&sheet::Figures> {
        if let Self::Other(figures) = self { Some(figures) } else { None }
    }
}

/// What was drawn for a subject in the half-years before.
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
    pub(super) prepared: &'a Prepared<'a>,
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
        let mut sheet = Sheet { draw: self, history, facts: Vec::new() };
        let again = matches!(self.traits, Traits::Institution(_));
        events::happen(&mut sheet, &self.prepared.events, again, stream);
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
        // A stream of its own: a city that adds to its catalogue has the same figures as before in everything else.
        let period = self.period.to_string();
        let mut beyond = Stream::of(self.plan.seed, &["beyond", &self.subject.code, &period]);
        events::happen(&mut sheet, &self.prepared.events_beyond, false, &mut beyond);
        sheet.measures_beyond(loss, &mut beyond);
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
}

/// The facts of a half-year as they are written down.
pub(super) struct Sheet<'a> {
    /// Whose.
    pub(super) draw: &'a Draw<'a>,
    history: &'a History,
    facts: Vec<Fact>,
}

impl Sheet<'_> {
    /// Writes a figure of the whole half-year, in ten-thousandths.
    pub(super) fn figure(&mut self, measure: &str, value_e4: i64) {
        let end = self.draw.period.last_month().last_day();
        self.write(measure, Decimal(value_e4), end);
    }

    /// Whether something happened in another half-year than this, as far back as the model looks.
    pub(super) fn happened_before(&self, measure: &str, period: HalfYear) -> bool {
        let place = self.draw.plan.catalogue.place(measure);
        let mut all = self.history.facts().iter().chain(&self.facts);
        all.any(|fact| Some(fact.measure) == place && HalfYear::of(fact.occurred_on.month()) != period)
    }

    /// Writes a fact, where the catalogue has its measure.
    pub(super) fn write(&mut self, measure: &str, value: Decimal, occurred_on: Day) {
        self.facts.extend(self.draw.fact(&self.facts, measure, value, occurred_on));
    }

    /// Measures that a city, or another model, has put into the catalogue: scores near what the subject shall come to,
    /// numbers within a hundred.
    fn measures_beyond(&mut self, loss: i64, stream: &mut Stream) {
        let draw = self.draw;
        for place in &draw.prepared.measures_beyond {
            let Some(measure) = draw.plan.catalogue.measures().get(*place) else { continue };
            let near = (ALL - loss + stream.between(-800, 800)).clamp(0, ALL);
            let least = measure.least.map_or(0, |least| least.0);
            let value = match measure.most {
                Some(most) => least + (most.0 - least) / ALL * near,
                None => least + stream.between(1, 100) * Decimal::ONE,
            };
            self.figure(&measure.id, value);
        }
    }
}

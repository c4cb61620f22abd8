//! A scoring model as data: a scheme of grades, and either a tree of weighted indicators or rules over signals.
//!
//! The types mirror the file, which is also the form that a run stores in the database. A [`Model`] has been checked against
//! its catalogue; only [`Model::parse`] and [`Model::from_json`] make one.

mod file;
mod forms;
mod origin;
mod rules;

pub use file::{Grade, Indicator, Level1, Level2, ModelFile, NotRated, NotRatedException, PlacedIndicator, Scheme};
pub use forms::{Band, Missing, PeerGroup, ScoreForm, SubjectDay, ValueForm};
pub use origin::{Basis, Origin};
pub use rules::{
    Cap, Chain, ChainRule, Condition, Consequence, GradeRule, OwnWorse, OwnWorseOutcome, Signal, SignalMissing, Veto,
    When,
};

use super::{
    catalogue::Catalogue,
    check::check,
    decide::{Decisions, signal_value},
    faults::Faults,
    measures::Measures,
    method::Method,
    number::Points,
    resolved::{PeerComparison, ResolvedValue},
};
use crate::domain::{
    grade::NotRatedReason,
    money::MilliPoints,
    table::{TableError, read},
};

/// A checked model: weights add up at every level, grades cover every total or rules every case, every measure is in the
/// catalogue, every rule can reach its weight and names its origin.
#[derive(Debug, Clone)]
pub struct Model {
    file: ModelFile,
    indicators: Vec<ResolvedValue>,
    signals: Vec<ResolvedValue>,
    decisions: Decisions,
    peers: Vec<PeerComparison>,
    /// The number of earlier half-years whose stocks may still be valid.
    reach: u8,
    /// The positions of the events of which any one means that a subject is not rated for another reason.
    other: Vec<usize>,
}

impl Model {
    /// Reads and checks a model; `file` is its name in error texts.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, TableError> {
        Self::checked(file, text, read(file, text)?, catalogue)
    }

    /// Reads and checks a model that a run stored.
    pub fn from_json(name: &str, text: &str, catalogue: &Catalogue) -> Result<Self, TableError> {
        // Checked again like a file: what the store holds may have been changed or written by an older program.
        let raw = serde_json::from_str(text).map_err(|error| TableError::whole_file(name, error.to_string()))?;
        Self::checked(name, "", raw, catalogue)
    }

    /// The kind of subject of a model file, read before its catalogue can be chosen.
    pub fn kind_of(file: &str, text: &str) -> Result<String, TableError> {
        read::<ModelFile>(file, text).map(|raw| raw.kind)
    }

    fn checked(name: &str, text: &str, file: ModelFile, catalogue: &Catalogue) -> Result<Self, TableError> {
        let mut faults = Faults::new(name, text);
        check(&file, catalogue, &mut faults);
        faults.finish()?;
        // The check has found every measure. If it ever missed one, leaving its rule out would shift the rules after it.
        Self::resolved(file, catalogue)
            .ok_or_else(|| TableError::whole_file(name, "a rule reads a measure that the catalogue does not have"))
    }

    fn resolved(file: ModelFile, catalogue: &Catalogue) -> Option<Self> {
        let mut peers = Vec::new();
        let mut indicators = Vec::new();
        for placed in file.indicators() {
            indicators.push(ResolvedValue::of(&placed.indicator.value, catalogue, &mut peers)?);
        }
        let mut signals = Vec::with_capacity(file.signal.len());
        for signal in &file.signal {
            signals.push(ResolvedValue::of(&signal.value, catalogue, &mut peers)?);
        }
        let other = file.not_rated.other.iter().map(|id| catalogue.place(id)).collect::<Option<_>>()?;
        let decisions = Decisions::of(&file)?;
        let reach = indicators.iter().chain(&signals).map(|value| value.reach(catalogue)).max().unwrap_or(0);
        Some(Self { file, indicators, signals, decisions, peers, reach, other })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        &self.file.id
    }

    /// The kind of subject that the model rates.
    pub fn kind(&self) -> &str {
        &self.file.kind
    }

    /// The scheme of grades.
    pub const fn scheme(&self) -> &Scheme {
        &self.file.scheme
    }

    /// The content of the file.
    pub const fn file(&self) -> &ModelFile {
        &self.file
    }

    /// Whether the model grades by points; if not, it grades by rules.
    pub const fn by_points(&self) -> bool {
        self.file.by_points()
    }

    /// The indicators with their ancestors, in order.
    pub fn indicators(&self) -> impl Iterator<Item = PlacedIndicator<'_>> {
        self.file.indicators()
    }

    /// The values of [`Model::indicators`], in the same order.
    pub(super) fn indicator_values(&self) -> &[ResolvedValue] {
        &self.indicators
    }

    /// The values of the signals, in the order of the file.
    pub(super) fn signal_values(&self) -> &[ResolvedValue] {
        &self.signals
    }

    /// The rules, limits and chain rules.
    pub(super) const fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The positions of the measures that it reads.
    pub(super) fn reads(&self) -> impl Iterator<Item = usize> {
        self.indicators.iter().chain(&self.signals).flat_map(ResolvedValue::places).chain(self.other.iter().copied())
    }

    /// The comparisons with peers: [`Measures::with_peers`] takes a rank for each, in this order.
    pub fn peers(&self) -> &[PeerComparison] {
        &self.peers
    }

    /// Whether an event happened that means that the subject is not rated for another reason.
    pub fn exempted(&self, measures: &Measures) -> bool {
        self.other.iter().any(|place| measures.count(*place, 0) > 0)
    }

    /// Whether the model leaves subjects without any data unrated.
    pub fn needs_data(&self) -> bool {
        self.file.not_rated.reasons.contains(&NotRatedReason::InsufficientData)
    }

    /// Whether facts can decide that a reason of not being rated does not apply.
    pub fn may_except(&self, reason: NotRatedReason) -> bool {
        self.file.not_rated.except.iter().any(|exception| exception.case == reason)
    }

    /// Whether a reason of not being rated does not apply to a subject with these measures.
    pub fn excepts(&self, reason: NotRatedReason, measures: &Measures) -> bool {
        let signals = || {
            let values = self.file.signal.iter().zip(&self.signals);
            values.map(|(signal, value)| signal_value(signal, value.measure(measures))).collect::<Vec<_>>()
        };
        self.may_except(reason) && self.decisions.excepts(reason, &signals())
    }

    /// Whether facts can decide that a subject is not rated.
    pub const fn exempts_by_facts(&self) -> bool {
        !self.other.is_empty()
    }

    /// The code of the grade of a total.
    pub fn grade_of(&self, total: MilliPoints) -> String {
        self.file.scheme.grade_of(Points(total.0)).map(|grade| grade.code.clone()).unwrap_or_default()
    }

    /// The most points that the caps and vetoes allow to which a single event of a measure leads; `None` where none does.
    pub fn most_with(&self, measure: &str) -> Option<Points> {
        self.decisions.most_where(|place| {
            let signal = self.file.signal.get(place);
            signal.is_some_and(|signal| matches!(&signal.value, ValueForm::Count { measures, .. } if measures.iter().any(|id| id == measure)))
        })
    }

    /// The number of earlier half-years that a run of this model reads.
    pub fn lookback(&self) -> u8 {
        self.lookback_by(Method::CURRENT)
    }

    /// The number of earlier half-years that a run of this model reads by a method.
    pub fn lookback_by(&self, method: Method) -> u8 {
        let read = self.indicators.iter().chain(&self.signals).map(ResolvedValue::lookback).max().unwrap_or(0);
        if method.carries_stocks() { read.max(self.reach) } else { read }
    }

    /// The canonical form that runs store and digest: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }
}

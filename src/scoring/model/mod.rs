//! A scoring model as data: a scheme of grades, and either a tree of weighted indicators or rules over signals.
//!
//! The types here are the file's own form, which is also the form a run keeps in the database. A [`Model`] is one that
//! has been checked against its catalogue; only [`Model::parse`] and [`Model::from_json`] make one.

mod file;
mod forms;
mod origin;
mod rules;

pub use file::{Grade, Indicator, Level1, Level2, ModelFile, NotRated, Placed, Scheme};
pub use forms::{Band, Missing, PeerGroup, ScoreForm, SubjectDay, ValueForm};
pub use origin::{Basis, Origin};
pub use rules::{
    Cap, Chain, ChainRule, Condition, Consequence, GradeRule, OwnWorse, OwnWorseOutcome, Signal, SignalMissing, Veto,
    When,
};

use super::{
    catalogue::Catalogue,
    check::check,
    decide::Decisions,
    measures::Measures,
    number::Points,
    reading::{PeerForm, Reading},
    source::Faults,
};
use crate::domain::{
    money::MilliPoints,
    table::{TableError, read},
};

/// A model that has been checked: weights add up at every level, grades cover every total or rules every case, every
/// measure is in the catalogue, every rule can reach its weight and says where it comes from.
#[derive(Debug, Clone)]
pub struct Model {
    file: ModelFile,
    indicators: Vec<Reading>,
    signals: Vec<Reading>,
    decisions: Decisions,
    peers: Vec<PeerForm>,
    /// The places of the events upon which a subject is not rated for another reason.
    other: Vec<usize>,
}

impl Model {
    /// Reads and checks a model; `file` names it in what is refused.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, TableError> {
        Self::checked(file, text, read(file, text)?, catalogue)
    }

    /// Reads and checks a model that a run kept.
    pub fn from_json(name: &str, text: &str, catalogue: &Catalogue) -> Result<Self, TableError> {
        let raw = serde_json::from_str(text).map_err(|error| TableError::whole_file(name, error.to_string()))?;
        Self::checked(name, "", raw, catalogue)
    }

    /// The kind of subject a model file is for, read before its catalogue can be chosen.
    pub fn kind_of(file: &str, text: &str) -> Result<String, TableError> {
        read::<ModelFile>(file, text).map(|raw| raw.kind)
    }

    fn checked(name: &str, text: &str, file: ModelFile, catalogue: &Catalogue) -> Result<Self, TableError> {
        let mut faults = Faults::new(name, text);
        check(&file, catalogue, &mut faults);
        faults.finish()?;
        // The check has found every measure; were one to escape it, no rule may slip into another's place.
        Self::resolved(file, catalogue)
            .ok_or_else(|| TableError::whole_file(name, "a rule reads a measure that the catalogue does not have"))
    }

    fn resolved(file: ModelFile, catalogue: &Catalogue) -> Option<Self> {
        let mut peers = Vec::new();
        let mut indicators = Vec::new();
        for placed in file.indicators() {
            indicators.push(Reading::of(&placed.indicator.value, catalogue, &mut peers)?);
        }
        let mut signals = Vec::with_capacity(file.signal.len());
        for signal in &file.signal {
            signals.push(Reading::of(&signal.value, catalogue, &mut peers)?);
        }
        let other = file.not_rated.other.iter().map(|id| catalogue.place(id)).collect::<Option<_>>()?;
        let decisions = Decisions::of(&file)?;
        Some(Self { file, indicators, signals, decisions, peers, other })
    }

    /// The model's id.
    pub fn id(&self) -> &str {
        &self.file.id
    }

    /// The kind of subject it rates.
    pub fn kind(&self) -> &str {
        &self.file.kind
    }

    /// Its grades.
    pub const fn scheme(&self) -> &Scheme {
        &self.file.scheme
    }

    /// Everything in it, as its file has it.
    pub const fn file(&self) -> &ModelFile {
        &self.file
    }

    /// Whether it rates by points; otherwise by rules.
    pub const fn by_points(&self) -> bool {
        self.file.by_points()
    }

    /// Its indicators with their places in the tree, in order.
    pub fn indicators(&self) -> impl Iterator<Item = Placed<'_>> {
        self.file.indicators()
    }

    /// What each of [`Model::indicators`] measures, in the same order.
    pub(super) fn indicator_readings(&self) -> &[Reading] {
        &self.indicators
    }

    /// What each signal measures, in the file's order.
    pub(super) fn signal_readings(&self) -> &[Reading] {
        &self.signals
    }

    /// What its conditions decide.
    pub(super) const fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// The comparisons with peers that it needs: [`Measures::with_peers`] takes one standing for each, in this order.
    pub fn peers(&self) -> &[PeerForm] {
        &self.peers
    }

    /// Whether one of the events happened upon which a subject is not rated for another reason.
    pub fn exempted(&self, measures: &Measures) -> bool {
        self.other.iter().any(|place| measures.count(*place, 0) > 0)
    }

    /// Whether facts decide who is not rated.
    pub const fn exempts_by_facts(&self) -> bool {
        !self.other.is_empty()
    }

    /// The code of the grade that a total earns.
    pub fn grade_of(&self, total: MilliPoints) -> String {
        self.file.scheme.grade_of(Points(total.0)).map(|grade| grade.code.clone()).unwrap_or_default()
    }

    /// How many half-years before its own a run of this model looks at.
    pub fn lookback(&self) -> u8 {
        self.indicators.iter().chain(&self.signals).map(Reading::lookback).max().unwrap_or(0)
    }

    /// The form a run keeps and digests: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }
}

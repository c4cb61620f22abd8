//! The subjects and measures that facts may be about, numbered in the order in which facts are kept.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::{
    domain::Day,
    scoring::{Catalogue, Decimal, Measure},
};

/// A measure of a kind.
#[derive(Debug, Clone, Copy)]
pub(in crate::importing) struct KnownMeasure {
    /// Its place among all measures.
    pub(in crate::importing) place: u16,
    least: i64,
    most: i64,
}

impl KnownMeasure {
    fn of(place: u16, measure: &Measure) -> Self {
        let bound = |bound: Option<Decimal>, without: i64| bound.map_or(without, |bound| bound.0);
        Self { place, least: bound(measure.least, i64::MIN), most: bound(measure.most, i64::MAX) }
    }

    /// Whether a fact may have this value.
    pub(in crate::importing) fn admits(self, value_e4: i64) -> bool {
        (self.least..=self.most).contains(&value_e4)
    }
}

/// Everything a fact may name.
#[derive(Debug)]
pub(in crate::importing) struct Known {
    /// Every code, by kind and then by code.
    codes: Vec<Box<str>>,
    /// The kind of each, by place.
    kinds_of: Vec<u16>,
    subjects: HashMap<Box<str>, u32>,
    kinds: Vec<String>,
    measures: Vec<String>,
    /// The measures of each kind.
    of_kind: Vec<HashMap<String, KnownMeasure>>,
    today: Day,
}

impl Known {
    /// Subjects as code and kind, and the catalogues by kind. `today` bounds the days of facts.
    pub(in crate::importing) fn new(
        subjects: Vec<(String, String)>,
        catalogues: &BTreeMap<String, Catalogue>,
        today: Day,
    ) -> Self {
        let kinds: BTreeSet<String> = subjects.iter().map(|(_, kind)| kind.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let place_of: HashMap<&str, u16> = kinds.iter().map(String::as_str).zip(0..).collect();
        let mut ordered: Vec<(u16, Box<str>)> = subjects
            .into_iter()
            .filter_map(|(code, kind)| Some((*place_of.get(kind.as_str())?, code.into_boxed_str())))
            .collect();
        ordered.sort_unstable();
        let measures: BTreeSet<&str> =
            catalogues.values().flat_map(|one| one.measures().iter().map(|measure| measure.id.as_str())).collect();
        let of_kind = kinds
            .iter()
            .map(|kind| {
                let all = catalogues.get(kind).map(Catalogue::measures).unwrap_or_default();
                let place = |id: &str| measures.iter().position(|there| *there == id);
                all.iter()
                    .filter_map(|measure| {
                        let place = u16::try_from(place(&measure.id)?).ok()?;
                        Some((measure.id.clone(), KnownMeasure::of(place, measure)))
                    })
                    .collect()
            })
            .collect();
        Self {
            kinds_of: ordered.iter().map(|(kind, _)| *kind).collect(),
            subjects: ordered.iter().map(|(_, code)| code.clone()).zip(0..).collect(),
            codes: ordered.into_iter().map(|(_, code)| code).collect(),
            measures: measures.into_iter().map(str::to_owned).collect(),
            kinds,
            of_kind,
            today,
        }
    }

    /// How many subjects there are.
    pub(in crate::importing) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The last day a fact may be of.
    pub(in crate::importing) const fn today(&self) -> Day {
        self.today
    }

    /// The place of a subject.
    pub(in crate::importing) fn subject(&self, code: &str) -> Option<u32> {
        self.subjects.get(code).copied()
    }

    /// The code of a subject.
    pub(in crate::importing) fn code(&self, subject: u32) -> &str {
        usize::try_from(subject).ok().and_then(|at| self.codes.get(at)).map_or("", |code| code)
    }

    /// The kind of a subject, by place.
    pub(in crate::importing) fn kind_of(&self, subject: u32) -> Option<u16> {
        self.kinds_of.get(usize::try_from(subject).ok()?).copied()
    }

    /// The name of a kind.
    pub(in crate::importing) fn kind(&self, kind: u16) -> &str {
        self.kinds.get(usize::from(kind)).map_or("", String::as_str)
    }

    /// A measure of a kind.
    pub(in crate::importing) fn measure(&self, kind: u16, id: &str) -> Option<KnownMeasure> {
        self.of_kind.get(usize::from(kind))?.get(id).copied()
    }

    /// The id of a measure.
    pub(in crate::importing) fn measure_id(&self, place: u16) -> &str {
        self.measures.get(usize::from(place)).map_or("", String::as_str)
    }
}

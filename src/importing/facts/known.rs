//! The subjects and measures that facts may be about, numbered in the order in which facts are kept.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{Day, HalfYear, Region},
    importing::References,
    scoring::{Category, Decimal, Measure},
    store::facts::SubjectRow,
};

/// A measure of a kind, with what its category says of a fact.
#[derive(Debug, Clone, Copy)]
pub(in crate::importing) struct KnownMeasure {
    /// Its place among all measures.
    pub(in crate::importing) place: u16,
    least: i64,
    most: i64,
    /// The first day a fact may be of: one before was over when the oldest round that may still be made began.
    first_day: i32,
    /// Where its subjects are; anywhere, where the table of regions does not have the name.
    region: Option<Region>,
    /// Its category, by its place in [`Known`].
    category: u16,
}

impl KnownMeasure {
    /// Whether a fact may be of this day.
    pub(in crate::importing) const fn admits_day(self, day: i32) -> bool {
        day >= self.first_day
    }

    /// Whether a subject of a region may have such a fact.
    pub(in crate::importing) fn admits_region(self, region: Option<Region>) -> bool {
        match (self.region, region) {
            (Some(of), Some(there)) => of.covers(there),
            _ => true,
        }
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
    /// The region of each subject, by place.
    regions: Vec<Option<Region>>,
    /// The categories that measures belong to.
    categories: Vec<Category>,
    today: Day,
}

impl Known {
    /// Subjects, and what the city's rows are checked against. `today` bounds the days of facts; facts that were over
    /// when the half-year `halves_back` before the present one began are not taken.
    pub(in crate::importing) fn new(
        subjects: Vec<SubjectRow>,
        references: &References,
        today: Day,
        halves_back: u8,
    ) -> Self {
        let catalogues = &references.catalogues;
        let kinds: BTreeSet<String> = subjects.iter().map(|row| row.kind.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        let place_of: HashMap<&str, u16> = kinds.iter().map(String::as_str).zip(0..).collect();
        let mut ordered: Vec<(u16, Box<str>, Option<Region>)> = subjects
            .into_iter()
            .filter_map(|row| {
                let kind = *place_of.get(row.kind.as_str())?;
                Some((kind, row.code.into_boxed_str(), row.region.parse().ok()))
            })
            .collect();
        ordered.sort_unstable();
        let measures: BTreeSet<&str> =
            catalogues.values().flat_map(|one| one.measures().iter().map(|measure| measure.id.as_str())).collect();
        let oldest = HalfYear::of(today.month()).plus(-i32::from(halves_back)).first_month().first_day();
        let mut categories = Vec::new();
        let of_kind = kinds.iter().map(|kind| {
            let Some(catalogue) = catalogues.get(kind) else { return HashMap::new() };
            let first = categories.len();
            categories.extend(catalogue.categories().iter().cloned());
            let place = |id: &str| measures.iter().position(|there| *there == id);
            let of = |measure: &Measure| {
                let nth = catalogue.categories().iter().position(|one| one.no == measure.category)?;
                let category = catalogue.categories().get(nth)?;
                let bound = |bound: Option<Decimal>, without: i64| bound.map_or(without, |bound| bound.0);
                Some(KnownMeasure {
                    place: u16::try_from(place(&measure.id)?).ok()?,
                    least: bound(measure.least, i64::MIN),
                    most: bound(measure.most, i64::MAX),
                    first_day: category.valid_from(oldest).date().to_julian_day(),
                    region: references.regions.named(&category.region_zh, today),
                    category: u16::try_from(first + nth).ok()?,
                })
            };
            catalogue.measures().iter().filter_map(|one| Some((one.id.clone(), of(one)?))).collect()
        });
        Self {
            of_kind: of_kind.collect(),
            kinds_of: ordered.iter().map(|(kind, ..)| *kind).collect(),
            subjects: ordered.iter().map(|(_, code, _)| code.clone()).zip(0..).collect(),
            regions: ordered.iter().map(|(.., region)| *region).collect(),
            codes: ordered.into_iter().map(|(_, code, _)| code).collect(),
            measures: measures.into_iter().map(str::to_owned).collect(),
            kinds,
            categories,
            today,
        }
    }

    /// The category of a measure.
    pub(in crate::importing) fn category(&self, measure: KnownMeasure) -> Option<&Category> {
        self.categories.get(usize::from(measure.category))
    }

    /// Whether a source is the provider of a measure's category.
    pub(in crate::importing) fn is_provided_by(&self, measure: KnownMeasure, source: &str) -> bool {
        self.category(measure).is_some_and(|category| category.is_provided_by(source))
    }

    /// The region of a subject.
    pub(in crate::importing) fn region_of(&self, subject: u32) -> Option<Region> {
        self.regions.get(usize::try_from(subject).ok()?).copied().flatten()
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

//! The subjects and measures that facts may refer to, numbered in the order in which facts are stored.

use std::collections::{BTreeSet, HashMap};

use crate::{
    domain::{Day, HalfYear, Region},
    importing::References,
    scoring::{Authorities, Catalogue, Category, Decimal, Measure, ReferenceRule},
    store::facts::SubjectRow,
};

/// A measure of a kind, with the bounds of its facts.
#[derive(Debug, Clone, Copy)]
pub(super) struct MeasureBounds {
    /// Its number among the measures of all kinds, in the order of their ids.
    pub(super) number: u16,
    least: i64,
    most: i64,
    /// The first valid day: older facts expired before the oldest half-year that can still be graded.
    first_day: i32,
    /// The region of its subjects; any region, if the table of regions does not have the category's.
    region: Option<Region>,
    /// Whether its facts must name their document.
    needs_reference: bool,
    /// Index of its category in the [`Dictionary`].
    category: u16,
}

/// How events of a measure are distinguished.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventRule {
    /// Whether events of one day without a document are counted each.
    pub(super) repeats: bool,
}

impl MeasureBounds {
    /// Whether a fact may have this day.
    pub(super) const fn admits_day(self, day: i32) -> bool {
        day >= self.first_day
    }

    /// Whether a subject of a region may have such a fact.
    pub(super) fn admits_region(self, region: Option<Region>) -> bool {
        match (self.region, region) {
            (Some(of), Some(there)) => of.covers(there),
            _ => true,
        }
    }

    /// Whether a fact may have this reference.
    pub(super) fn admits_reference(self, reference: &str) -> bool {
        !self.needs_reference || !reference.trim().is_empty()
    }

    /// Whether a fact may have this value.
    pub(super) fn admits(self, value_e4: i64) -> bool {
        (self.least..=self.most).contains(&value_e4)
    }
}

/// Numbers for subjects, kinds and measures. They sort like the texts that they stand for, so that facts are sorted by
/// numbers alone.
#[derive(Debug)]
pub(super) struct Dictionary {
    /// The code of each subject, sorted by kind and then by code.
    codes: Vec<Box<str>>,
    /// The kind of each subject.
    kinds_of: Vec<u16>,
    /// The region of each subject.
    regions: Vec<Option<Region>>,
    /// The number of each code.
    subjects: HashMap<Box<str>, u32>,
    kinds: Vec<String>,
    measures: Vec<String>,
    /// The measures of each kind, by id.
    of_kind: Vec<HashMap<String, MeasureBounds>>,
    /// The measures of each kind that are events, by number.
    events: Vec<Vec<Option<EventRule>>>,
    /// The categories of all kinds, each with the other names of its providers.
    categories: Vec<(Category, Vec<String>)>,
    /// The names of providers.
    authorities: Authorities,
    today: Day,
}

impl Dictionary {
    /// Numbers `subjects` and the measures of the catalogues. Facts may not be later than `today`, nor have expired
    /// before the half-year `halves_back` before the present one.
    pub(super) fn new(subjects: Vec<SubjectRow>, references: &References, today: Day, halves_back: u8) -> Self {
        let catalogues = &references.catalogues;
        let kinds: BTreeSet<String> = subjects.iter().map(|row| row.kind.clone()).collect();
        let kinds: Vec<String> = kinds.into_iter().collect();
        // The table of kinds is far below 65,536 rows.
        let numbers: HashMap<&str, u16> = kinds.iter().map(String::as_str).zip(0..).collect();
        let mut ordered: Vec<(u16, Box<str>, Option<Region>)> = subjects
            .into_iter()
            .filter_map(|row| {
                let kind = *numbers.get(row.kind.as_str())?;
                // A region that does not parse excludes no fact.
                Some((kind, row.code.into_boxed_str(), row.region.parse().ok()))
            })
            .collect();
        // By kind and then by code, so that the numbers sort like the texts.
        ordered.sort_unstable();
        let measures: BTreeSet<&str> =
            catalogues.values().flat_map(|one| one.measures().iter().map(|measure| measure.id.as_str())).collect();
        let measures: Vec<&str> = measures.into_iter().collect();
        let oldest = HalfYear::of(today.month()).plus(-i32::from(halves_back)).first_month().first_day();
        let bounds = Bounds { references, measures: &measures, oldest, today };
        let mut categories = Vec::new();
        let of_kind = kinds.iter().map(|kind| match catalogues.get(kind) {
            Some(catalogue) => bounds.of_catalogue(catalogue, &mut categories),
            None => HashMap::new(),
        });
        let of_kind: Vec<HashMap<String, MeasureBounds>> = of_kind.collect();
        let events = kinds.iter().zip(&of_kind).map(|(kind, measures)| events_of(catalogues.get(kind), measures));
        let mut authorities = Authorities::default();
        for catalogue in catalogues.values() {
            authorities.extend(catalogue.authorities());
        }
        Self {
            events: events.collect(),
            of_kind,
            authorities,
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
    pub(super) fn category(&self, measure: MeasureBounds) -> Option<&Category> {
        self.categories.get(usize::from(measure.category)).map(|(category, _)| category)
    }

    /// Whether a source is the provider that the catalogue names for a measure, by one of its names.
    pub(super) fn is_provided_by(&self, measure: MeasureBounds, source: &str) -> bool {
        self.categories.get(usize::from(measure.category)).is_some_and(|(category, aliases)| {
            category.is_provided_by(source) || aliases.iter().any(|alias| source.ends_with(alias.as_str()))
        })
    }

    /// How events of a measure are distinguished; `None` for a measure whose facts are no events.
    pub(super) fn event(&self, kind: u16, measure: u16) -> Option<EventRule> {
        self.events.get(usize::from(kind))?.get(usize::from(measure)).copied().flatten()
    }

    /// The names of providers.
    pub(super) const fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The number of a measure's id.
    pub(super) fn measure_number(&self, id: &str) -> Option<u16> {
        self.measures.binary_search_by(|known| known.as_str().cmp(id)).ok().and_then(|at| u16::try_from(at).ok())
    }

    /// The region of a subject.
    pub(super) fn region_of(&self, subject: u32) -> Option<Region> {
        self.regions.get(usize::try_from(subject).ok()?).copied().flatten()
    }

    /// How many subjects there are.
    pub(super) fn len(&self) -> usize {
        self.codes.len()
    }

    /// The last valid day of a fact.
    pub(super) const fn today(&self) -> Day {
        self.today
    }

    /// The number of a subject.
    pub(super) fn subject(&self, code: &str) -> Option<u32> {
        self.subjects.get(code).copied()
    }

    /// The code of a subject.
    pub(super) fn code(&self, subject: u32) -> &str {
        usize::try_from(subject).ok().and_then(|at| self.codes.get(at)).map_or("", |code| code)
    }

    /// The kind of a subject, as its number.
    pub(super) fn kind_of(&self, subject: u32) -> Option<u16> {
        self.kinds_of.get(usize::try_from(subject).ok()?).copied()
    }

    /// The name of a kind.
    pub(super) fn kind(&self, kind: u16) -> &str {
        self.kinds.get(usize::from(kind)).map_or("", String::as_str)
    }

    /// A measure of a kind.
    pub(super) fn measure(&self, kind: u16, id: &str) -> Option<MeasureBounds> {
        self.of_kind.get(usize::from(kind))?.get(id).copied()
    }

    /// The id of a measure.
    pub(super) fn measure_id(&self, measure: u16) -> &str {
        self.measures.get(usize::from(measure)).map_or("", String::as_str)
    }
}

/// What the bounds of measures are computed from.
struct Bounds<'a> {
    references: &'a References,
    /// The ids of all measures, sorted.
    measures: &'a [&'a str],
    /// The first day of the oldest half-year that can still be graded.
    oldest: Day,
    today: Day,
}

impl Bounds<'_> {
    /// The measures of a catalogue by id. Its categories are added to `categories`.
    fn of_catalogue(
        &self,
        catalogue: &Catalogue,
        categories: &mut Vec<(Category, Vec<String>)>,
    ) -> HashMap<String, MeasureBounds> {
        let first = categories.len();
        let aliases = |category| catalogue.aliases(category).map(str::to_owned).collect();
        categories.extend(catalogue.categories().iter().map(|one| (one.clone(), aliases(one))));
        let measures = catalogue.measures().iter();
        measures.filter_map(|one| Some((one.id.clone(), self.of_measure(catalogue, one, first)?))).collect()
    }

    fn of_measure(&self, catalogue: &Catalogue, measure: &Measure, first_category: usize) -> Option<MeasureBounds> {
        let nth = catalogue.categories().iter().position(|one| one.no == measure.category)?;
        let category = catalogue.categories().get(nth)?;
        let bound = |bound: Option<Decimal>, without: i64| bound.map_or(without, |bound| bound.0);
        Some(MeasureBounds {
            number: u16::try_from(self.measures.binary_search(&measure.id.as_str()).ok()?).ok()?,
            least: bound(measure.least, i64::MIN),
            most: bound(measure.most, i64::MAX),
            first_day: category.valid_from(self.oldest).date().to_julian_day(),
            region: self.references.regions.named(&category.region_zh, self.today),
            needs_reference: measure.reference == ReferenceRule::Required,
            category: u16::try_from(first_category + nth).ok()?,
        })
    }
}

/// The measures of a catalogue that are events, by number: a list, because every fact is looked up.
fn events_of(catalogue: Option<&Catalogue>, measures: &HashMap<String, MeasureBounds>) -> Vec<Option<EventRule>> {
    let mut events = Vec::new();
    for measure in catalogue.into_iter().flat_map(Catalogue::measures).filter(|measure| measure.is_event()) {
        let Some(number) = measures.get(&measure.id).map(|bounds| usize::from(bounds.number)) else { continue };
        if events.len() <= number {
            events.resize(number + 1, None);
        }
        if let Some(event) = events.get_mut(number) {
            *event = Some(EventRule { repeats: measure.repeats() });
        }
    }
    events
}

//! The information catalogue of a kind of subject (信息目录): its categories with provider, frequency, validity and
//! publicity, and the measures of each category.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use crate::domain::{
    Day,
    table::{TableError, read},
};

use super::{
    authorities::{Authorities, Provider, check_providers},
    event_rules::{ReferenceRule, Repetitions, is_default},
    faults::{Faults, Step},
    method::Reading,
    number::Decimal,
};

/// How the facts of a half-year are combined into one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MeasureForm {
    /// Added up: visits, amounts.
    Flow,
    /// The latest value counts: beds, scores.
    Stock,
    /// Each fact is one event with the value 1; no fact means no event.
    Event,
}

/// How often a category is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UpdateFrequency {
    /// Once a month.
    Month,
    /// Once a quarter.
    Quarter,
    /// Once in a half-year (每半年).
    HalfYear,
    /// Once a year.
    Year,
}

/// Who may see facts of a category (公开属性).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Publicity {
    /// 公开: anyone.
    Public,
    /// 政务共享: departments.
    Shared,
    /// 查询: those whom the subject allows.
    Query,
    /// Only the bureau.
    Internal,
}

/// A category of information.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    /// Its number in the published table.
    pub no: u16,
    /// 信息类别名称.
    pub name_zh: String,
    /// 数据来源.
    pub provider_zh: String,
    /// 数据范围.
    pub region_zh: String,
    /// 更新频率.
    pub update_frequency: UpdateFrequency,
    /// 有效期, in months from the day of the fact.
    pub validity_months: u16,
    /// 公开属性.
    pub publicity: Publicity,
}

impl Category {
    /// Whether a source is the category's provider: the provider itself, or its office somewhere (鹿城区医保局 is a 医保局).
    /// Several providers are separated by 、.
    pub fn is_provided_by(&self, source: &str) -> bool {
        // The exact name is by far the most frequent case, and a file has millions of rows.
        self.provider_zh == source
            || self.provider_zh.split('、').any(|provider| !provider.is_empty() && source.ends_with(provider))
    }

    /// Its providers.
    pub(super) fn providers(&self) -> impl Iterator<Item = &str> {
        self.provider_zh.split('、').filter(|name| !name.is_empty())
    }

    /// The earliest day whose facts are still valid on a day.
    pub fn valid_from(&self, on: Day) -> Day {
        let first = on.plus_months(-i32::from(self.validity_months));
        // Months differ in length: facts of the day before may be valid too.
        if self.valid_to(first.plus_days(-1)) >= on { first.plus_days(-1) } else { first }
    }

    /// The last day on which a fact of a day is valid.
    pub fn valid_to(&self, day: Day) -> Day {
        day.plus_months(i32::from(self.validity_months))
    }
}

/// What no fact of a measure means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Absent {
    /// Zero, where the denominator of the ratio was reported: the source reports only what it found.
    Zero,
}

/// A measure that a line of `records.csv` reports.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measure {
    /// The name in files and models, in `snake_case`.
    pub id: String,
    pub name_zh: String,
    /// The unit; empty for a pure number.
    pub unit: String,
    /// How the facts of a half-year are combined into one number.
    pub form: MeasureForm,
    /// The category it belongs to.
    pub category: u16,
    /// The least valid value of a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub least: Option<Decimal>,
    /// The greatest valid value of a fact.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most: Option<Decimal>,
    /// Whether a fact must name its document.
    #[serde(default, skip_serializing_if = "is_default")]
    pub reference: ReferenceRule,
    /// Whether events of one day that name no document are counted each.
    #[serde(default, skip_serializing_if = "is_default")]
    pub repetitions: Repetitions,
    /// What no fact means; without it, data is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub absent: Option<Absent>,
    /// How long the value of a stock stays valid, in months from its day; without it, as long as facts of the category.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validity_months: Option<u16>,
}

impl Measure {
    /// Whether facts of it are events.
    pub fn is_event(&self) -> bool {
        self.form == MeasureForm::Event
    }

    /// Whether two facts of one day that name no document are two facts.
    pub fn repeats(&self) -> bool {
        !self.is_event() || self.repetitions == Repetitions::Usual
    }

    /// Whether a value is valid for a fact.
    pub fn admits(&self, value: Decimal) -> bool {
        self.least.is_none_or(|least| value >= least) && self.most.is_none_or(|most| value <= most)
    }
}

/// The fields of a file that an authority published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedFields {
    pub fields: Vec<String>,
    /// The publication.
    pub source: String,
}

/// The fields of a file that this project chose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DefaultFields {
    pub fields: Vec<String>,
    /// The reason of the choice.
    pub reason: String,
    /// The same reason in Chinese, for the page that is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_zh: Option<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogueFile {
    kind: String,
    name_zh: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    published: Option<PublishedFields>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    default: Option<DefaultFields>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    provider: Vec<Provider>,
    category: Vec<Category>,
    measure: Vec<Measure>,
}

/// A checked catalogue.
#[derive(Debug, Clone)]
pub struct Catalogue {
    file: CatalogueFile,
    places: BTreeMap<String, usize>,
    authorities: Authorities,
    /// In the order of the measures. Shared, because every subject of a run reads by it.
    readings: Arc<[Reading]>,
}

impl Catalogue {
    /// Reads and checks a catalogue; `file` is its name in error texts.
    pub fn parse(file: &str, text: &str) -> Result<Self, TableError> {
        Self::checked(file, text, read(file, text)?)
    }

    /// Reads and checks a catalogue that a run stored.
    pub fn from_json(name: &str, text: &str) -> Result<Self, TableError> {
        let raw = serde_json::from_str(text).map_err(|error| TableError::whole_file(name, error.to_string()))?;
        Self::checked(name, "", raw)
    }

    fn checked(name: &str, text: &str, raw: CatalogueFile) -> Result<Self, TableError> {
        let mut faults = Faults::new(name, text);
        check(&raw, &mut faults);
        faults.finish()?;
        // Indexed once: a lookup by id would otherwise search the list each time.
        let places = raw.measure.iter().enumerate().map(|(at, measure)| (measure.id.clone(), at)).collect();
        let named = raw.category.iter().flat_map(|one| one.providers().map(|name| (name, one.region_zh.as_str())));
        let authorities = Authorities::of(&raw.provider, &named.collect::<Vec<_>>());
        let readings = raw.measure.iter().map(|measure| reading(&raw, measure)).collect();
        Ok(Self { file: raw, places, authorities, readings })
    }

    /// The canonical form that runs store and digest: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }

    /// The kind of subject.
    pub fn kind(&self) -> &str {
        &self.file.kind
    }

    /// The Chinese name.
    pub fn name_zh(&self) -> &str {
        &self.file.name_zh
    }

    /// The fields that an authority published.
    pub const fn published(&self) -> Option<&PublishedFields> {
        self.file.published.as_ref()
    }

    /// The fields that this project chose.
    pub const fn default_fields(&self) -> Option<&DefaultFields> {
        self.file.default.as_ref()
    }

    /// Its categories, by number.
    pub fn categories(&self) -> &[Category] {
        &self.file.category
    }

    /// Its measures, in the file's order.
    pub fn measures(&self) -> &[Measure] {
        &self.file.measure
    }

    /// A measure by its id.
    pub fn measure(&self, id: &str) -> Option<&Measure> {
        self.file.measure.get(self.place(id)?)
    }

    /// The position of a measure in [`Catalogue::measures`].
    pub fn place(&self, id: &str) -> Option<usize> {
        self.places.get(id).copied()
    }

    /// The names of authorities.
    pub const fn authorities(&self) -> &Authorities {
        &self.authorities
    }

    /// The name of the provider that a source is; the source itself, if it is not one of the catalogue's.
    pub fn authority<'a>(&'a self, source: &'a str) -> &'a str {
        self.authorities.name_of(source).unwrap_or(source)
    }

    /// The other names of a category's providers.
    pub fn aliases<'a>(&'a self, category: &'a Category) -> impl Iterator<Item = &'a str> {
        let named = self.file.provider.iter().filter(|one| category.providers().any(|name| name == one.name_zh));
        named.flat_map(|one| one.aliases.iter().map(String::as_str))
    }

    /// How the facts of each measure are read, in the order of [`Catalogue::measures`].
    pub(super) fn readings(&self) -> Arc<[Reading]> {
        Arc::clone(&self.readings)
    }

    /// How the facts of one measure are read.
    pub fn reading(&self, place: usize) -> Option<Reading> {
        self.readings.get(place).copied()
    }

    /// A category by its number.
    pub fn category(&self, no: u16) -> Option<&Category> {
        self.file.category.iter().find(|category| category.no == no)
    }
}

fn reading(raw: &CatalogueFile, measure: &Measure) -> Reading {
    let category = raw.category.iter().find(|category| category.no == measure.category);
    let valid_months = measure.validity_months.or(category.map(|category| category.validity_months));
    Reading {
        is_stock: measure.form == MeasureForm::Stock,
        // Infallible: the check refuses a measure without a category.
        valid_months: valid_months.unwrap_or_default(),
        absent_is_zero: measure.absent == Some(Absent::Zero),
    }
}

/// Whether a text is a valid id of a measure or grade: ASCII `snake_case`.
pub(super) fn is_snake_case(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

fn check(raw: &CatalogueFile, faults: &mut Faults<'_>) {
    use Step::{At, Key};
    faults.require(is_snake_case(&raw.kind), &[Key("kind")], || "the kind must be snake_case".into());
    faults.require(raw.published.is_some() || raw.default.is_some(), &[], || {
        "say where the fields come from: [published] with a source, or [default] with a reason".into()
    });
    if let Some(published) = &raw.published {
        faults.require(!published.source.trim().is_empty(), &[Key("published")], || "name the source".into());
    }
    if let Some(default) = &raw.default {
        faults.require(!default.reason.trim().is_empty(), &[Key("default")], || "give the reason".into());
    }
    check_providers(&raw.provider, &raw.category.iter().flat_map(Category::providers).collect(), faults);
    let mut numbers = BTreeSet::new();
    for (at, category) in raw.category.iter().enumerate() {
        let place = [Key("category"), At(at)];
        faults
            .require(numbers.insert(category.no), &place, || format!("the category {} is defined twice", category.no));
        faults.require(!category.name_zh.trim().is_empty(), &place, || "the category has no name".into());
    }
    let mut ids = BTreeSet::new();
    for (at, measure) in raw.measure.iter().enumerate() {
        let place = [Key("measure"), At(at)];
        let id = &measure.id;
        faults.require(is_snake_case(id), &place, || format!("{id:?} is not snake_case"));
        faults.require(ids.insert(id), &place, || format!("the measure {id} is defined twice"));
        faults.require(numbers.contains(&measure.category), &place, || {
            format!("the measure {id} belongs to category {}, which is not in the catalogue", measure.category)
        });
        // Events are counted, so a line that says two would count as one.
        let one = Some(Decimal(Decimal::ONE));
        faults.require(
            measure.form != MeasureForm::Event || (measure.least == one && measure.most == one),
            &place,
            || format!("{id} is an event: each line is one, so its value can only be 1 (least = 1, most = 1)"),
        );
        faults.require(
            measure.form == MeasureForm::Event || measure.repetitions == Repetitions::Unusual,
            &place,
            || format!("{id} is not an event: `repetitions` is for events, of which each line is one"),
        );
        faults.require(measure.absent.is_none() || measure.form != MeasureForm::Event, &place, || {
            format!("{id} is an event: no record means none already, leave `absent` out")
        });
        faults.require(measure.validity_months.is_none() || measure.form == MeasureForm::Stock, &place, || {
            format!("{id} is no stock: only the value of a stock has a validity of its own")
        });
        if let (Some(least), Some(most)) = (measure.least, measure.most) {
            faults.require(least <= most, &place, || format!("the measure {id} has no valid value: {least} to {most}"));
        }
    }
}

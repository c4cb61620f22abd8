//! `records.csv`: credit facts, one a row, each of a measure of the catalogue.

use super::{Row, Rules, columns, source, subject_code};
use crate::{
    importing::{
        facts::{CheckedFact, Known, MAX_REFERENCE},
        findings::Code,
    },
    scoring::Decimal,
};

columns! {
    SUBJECT_CODE = "subject_code",
    MEASURE = "measure",
    VALUE = "value",
    OCCURRED_ON = "occurred_on",
    SOURCE = "source",
    REFERENCE = "reference",
}

fn value(row: &mut Row<'_>) -> Option<Decimal> {
    let text = row.required(VALUE)?;
    // The catalogue's own notation also knows percentages; files do not.
    Decimal::parse(text).filter(|_| !text.ends_with('%')).or_else(|| {
        row.reject(VALUE, Code::ValueMalformed, format!("{text:?} is not a number with up to four decimals"))
    })
}

/// The fact of a row. What is wrong with the row is noted, all of it.
pub(in crate::importing) fn check<'a>(row: &mut Row<'a>, rules: &Rules, known: &Known) -> Option<CheckedFact<'a>> {
    let code = subject_code(row, SUBJECT_CODE, rules);
    let name = row.required(MEASURE);
    let value = value(row);
    let occurred = row.past_day(OCCURRED_ON);
    let source = source(row, SOURCE, rules);
    let reference = row.text(REFERENCE, MAX_REFERENCE);
    let (code, name) = (code?, name?);
    if rules.measure(code, name).is_none() {
        let message = format!("{name:?} is not a measure of the catalogue for {code}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    }
    let Some(subject) = known.subject(code) else {
        let message = format!("{code} has not been imported as a subject");
        return row.reject(SUBJECT_CODE, Code::SubjectUnknown, message);
    };
    let kind = known.kind_of(subject)?;
    let Some(measure) = known.measure(kind, name) else {
        let message = format!("{name:?} is not a measure of the catalogue for {code}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    };
    let value = value?;
    if !measure.admits(value.0) {
        let message = format!("the catalogue does not admit {value} for {name}");
        return row.reject(VALUE, Code::ValueOutOfRange, message);
    }
    let (occurred, source, reference) = (occurred?, source?, reference?);
    let day = occurred.date().to_julian_day();
    let category = known.category(measure)?;
    if !measure.admits_day(day) {
        let message = format!(
            "{occurred} is too long ago: {} is good for {} months, and no round that may still be made would see it",
            category.name_zh, category.validity_months
        );
        return row.reject(OCCURRED_ON, Code::FactExpired, message);
    }
    if !measure.admits_region(known.region_of(subject)) {
        let message = format!("{} is of {}, where {code} is not", category.name_zh, category.region_zh);
        return row.reject(SUBJECT_CODE, Code::RegionOutside, message);
    }
    // For whom a registered sender speaks was decided when it was registered.
    if rules.sources.is_none() && !category.is_provided_by(source) {
        let message = format!(
            "{} is provided by {}, not by this source; the row is taken",
            category.name_zh, category.provider_zh
        );
        row.warn(SOURCE, Code::ProviderUnexpected, message);
    }
    Some(CheckedFact { subject, measure: measure.place, day, value_e4: value.0, source, reference, line: row.line })
}

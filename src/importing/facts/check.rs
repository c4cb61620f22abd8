//! `records.csv`: credit facts, one in each row, of the measures of the catalogue.

use super::{CheckedFact, Dictionary, line::MAX_REFERENCE};
use crate::{
    importing::{
        Rules,
        findings::Code,
        row::Row,
        rows::{source, subject_code},
        template::columns::records::{MEASURE, OCCURRED_ON, REFERENCE, SOURCE, SUBJECT_CODE, VALUE},
    },
    scoring::Decimal,
};

fn value(row: &mut Row<'_>) -> Option<Decimal> {
    let text = row.required(VALUE)?;
    // The parser also reads percentages; those of files have become decimals before, unless they have too many places.
    Decimal::parse(text).filter(|_| !text.ends_with('%')).or_else(|| {
        row.reject(VALUE, Code::ValueMalformed, format!("{text:?} is not a number with up to four decimals"))
    })
}

/// Checks a row and returns its fact. Every fault of the row becomes a finding.
pub(super) fn check<'a>(row: &mut Row<'a>, rules: &Rules, dictionary: &Dictionary) -> Option<CheckedFact<'a>> {
    let code = subject_code(row, SUBJECT_CODE, rules);
    let name = row.required(MEASURE);
    let value = value(row);
    let occurred = row.past_day(OCCURRED_ON);
    let source = source(row, SOURCE, rules);
    let reference = row.text(REFERENCE, MAX_REFERENCE);
    // Not earlier: all fields are read first, so that each of their faults is reported.
    let (code, name) = (code?, name?);
    let Some(known) = rules.measure(code, name) else {
        let message = format!("{name:?} is not a measure of the catalogue for {code}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    };
    // The name may have been the Chinese one.
    let name = known.id.as_str();
    if row.layout.unit(VALUE).is_some() && known.unit != "元" {
        let message = format!("is an amount by its header, and {name} is not measured in yuan");
        return row.reject(VALUE, Code::ValueMalformed, message);
    }
    let Some(subject) = dictionary.subject(code) else {
        let message = format!("{code} has not been imported as a subject");
        return row.reject(SUBJECT_CODE, Code::SubjectUnknown, message);
    };
    let kind = dictionary.kind_of(subject)?;
    let Some(measure) = dictionary.measure(kind, name) else {
        let message = format!("{name:?} is not a measure of the catalogue for {code}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    };
    let value = value?;
    if !measure.admits(value.0) {
        let message = format!("the catalogue does not allow {value} for {name}");
        return row.reject(VALUE, Code::ValueOutOfRange, message);
    }
    let (occurred, source, reference) = (occurred?, source?, reference?);
    let day = occurred.date().to_julian_day();
    let category = dictionary.category(measure)?;
    if !measure.admits_day(day) {
        let message = format!(
            "{occurred} is too long ago: {} is good for {} months, and no half-year that can still be graded would use it",
            category.name_zh, category.validity_months
        );
        return row.reject(OCCURRED_ON, Code::FactExpired, message);
    }
    if !measure.admits_region(dictionary.region_of(subject)) {
        let message = format!("{} is of {}, where {code} is not", category.name_zh, category.region_zh);
        return row.reject(SUBJECT_CODE, Code::RegionOutside, message);
    }
    if !measure.admits_reference(reference) {
        let message = format!(
            "{name} must name its document: without a number one act would be counted as often as it is reported"
        );
        return row.reject(REFERENCE, Code::ReferenceMissing, message);
    }
    // A department's sources were decided when it was registered.
    if rules.sources.is_none() && !dictionary.is_provided_by(measure, source) {
        let message = format!(
            "{} is provided by {}, not by this source; the row is accepted",
            category.name_zh, category.provider_zh
        );
        row.warn(SOURCE, Code::ProviderUnexpected, message);
    }
    Some(CheckedFact { subject, measure: measure.number, day, value_e4: value.0, source, reference, line: row.line })
}

//! `records.csv`: credit facts, one a row, each of a measure of the catalogue.

use super::{Codes, Row, RowText, Rules, columns, source, subject_code};
use crate::{importing::findings::Code, scoring::Decimal};

columns! {
    SUBJECT_CODE = "subject_code",
    MEASURE = "measure",
    VALUE = "value",
    OCCURRED_ON = "occurred_on",
    SOURCE = "source",
    REFERENCE = "reference",
}

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Option<Codes> {
    let subject = subject_code(row, SUBJECT_CODE, rules);
    let name = row.required(MEASURE);
    let value = value(row);
    let occurred = row.past_day(OCCURRED_ON);
    let source = source(row, SOURCE, rules);
    let reference = row.text(REFERENCE, 100);
    let (subject, name) = (subject?, name?);
    let Some(measure) = rules.measure(subject, name) else {
        let message = format!("{name:?} is not a measure of the catalogue for {subject}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    };
    let value = value?;
    if !measure.admits(value) {
        let message = format!("the catalogue does not admit {value} for {name}");
        return row.reject(VALUE, Code::ValueOutOfRange, message);
    }
    let (occurred, source, reference) = (occurred?, source?, reference?);
    let code = out.push_plain(subject);
    out.push_plain(name);
    out.push_plain(occurred);
    out.push_number(value.0);
    out.push_text(source);
    out.push_text(reference);
    Some([Some((SUBJECT_CODE, code)), None])
}

fn value(row: &mut Row<'_>) -> Option<Decimal> {
    let text = row.required(VALUE)?;
    // The catalogue's own notation also knows percentages; files do not.
    Decimal::parse(text).filter(|_| !text.ends_with('%')).or_else(|| {
        row.reject(VALUE, Code::ValueMalformed, format!("{text:?} is not a number with up to four decimals"))
    })
}

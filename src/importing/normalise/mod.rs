//! Brings the fields of a row into the form in which they are stored: days, numbers and words as people and Excel write
//! them. What is not understood is left as it is, for the checks to reject.
//!
//! Fields in the stored form are only looked at; a row is copied when one of its fields changes.

mod numbers;
mod value;

use std::borrow::Cow;

use super::{file_context::FileContext, findings::Code};
use value::{Context, Form, form_of};

pub(super) use value::{EXCEL_CHANGED, is_plain_text};

/// A field that must not be stored.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct FieldFault {
    /// The column of the template.
    pub(super) column: usize,
    pub(super) code: Code,
    pub(super) message: String,
}

/// The row with all its fields in their stored form, and what is wrong with fields of it.
pub(super) fn normalise<'a>(
    record: &'a csv::StringRecord,
    file: FileContext<'_>,
) -> (Cow<'a, csv::StringRecord>, Vec<FieldFault>) {
    let (mut changes, mut faults) = (Vec::new(), Vec::new());
    for (nth, column) in file.layout.template().table().iter().enumerate() {
        let Some(at) = file.layout.position(nth) else { continue };
        let text = record.get(at).unwrap_or_default();
        let context = Context { column, unit: file.layout.unit(nth), file };
        match form_of(text, context) {
            Form::Stored => {}
            Form::Changed(new) => changes.push((at, new)),
            Form::Fault(code, message) => faults.push(FieldFault { column: nth, code, message }),
        }
    }
    if changes.is_empty() {
        return (Cow::Borrowed(record), faults);
    }
    let mut new = csv::StringRecord::with_capacity(record.as_slice().len(), record.len());
    for (at, field) in record.iter().enumerate() {
        let changed = changes.iter().find(|(position, _)| *position == at);
        new.push_field(changed.map_or(field, |(_, text)| text));
    }
    (Cow::Owned(new), faults)
}

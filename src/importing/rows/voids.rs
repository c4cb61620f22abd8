//! `voids.csv`: documents whose facts are taken back (reconsideration, court, error).

use super::{Codes, Row, RowText, Rules, subject_code};
use crate::{
    domain::{document_of, printable::LONGEST_REASON},
    importing::{
        findings::Code,
        template::columns::voids::{DECIDED_ON, DECISION, MEASURE, REASON, REFERENCE, SUBJECT_CODE},
    },
};

/// Longest reference of a document, in characters.
const MOST_REFERENCE: usize = 100;

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Option<Codes> {
    let subject = subject_code(row, SUBJECT_CODE, rules);
    let measure = row.required(MEASURE);
    let reference = row.required_text(REFERENCE, MOST_REFERENCE);
    let reason = row.required_text(REASON, LONGEST_REASON);
    let decided = row.past_day(DECIDED_ON);
    let decision = row.text(DECISION, MOST_REFERENCE);
    let (subject, measure) = (subject?, measure?);
    if rules.measure(subject, measure).is_none() {
        let message = format!("{measure:?} is not a measure of the catalogue for {subject}");
        return row.reject(MEASURE, Code::MeasureUnknown, message);
    }
    let (reference, reason, decided, decision) = (reference?, reason?, decided?, decision?);
    let document = document_of(reference);
    if document.is_empty() {
        return row.reject(REFERENCE, Code::Empty, "must name the document of the fact");
    }
    let code = out.push_plain(subject);
    out.push_plain(measure);
    out.push_text(&document);
    out.push_text(reference);
    out.push_text(reason);
    out.push_plain(decided);
    if decision.is_empty() {
        out.push_plain_or_null(None::<&str>);
    } else {
        out.push_text(decision);
    }
    Some([Some((SUBJECT_CODE, code)), None])
}

//! `adverse.csv`: adverse facts with their periods of publication and repair (令第36号).

use super::{Codes, Row, RowText, Rules, source, subject_code};
use crate::{
    domain::Day,
    importing::{
        findings::Code,
        template::{
            columns::adverse::{
                DECIDED_ON, EARLIEST_REPAIR_ON, LATEST_END_ON, PUBLISH_FROM_ON, REFERENCE, SOURCE, STATUS,
                SUBJECT_CODE, TIER,
            },
            vocabulary,
        },
    },
};

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Option<Codes> {
    let subject = subject_code(row, SUBJECT_CODE, rules);
    let reference = row.required_text(REFERENCE, 100);
    let source = source(row, SOURCE, rules);
    let tier = row.one_of(TIER, vocabulary::TIER);
    let decided = row.past_day(DECIDED_ON);
    let publish = row.optional_day(PUBLISH_FROM_ON);
    let repair = row.optional_day(EARLIEST_REPAIR_ON);
    let end = row.optional_day(LATEST_END_ON);
    let status = row.one_of(STATUS, vocabulary::ADVERSE_STATUS);
    let (decided, publish, repair, end) = (decided?, publish?, repair?, end?);
    in_order(row, decided, [(PUBLISH_FROM_ON, publish), (EARLIEST_REPAIR_ON, repair), (LATEST_END_ON, end)])?;
    let (subject, reference, source, tier, status) = (subject?, reference?, source?, tier?, status?);
    let code = out.push_plain(subject);
    out.push_text(reference);
    out.push_text(source);
    out.push_plain(tier);
    out.push_plain(decided);
    for day in [publish, repair, end] {
        out.push_plain_or_null(day);
    }
    out.push_plain(status);
    Some([Some((SUBJECT_CODE, code)), None])
}

/// Checks that decision, publication, earliest repair and latest end follow each other, as far as they are given.
fn in_order(row: &mut Row<'_>, decided: Day, later: [(usize, Option<Day>); 3]) -> Option<()> {
    let mut before = decided;
    for (column, day) in later {
        let Some(day) = day else { continue };
        if day < before {
            return row.reject(column, Code::DateOrder, format!("{day} is before {before}, which must come first"));
        }
        before = day;
    }
    Some(())
}

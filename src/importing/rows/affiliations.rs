//! `affiliations.csv`: which institutions a person practises in, and which of them is the main one.

use super::{Codes, Row, RowText, Rules, code_of_person};
use crate::{
    domain::kinds::Person,
    importing::{
        findings::Code,
        template::{
            columns::affiliations::{FROM_ON, INSTITUTION_CODE, MAIN, PERSON_CODE, TO_ON},
            vocabulary,
        },
    },
};

pub(super) fn check(row: &mut Row<'_>, rules: &Rules, out: &mut RowText) -> Option<Codes> {
    let person = code_of_person(row, PERSON_CODE, rules, Person::Natural);
    let institution = code_of_person(row, INSTITUTION_CODE, rules, Person::Legal);
    let main = row.one_of(MAIN, vocabulary::MAIN);
    let from = row.day(FROM_ON);
    let to = row.optional_day(TO_ON);
    if let (Some(from), Some(Some(to))) = (from, to)
        && to < from
    {
        return row.reject(TO_ON, Code::DateOrder, format!("{to} is before {from}, when it begins"));
    }
    let (person, institution, main, from, to) = (person?, institution?, main?, from?, to?);
    let codes = [Some((PERSON_CODE, out.push_plain(person))), Some((INSTITUTION_CODE, out.push_plain(institution)))];
    out.push_number(i64::from(main == "1"));
    out.push_plain(from);
    out.push_plain_or_null(to);
    Some(codes)
}

//! The checkers, one a template: fields in, findings and a JSON row out.

use std::ops::Range;

use crate::domain::kinds::Person;

use super::{
    ImportError, Rules, Template,
    findings::Code,
    row::{Row, RowText},
};

pub(super) mod accounts;
pub(super) mod adverse;
pub(super) mod affiliations;
pub(in crate::importing) mod records;
pub(super) mod settlements;
pub(super) mod subjects;

/// Places of a template's columns, and their names in order.
macro_rules! columns {
    ($($name:ident = $text:literal),+ $(,)?) => {
        /// The columns, in the order of the published template.
        pub(in crate::importing) const COLUMNS: &[&str] = &[$($text),+];
        columns!(@place 0; $($name),+);
    };
    (@place $at:expr; $name:ident $(, $rest:ident)*) => {
        const $name: usize = $at;
        columns!(@place $at + 1; $($rest),*);
    };
    (@place $at:expr;) => {};
}
use columns;

/// Where in a batch's text the codes stand that must be known subjects, with the column of each.
pub(super) type Codes = [Option<(usize, Range<usize>)>; 2];

/// What a checker needs besides the row.
pub(super) type Checker = Box<dyn FnMut(&mut Row<'_>, &mut RowText) -> Result<Option<Codes>, ImportError> + Send>;

/// The checker of a template; none for credit facts, which have a way of their own.
pub(super) fn checker(template: Template, rules: Rules) -> Option<Checker> {
    Some(match template {
        Template::Subjects => {
            let mut seen = std::collections::HashSet::new();
            Box::new(move |row, out| subjects::check(row, &rules, &mut seen, out))
        }
        Template::Affiliations => Box::new(move |row, out| Ok(affiliations::check(row, &rules, out))),
        Template::Records => return None,
        Template::Adverse => Box::new(move |row, out| Ok(adverse::check(row, &rules, out))),
        Template::Settlements => Box::new(move |row, out| Ok(settlements::check(row, &rules, out))),
        Template::Accounts => Box::new(move |row, out| accounts::check(row, &rules, out)),
    })
}

/// The same of a kind whose subjects are such persons, so that two columns cannot change places unseen.
fn code_of_person<'a>(row: &mut Row<'a>, column: usize, rules: &Rules, person: Person) -> Option<&'a str> {
    let text = subject_code(row, column, rules)?;
    if rules.kinds.of_code(text).is_some_and(|kind| kind.person == person) {
        return Some(text);
    }
    let wanted = match person {
        Person::Natural => "a natural person",
        Person::Legal => "an institution",
    };
    row.reject(column, Code::CodeMalformed, format!("{text:?} is not the code of {wanted}"))
}

/// Who says so. A department speaks for the sources it is registered for and no others.
fn source<'a>(row: &mut Row<'a>, column: usize, rules: &Rules) -> Option<&'a str> {
    let text = row.required_text(column, 60)?;
    if rules.sources.as_ref().is_some_and(|sources| !sources.contains(text)) {
        return row.reject(column, Code::SourceForeign, "is not a source this sender speaks for");
    }
    Some(text)
}

/// A code that looks like one of some kind; whether it is known is asked for the whole batch.
fn subject_code<'a>(row: &mut Row<'a>, column: usize, rules: &Rules) -> Option<&'a str> {
    let text = row.required(column)?;
    if rules.kinds.of_code(text).is_none() {
        let message = format!("{text:?} does not look like a national code of any kind of subject");
        return row.reject(column, Code::CodeMalformed, message);
    }
    Some(text)
}

//! The checks of each template: a row's fields in, findings and the JSON to stage out.

use crate::domain::kinds::Person;

use super::{
    ImportError, Rules, Template,
    batch::Codes,
    findings::Code,
    row::{Row, RowText},
};

pub(super) mod accounts;
pub(super) mod adverse;
pub(super) mod affiliations;
pub(super) mod settlements;
pub(super) mod subjects;
pub(super) mod voids;

/// Checks a row. Returns the codes to look up among the subjects, or `None` if the row is rejected.
pub(super) type Checker = Box<dyn FnMut(&mut Row<'_>, &mut RowText) -> Result<Option<Codes>, ImportError> + Send>;

/// The checker of a template; `None` for credit facts, which [`facts`](super::facts) checks.
pub(super) fn checker(template: Template, rules: Rules) -> Option<Checker> {
    Some(match template {
        Template::Subjects => {
            // As many codes as a city has subjects, so they fit into memory.
            let mut seen = std::collections::HashSet::new();
            Box::new(move |row, out| subjects::check(row, &rules, &mut seen, out))
        }
        Template::Affiliations => Box::new(move |row, out| Ok(affiliations::check(row, &rules, out))),
        Template::Records => return None,
        Template::Adverse => Box::new(move |row, out| Ok(adverse::check(row, &rules, out))),
        Template::Settlements => Box::new(move |row, out| Ok(settlements::check(row, &rules, out))),
        Template::Voids => Box::new(move |row, out| Ok(voids::check(row, &rules, out))),
        Template::Accounts => Box::new(move |row, out| accounts::check(row, &rules, out)),
    })
}

/// The code of a natural or a legal person. Rejects the other, so that swapped columns are noticed.
fn code_of_person<'a>(row: &mut Row<'a>, column: usize, rules: &Rules, person: Person) -> Option<&'a str> {
    let text = subject_code(row, column, rules)?;
    if rules.kinds.of_code(text).is_some_and(|kind| kind.person == person) {
        return Some(text);
    }
    let expected = match person {
        Person::Natural => "a natural person",
        Person::Legal => "an institution",
    };
    row.reject(column, Code::CodeMalformed, format!("{text:?} is not the code of {expected}"))
}

/// The source of a fact. A department may only report facts of the sources it is registered for.
pub(super) fn source<'a>(row: &mut Row<'a>, column: usize, rules: &Rules) -> Option<&'a str> {
    let text = row.required_text(column, 60)?;
    if rules.sources.as_ref().is_some_and(|sources| !sources.contains(text) && !rules.is_among(text, sources)) {
        return row.reject(column, Code::SourceForeign, "is not a source this sender is registered for");
    }
    Some(text)
}

/// A code with the pattern of some kind of subject. Whether the subject exists is looked up for the whole batch.
pub(super) fn subject_code<'a>(row: &mut Row<'a>, column: usize, rules: &Rules) -> Option<&'a str> {
    let text = row.required(column)?;
    if rules.kinds.of_code(text).is_none() {
        let message = format!("{text:?} does not look like a national code of any kind of subject");
        return row.reject(column, Code::CodeMalformed, message);
    }
    Some(text)
}

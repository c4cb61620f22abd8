//! Whether the codes of a field cover our words, and name no others.

use std::collections::BTreeSet;

use super::{
    fields::{CodeList, Content, Form, Value},
    read::{Head, PackageRead},
    reading::Found,
    reference::Reference,
};
use crate::{
    domain::{Kind, grade::NotRatedReason},
    scoring::{Model, Scheme},
};

/// The words of a closed list.
#[derive(Debug)]
struct Vocabulary {
    /// Words that records of this platform can have: each needs a code.
    needed: BTreeSet<String>,
    /// Words that exist: a code for another is a mistake.
    possible: BTreeSet<String>,
}

impl Vocabulary {
    fn closed<T: ToString>(words: impl IntoIterator<Item = T>) -> Self {
        let words: BTreeSet<String> = words.into_iter().map(|word| word.to_string()).collect();
        Self { needed: words.clone(), possible: words }
    }

    fn of(list: CodeList, head: &Head, reference: &Reference<'_>) -> Self {
        match list {
            CodeList::Operation => Self::closed(["I", "U", "D"]),
            CodeList::Status => Self::closed(["graded", "not_rated"]),
            CodeList::Objection => Self::closed(["yes", "no"]),
            CodeList::Reason => Self::closed(NotRatedReason::ALL),
            CodeList::Kind => Self {
                needed: kinds(head, reference).map(|kind| kind.id.clone()).collect(),
                possible: reference.kinds.iter().map(|kind| kind.id.clone()).collect(),
            },
            CodeList::ObjectType => {
                let number = |kind: &Kind| kind.object_type.map(|number| number.to_string());
                Self {
                    needed: kinds(head, reference).filter_map(number).collect(),
                    possible: reference.kinds.iter().filter_map(number).collect(),
                }
            }
            CodeList::Grade => {
                let of = |scheme: &Scheme| scheme.grade.iter().map(|grade| grade.code.clone()).collect::<Vec<_>>();
                let current = kinds(head, reference).filter_map(|kind| kind.models.first());
                let current = current.filter_map(|id| reference.library.get(id).ok());
                let named: BTreeSet<&str> = kinds(head, reference).map(|kind| kind.id.as_str()).collect();
                let models = reference.library.models().filter(|model| named.contains(model.kind()));
                Self {
                    needed: current.flat_map(|found| of(found.model.scheme())).collect(),
                    possible: models.map(Model::scheme).flat_map(of).collect(),
                }
            }
            CodeList::ReceiverGrade => {
                let mapping = head.mapping.as_ref().map(|at| at.value.as_str());
                let tables = reference.library.mappings().filter(|table| Some(table.receiver()) == mapping);
                Self::closed(tables.flat_map(|table| table.to().grade.iter().map(|grade| &grade.code)))
            }
        }
    }
}

/// The kinds of the platform that exist.
fn kinds<'a>(head: &'a Head, reference: &Reference<'a>) -> impl Iterator<Item = &'a Kind> {
    let table = reference.kinds;
    head.kinds.iter().flatten().filter_map(move |at| table.find(&at.value))
}

/// Checks the codes of each field of a package.
pub(super) fn check_codes<V: Value>(
    package: &PackageRead<V>,
    head: &Head,
    reference: &Reference<'_>,
    found: &mut Found,
) {
    for read in package.fields.iter().filter(|read| !read.codes.is_empty()) {
        let Content::Value(value) = read.field.content else { continue };
        let Form::Code(list) = value.form() else { continue };
        let vocabulary = Vocabulary::of(list, head, reference);
        let (name, word) = (&read.field.name, value.word());
        let missing: Vec<&str> =
            vocabulary.needed.iter().filter(|ours| !read.codes.contains_key(*ours)).map(String::as_str).collect();
        found.require(missing.is_empty(), read.line, || {
            format!("the field {name}: its codes lack {word} {}", missing.join(", "))
        });
        // Where nothing is known, as without a mapping, the lack of it is the fault.
        for (ours, line) in read.codes.iter().filter(|(ours, _)| !vocabulary.possible.contains(*ours)) {
            found.require(vocabulary.possible.is_empty(), *line, || {
                let possible: Vec<&str> = vocabulary.possible.iter().map(String::as_str).collect();
                format!("the field {name}: {ours:?} is no {word}; there are: {}", possible.join(", "))
            });
        }
    }
}

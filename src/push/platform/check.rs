//! What is wrong with a platform beyond the form of its file: what it may have, when, and whether its packages say it.

use super::{
    carrier::{Carrier, ExchangeSettings, FileNamePart, Format, RECORD_COLUMNS},
    codes::check_codes,
    fields::{Content, GradeValue, UsageValue, Value},
    read::{Head, PackageRead},
    read_carrier::CarrierRead,
    reading::{At, Found},
    reference::Reference,
    types::{Audience, Natural, OpenObjections},
};
use crate::{
    domain::{Malformed, printable::check_text, xml::is_xml_name},
    scoring::Mapping,
    store::exchange::Identifier,
};

/// The most characters of a field's name.
const LONGEST_NAME: usize = 100;

/// A platform's file: what could be read of it.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) head: Head,
    pub(super) carrier: Option<CarrierRead>,
    pub(super) grades: Option<PackageRead<GradeValue>>,
    pub(super) usage: Option<PackageRead<UsageValue>>,
}

/// Checks a draft.
pub(super) fn check(draft: &Draft, reference: &Reference<'_>, found: &mut Found) {
    check_audience(&draft.head, reference, found);
    check_mapping(&draft.head, reference, found);
    check_schedule(draft, found);
    if let Some(grades) = &draft.grades {
        check_grades(&draft.head, grades, found);
        check_names(grades, draft.carrier.as_ref(), found);
        check_codes(grades, &draft.head, reference, found);
    }
    if let Some(usage) = &draft.usage {
        check_usage(usage, found);
        check_names(usage, draft.carrier.as_ref(), found);
        check_codes(usage, &draft.head, reference, found);
    }
    match &draft.carrier {
        Some(CarrierRead { carrier: Carrier::Exchange(exchange), line, .. }) => {
            check_tables(draft, exchange, *line, found);
        }
        Some(CarrierRead { carrier: Carrier::File(_), .. }) => check_file_names(draft, found),
        _ => {}
    }
}

impl Draft {
    /// Whether files have the columns of a record: as the file says, and otherwise unless the platform has fields of its own
    /// for all of them in every package.
    pub(super) fn record_columns(&self) -> bool {
        let given = self.carrier.as_ref().and_then(|read| read.record_columns);
        let grades = self.grades.as_ref().is_none_or(|package| {
            package.has_each(&[GradeValue::RecordId, GradeValue::Version, GradeValue::Operation])
        });
        let usage = self.usage.as_ref().is_none_or(|package| {
            package.has_each(&[UsageValue::RecordId, UsageValue::Version, UsageValue::Operation])
        });
        given.unwrap_or(!(grades && usage))
    }
}

impl<V: Value> PackageRead<V> {
    /// Whether each of these values has a field.
    fn has_each(&self, values: &[V]) -> bool {
        values.iter().all(|value| self.fields.iter().any(|read| read.field.content == Content::Value(*value)))
    }

    /// Checks that the data set can be a part of file names, and that no field has the name of a column of a record.
    fn check_file(&self, record_columns: bool, found: &mut Found) {
        if let Some(Err(Malformed(why))) = self.dataset.as_deref().map(str::parse::<FileNamePart>) {
            found.fault(self.line, format!("`dataset`: {why}"));
        }
        for read in self.fields.iter().filter(|_| record_columns) {
            let name = read.field.name.as_str();
            found.require(!RECORD_COLUMNS.contains(&name), read.line, || {
                format!(
                    "the field {name} has the name of a column of a record, which comes first in every row: rename it, or give \
                     all of record_id, version and operation a field, or set `record_columns = false` in [carrier.file]"
                )
            });
        }
    }
}

fn check_file_names(draft: &Draft, found: &mut Found) {
    let record_columns = draft.record_columns();
    if let Some(grades) = &draft.grades {
        grades.check_file(record_columns, found);
    }
    if let Some(usage) = &draft.usage {
        usage.check_file(record_columns, found);
    }
}

/// Checks the kinds, and what a platform that publishes may have.
fn check_audience(head: &Head, reference: &Reference<'_>, found: &mut Found) {
    let public = head.audience.as_ref().is_some_and(|audience| audience.value == Audience::Public);
    if let Some(natural) = head.natural.as_ref().filter(|natural| public && natural.value != Natural::None) {
        found.fault(
            natural.line,
            "the platform publishes to everybody: natural persons are never published, say natural = \"none\"",
        );
    }
    let kinds = head.kinds.as_deref().unwrap_or_default();
    for (at, At { value: id, line }) in kinds.iter().enumerate() {
        let twice = kinds.iter().take(at).any(|other| other.value == *id);
        found.require(!twice, *line, || format!("`kinds`: {id} is named twice"));
        let Some(kind) = reference.kinds.find(id) else {
            let known: Vec<&str> = reference.kinds.iter().map(|kind| kind.id.as_str()).collect();
            found.fault(*line, format!("`kinds`: {id:?} is not a kind of subject: use {}", known.join(", ")));
            continue;
        };
        found.require(!public || kind.publishable, *line, || {
            format!(
                "the platform publishes to everybody, and {id} is not publishable by the table of kinds: take the kind out, \
                 in a file of your own in [push] platforms_directory where this one comes with the program"
            )
        });
    }
}

/// Checks that the mapping has tables, and that it is clear whose grades are sent.
fn check_mapping(head: &Head, reference: &Reference<'_>, found: &mut Found) {
    match (&head.mapping, &head.own_grade) {
        (Some(At { value: mapping, line }), own_grade) => {
            found.require(reference.library.mappings().any(|table| table.receiver() == mapping), *line, || {
                let mut known: Vec<&str> = reference.library.mappings().map(Mapping::receiver).collect();
                known.sort_unstable();
                known.dedup();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                format!(
                    "no table in force belongs to the mapping {mapping}; there are tables for: {known}. Correct the name, or put \
                     a table into [grading] mappings_directory"
                )
            });
            found.require(own_grade.is_some(), *line, || {
                "with a mapping, set own_grade to say whether our own grade is sent too (true) or not (false)"
                    .to_owned()
            });
        }
        (None, Some(At { value: false, line })) => {
            found.fault(*line, "the platform would receive no grade at all: name a mapping, or take own_grade out");
        }
        (None, _) => {}
    }
}

/// Checks that each package has a schedule and each schedule a package.
fn check_schedule(draft: &Draft, found: &mut Found) {
    let Draft { head, grades, usage, .. } = draft;
    let pairs = [
        ("grades", head.schedule.grades.as_ref().map(|at| at.line), grades.as_ref().map(|package| package.line)),
        ("usage", head.schedule.usage.as_ref().map(|at| at.line), usage.as_ref().map(|package| package.line)),
    ];
    for (name, schedule, package) in pairs {
        match (schedule, package) {
            (Some(line), None) => {
                found.fault(line, format!("[schedule] has `{name}`, and the package [{name}] is missing"));
            }
            (None, Some(line)) => {
                found.fault(line, format!("the package [{name}] is never sent: give `{name}` in [schedule]"));
            }
            _ => {}
        }
    }
    if pairs.iter().all(|(_, schedule, package)| schedule.is_none() && package.is_none()) {
        found.fault(1, "the platform receives nothing: give a package, [grades] or [usage], and its [schedule]");
    }
}

/// Checks what the fields of grades say against what the platform may have.
fn check_grades(head: &Head, package: &PackageRead<GradeValue>, found: &mut Found) {
    let own_grade = head.own_grade.as_ref().is_none_or(|at| at.value);
    let points = head.points.as_ref().is_none_or(|at| at.value);
    let by_code = head.natural.as_ref().is_some_and(|at| at.value == Natural::Code);
    for read in &package.fields {
        let Content::Value(value) = read.field.content else { continue };
        let name = &read.field.name;
        let mut refuse = |message: &str| found.fault(read.line, format!("the field {name}: {message}"));
        match value {
            GradeValue::ReceiverGrade | GradeValue::ReceiverGradeName if head.mapping.is_none() => {
                refuse(&format!("{value} needs a mapping: name one (`mapping`), or send `grade`"));
            }
            GradeValue::Grade | GradeValue::GradeName if !own_grade => {
                refuse(&format!("{value} is our own grade, and own_grade is false"));
            }
            GradeValue::Points if !points => refuse("the platform may not have points (points = false)"),
            GradeValue::Name | GradeValue::Uscc if by_code && read.field.required => {
                refuse(
                    "it cannot be required: natural persons and sole traders are sent by their code only (natural = \"code\")",
                );
            }
            _ => {}
        }
    }
    if !package.complete {
        return;
    }
    let has = |values: &[GradeValue]| {
        package.fields.iter().any(|read| matches!(&read.field.content, Content::Value(value) if values.contains(value)))
    };
    let line = package.line;
    let grades = [GradeValue::Grade, GradeValue::GradeName, GradeValue::ReceiverGrade, GradeValue::ReceiverGradeName];
    found.require(has(&grades), line, || "[grades] has no field with a grade".to_owned());
    let subjects = [GradeValue::Code, GradeValue::Uscc, GradeValue::RecordId];
    found.require(has(&subjects), line, || {
        "[grades] has no field that says whose grade it is: give a field with code, uscc or record_id".to_owned()
    });
    if head.objections.as_ref().is_some_and(|at| at.value == OpenObjections::Mark) {
        found.require(has(&[GradeValue::Objection, GradeValue::Remark]), line, || {
            "[grades] has no field for the mark of open objections (objections = \"mark\"): give a field with objection or remark"
                .to_owned()
        });
    }
}

/// Loans are values of the format that nothing of this version reports.
fn check_usage(package: &PackageRead<UsageValue>, found: &mut Found) {
    for read in &package.fields {
        if let Content::Value(value @ (UsageValue::LoansReported | UsageValue::LoanAmount)) = read.field.content {
            found.warn(
                read.line,
                format!("the field {}: {value} stays empty, because banks do not report loans yet", read.field.name),
            );
            found.require(!read.field.required, read.line, || {
                format!(
                    "the field {}: {value} cannot be required, because banks do not report loans yet",
                    read.field.name
                )
            });
        }
    }
}

/// Checks the names of fields: unique, and possible for the carrier.
fn check_names<V: Value>(package: &PackageRead<V>, carrier: Option<&CarrierRead>, found: &mut Found) {
    let exchange = carrier.and_then(|read| match &read.carrier {
        Carrier::Exchange(exchange) => Some(exchange),
        _ => None,
    });
    let xml = carrier.is_some_and(|read| read.carrier.file_form().0 == Format::Xml);
    let mut seen: Vec<&str> = Vec::new();
    for read in &package.fields {
        let name = read.field.name.as_str();
        // Engines compare names of columns without regard to case.
        let same = |other: &str| if exchange.is_some() { other.eq_ignore_ascii_case(name) } else { other == name };
        found.require(!seen.iter().any(|other| same(other)), read.line, || format!("the field {name} is there twice"));
        seen.push(name);
        if let Err(error) = check_text(name, LONGEST_NAME) {
            found.fault(read.line, format!("the field {name:?}: {error}"));
        }
        if let Some(exchange) = exchange {
            if let Err(error) = name.parse::<Identifier>() {
                found.fault(read.line, format!("the field {name}: {error}"));
            }
            found.require(!exchange.columns.iter().any(|column| same(column.as_str())), read.line, || {
                format!("the field {name} is a column of [carrier.exchange.columns], which the carrier fills")
            });
        }
        found.require(!xml || is_xml_name(name), read.line, || {
            format!(
                "the field {name} cannot be the name of an XML element: begin with a letter, use letters, digits, _ - ."
            )
        });
    }
}

/// Checks that each package has a table and each table a package.
fn check_tables(draft: &Draft, exchange: &ExchangeSettings, line: usize, found: &mut Found) {
    let pairs = [
        ("grades", exchange.grades_table.is_some(), draft.grades.is_some()),
        ("usage", exchange.usage_table.is_some(), draft.usage.is_some()),
    ];
    let recognised = exchange.control.is_some() || exchange.columns.batch.is_some();
    found.require(recognised, line, || {
        "[carrier.exchange]: a page that is delivered twice could not be recognised: give [carrier.exchange.control], or the \
         column `batch` in [carrier.exchange.columns]"
            .to_owned()
    });
    for (name, table, package) in pairs {
        found.require(table || !package, line, || {
            format!("the package [{name}] has no table: give `{name}` in [carrier.exchange.tables]")
        });
        found.require(package || !table, line, || {
            format!("[carrier.exchange.tables] has `{name}`, and the package [{name}] is missing")
        });
    }
}

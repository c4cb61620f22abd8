//! Reads a platform's file: its head, its schedule and the fields of its packages.

use std::collections::BTreeMap;

use super::{
    fields::{AmountUnit, Content, DateForm, Field, Fields, Form, Value},
    reading::{At, Found, Section, plain},
    types::{Audience, GradesSchedule, Natural, OpenObjections, Receipts, UsageSchedule},
};
use crate::scoring::Basis;

/// The value of a field with a text of its own.
const CONSTANT: &str = "constant";

/// The most characters that `longest` can say.
const LONGEST: u32 = 100_000;

/// The head of a file: what could be read of it.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) id: Option<At<String>>,
    pub(super) name_zh: Option<At<String>>,
    pub(super) basis: Option<Basis>,
    pub(super) source: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) audience: Option<At<Audience>>,
    pub(super) kinds: Option<Vec<At<String>>>,
    pub(super) natural: Option<At<Natural>>,
    pub(super) objections: Option<At<OpenObjections>>,
    pub(super) points: Option<At<bool>>,
    pub(super) mapping: Option<At<String>>,
    pub(super) own_grade: Option<At<bool>>,
    pub(super) receipts: Option<At<Receipts>>,
    pub(super) schedule: ScheduleRead,
}

/// The schedule of a file.
#[derive(Debug, Default)]
pub(super) struct ScheduleRead {
    pub(super) grades: Option<At<GradesSchedule>>,
    pub(super) usage: Option<At<UsageSchedule>>,
}

/// Reads the head.
pub(super) fn head(root: &mut Section<'_, '_>, found: &mut Found) -> Head {
    Head {
        id: root.required("id", found, Section::text).filter(|id| check_id(id, found)),
        name_zh: root.required("name_zh", found, Section::text),
        basis: basis(root, found),
        source: plain(root.text("source", found)),
        reason: plain(root.text("reason", found)),
        audience: root.required("audience", found, Section::word),
        kinds: root.required("kinds", found, Section::texts),
        natural: root.required("natural", found, Section::word),
        objections: root.required("objections", found, Section::word),
        points: root.required("points", found, Section::flag),
        mapping: root.text("mapping", found),
        own_grade: root.flag("own_grade", found),
        receipts: root.word("receipts", found),
        schedule: schedule(root, found),
    }
}

/// Ids are used in file names, in metrics and on the command line.
fn check_id(id: &At<String>, found: &mut Found) -> bool {
    let plain = id.value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    let good = plain && id.value.len() <= 63;
    found.require(good, id.line, || {
        format!("`id`: {:?} cannot be an id: use small letters, digits and hyphens, at most 63", id.value)
    });
    good
}

fn basis(root: &mut Section<'_, '_>, found: &mut Found) -> Option<Basis> {
    let At { value, line } = root.required("basis", found, Section::text)?;
    let (basis, ground) = match value.as_str() {
        "published" => (Basis::Published, "source"),
        "default" => (Basis::Default, "reason"),
        _ => {
            found.fault(line, format!("`basis`: {value:?} is not a basis: use published, default"));
            return None;
        }
    };
    found.require(root.has(ground), line, || format!("`basis` is {value}: give a `{ground}`"));
    Some(basis)
}

fn schedule(root: &mut Section<'_, '_>, found: &mut Found) -> ScheduleRead {
    let Some(mut table) = root.required("schedule", found, Section::section) else { return ScheduleRead::default() };
    let read = ScheduleRead { grades: table.word("grades", found), usage: table.word("usage", found) };
    table.finish(found);
    read
}

/// A package of a file: what could be read of it.
#[derive(Debug)]
pub(super) struct PackageRead<V> {
    pub(super) line: usize,
    pub(super) dataset: Option<String>,
    pub(super) fields: Vec<FieldRead<V>>,
    /// Whether every field could be read: only then can something be said to be missing.
    pub(super) complete: bool,
}

/// A field of a file.
#[derive(Debug)]
pub(super) struct FieldRead<V> {
    pub(super) line: usize,
    pub(super) field: Field<V>,
    /// The lines of its codes.
    pub(super) codes: BTreeMap<String, usize>,
}

/// Reads a package.
pub(super) fn package<V: Value>(
    root: &mut Section<'_, '_>,
    key: &'static str,
    found: &mut Found,
) -> Option<PackageRead<V>> {
    let mut table = root.section(key, found)?;
    let dataset = plain(table.required("dataset", found, Section::text));
    let sections = table.required("field", found, Section::sections).unwrap_or_default();
    let line = table.line;
    table.finish(found);
    let count = sections.len();
    let fields: Vec<_> = sections.into_iter().filter_map(|section| field(section, found)).collect();
    let complete = count > 0 && fields.len() == count;
    Some(PackageRead { line, dataset, fields, complete })
}

fn field<V: Value>(mut table: Section<'_, '_>, found: &mut Found) -> Option<FieldRead<V>> {
    let name = table.required("name", found, Section::text);
    let content = content::<V>(&mut table, found);
    let form = match &content {
        Some(Content::Value(value)) => Some(value.form()),
        _ => None,
    };
    let date = table.word::<DateForm>("date", found);
    let amount = table.word::<AmountUnit>("amount", found);
    let codes = table.map("codes", found);
    let word = content.as_ref().map_or("", word_of);
    if let Some(At { line, .. }) = date.as_ref().filter(|_| content.is_some() && form != Some(Form::Date)) {
        found.fault(*line, format!("`date` is for days, and {word} is none"));
    }
    if let Some(At { line, .. }) = amount.as_ref().filter(|_| content.is_some() && form != Some(Form::Amount)) {
        found.fault(*line, format!("`amount` is for amounts of money, and {word} is none"));
    }
    if let Some(At { line, .. }) = codes.as_ref().filter(|_| content.is_some() && !matches!(form, Some(Form::Code(_))))
    {
        let coded: Vec<&str> =
            V::all().iter().filter(|value| matches!(value.form(), Form::Code(_))).map(|value| value.word()).collect();
        found.fault(
            *line,
            format!("`codes` are for values from a closed list ({}), and {word} is none", coded.join(", ")),
        );
    }
    let required = plain(table.flag("required", found)).unwrap_or(false);
    let longest = plain(table.number("longest", (1, LONGEST), found));
    let line = table.line;
    table.finish(found);
    let codes = plain(codes).unwrap_or_default();
    let lines = codes.iter().map(|(ours, theirs)| (ours.clone(), theirs.line)).collect();
    let field = Field {
        name: name?.value,
        content: content?,
        codes: codes.into_iter().map(|(ours, theirs)| (ours, theirs.value)).collect(),
        date: plain(date).unwrap_or(DateForm::Iso),
        amount: plain(amount).unwrap_or(AmountUnit::Fen),
        required,
        longest: longest.and_then(|longest| usize::try_from(longest).ok()),
    };
    Some(FieldRead { line, field, codes: lines })
}

fn word_of<V: Value>(content: &Content<V>) -> &'static str {
    match content {
        Content::Constant(_) => CONSTANT,
        Content::Value(value) => value.word(),
    }
}

fn content<V: Value>(table: &mut Section<'_, '_>, found: &mut Found) -> Option<Content<V>> {
    let constant = table.text("constant", found);
    let At { value, line } = table.required("value", found, Section::text)?;
    if value == CONSTANT {
        found.require(table.has("constant"), line, || {
            "the value is constant: give its text, constant = \"...\"".to_owned()
        });
        return constant.map(|text| Content::Constant(text.value));
    }
    if let Some(At { line, .. }) = constant {
        found.fault(line, format!("`constant` is for value = \"{CONSTANT}\", and the value is {value}"));
    }
    match value.parse() {
        Ok(value) => Some(Content::Value(value)),
        Err(error) => {
            found.fault(line, format!("`value`: {error}, {CONSTANT}"));
            None
        }
    }
}

impl<V> PackageRead<V> {
    /// The fields of a package without faults.
    pub(super) fn into_fields(self) -> Option<Fields<V>> {
        Some(Fields { dataset: self.dataset?, fields: self.fields.into_iter().map(|read| read.field).collect() })
    }
}

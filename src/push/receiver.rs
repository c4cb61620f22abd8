//! Receivers of packages, as `config/receivers.toml` says.

use serde::{Deserialize, Serialize};
use toml::Spanned;

use crate::{
    domain::{
        Kind, Kinds,
        table::{Faults, TableError, line_at, read},
    },
    grading::Library,
    scoring::Basis,
};

/// The receivers compiled in, as text.
pub const BUILT_IN: &str = include_str!("../../config/receivers.toml");

/// The form of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// An object a line.
    Ndjson,
    /// Comma-separated, with a header.
    Csv,
}

impl Format {
    /// What its file's name ends with.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// The form of a file by its name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        [Self::Ndjson, Self::Csv].into_iter().find(|format| format.extension() == extension)
    }
}

/// What a receiver may have of natural persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Natural {
    /// Nothing: they are left out.
    None,
    /// The national code and the grade; never a name or a certificate number.
    Code,
}

/// Who sees what a receiver is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody: it publishes what it is given (公开).
    Public,
    /// Departments, among which it is shared (政务共享).
    Departments,
}

/// Who receives packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The stable word.
    pub id: String,
    /// Its name.
    pub name_zh: String,
    /// The form of the data file.
    pub format: Format,
    /// Who sees what it is given.
    pub audience: Audience,
    /// The kinds of subject whose grades it may have.
    pub kinds: Vec<String>,
    /// What it may have of natural persons.
    pub natural: Natural,
    /// Whether it may have the total.
    pub points: bool,
    /// The mapping in whose words it is given grades.
    pub mapping: Option<String>,
    /// Whether it is given the grade in our own words; always where there is no mapping.
    pub own_grade: bool,
    /// Where that comes from.
    pub basis: Basis,
    /// The publication, where `basis` is published.
    pub source: Option<String>,
    /// Why, where `basis` is default.
    pub reason: Option<String>,
}

/// A receiver as its file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReceiverFile {
    id: Spanned<String>,
    name_zh: String,
    format: Format,
    audience: Audience,
    kinds: Vec<Spanned<String>>,
    natural: Spanned<Natural>,
    points: bool,
    mapping: Option<Spanned<String>>,
    own_grade: Option<Spanned<bool>>,
    basis: Basis,
    source: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    receiver: Vec<ReceiverFile>,
}

impl Receiver {
    /// Whether it may have anything of natural persons: never where it would publish it.
    pub(super) fn may_have_natural(&self) -> bool {
        self.natural == Natural::Code && self.audience == Audience::Departments
    }

    /// Whether it may have a kind, as far as the kind itself says: one that nothing is known of is not published.
    pub(super) fn may_show(&self, kind: Option<&Kind>) -> bool {
        self.audience == Audience::Departments || kind.is_some_and(|kind| kind.publishable)
    }
}

impl ReceiverFile {
    fn into_receiver(self) -> Receiver {
        Receiver {
            id: self.id.into_inner(),
            name_zh: self.name_zh,
            format: self.format,
            audience: self.audience,
            kinds: self.kinds.into_iter().map(Spanned::into_inner).collect(),
            natural: self.natural.into_inner(),
            points: self.points,
            mapping: self.mapping.map(Spanned::into_inner),
            own_grade: self.own_grade.is_none_or(Spanned::into_inner),
            basis: self.basis,
            source: self.source,
            reason: self.reason,
        }
    }
}

/// Every receiver of a table, its mappings looked up in a library and its kinds among those there are; `file` names the table in
/// what is refused.
pub fn receivers(file: &str, text: &str, library: &Library, kinds: &Kinds) -> Result<Vec<Receiver>, TableError> {
    let table: File = read(file, text)?;
    let mut faults = Faults::new(file);
    for (at, one) in table.receiver.iter().enumerate() {
        let line = line_at(text, &one.id.span());
        let id = one.id.get_ref();
        let twice = table.receiver.iter().take(at).any(|other| other.id.get_ref() == id);
        faults.require(!twice, line, || format!("{id} stands here twice: give each receiver an id of its own"));
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let said = match one.basis {
            Basis::Published => given(&one.source),
            Basis::Default => given(&one.reason),
        };
        faults.require(said, line, || format!("{id}: say where it comes from: a source, or a reason"));
        check_audience(one, text, kinds, &mut faults);
        check_words(one, text, library, &mut faults);
    }
    faults.finish()?;
    Ok(table.receiver.into_iter().map(ReceiverFile::into_receiver).collect())
}

/// What a receiver that publishes may not have. A kind that there is not here is never exported, and is no fault of the table's.
fn check_audience(one: &ReceiverFile, text: &str, kinds: &Kinds, faults: &mut Faults<'_>) {
    if one.audience == Audience::Departments {
        return;
    }
    let id = one.id.get_ref();
    let none = *one.natural.get_ref() == Natural::None;
    faults.require(none, line_at(text, &one.natural.span()), || {
        format!("{id} has the public for audience: natural persons are never published, say natural = \"none\"")
    });
    for place in &one.kinds {
        let Some(kind) = kinds.find(place.get_ref()) else { continue };
        faults.require(kind.publishable, line_at(text, &place.span()), || {
            format!(
                "{id} has the public for audience, and {} is not publishable by the table of kinds: take the kind out of the \
                 entry, in a table of your own (--receivers FILE) where this one comes with the program",
                kind.id
            )
        });
    }
}

/// In whose words the receiver is given grades.
fn check_words(one: &ReceiverFile, text: &str, library: &Library, faults: &mut Faults<'_>) {
    let id = one.id.get_ref();
    match (&one.mapping, &one.own_grade) {
        (Some(mapping), own_grade) => {
            let line = line_at(text, &mapping.span());
            let mapping = mapping.get_ref();
            faults.require(library.mappings().any(|table| table.receiver() == mapping), line, || {
                let mut known: Vec<&str> = library.mappings().map(crate::scoring::Mapping::receiver).collect();
                known.sort_unstable();
                known.dedup();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                format!(
                    "{id} names the mapping {mapping}, and no table in force is of it; there are tables of: {known}. \
                     Mend the name, or lay a table into [grading] mappings_directory"
                )
            });
            faults.require(own_grade.is_some(), line, || {
                format!("{id} names a mapping: say with own_grade whether our own grade stands beside it (true) or not")
            });
        }
        (None, Some(own_grade)) => faults.require(*own_grade.get_ref(), line_at(text, &own_grade.span()), || {
            format!("{id} would be given no grade at all: name a mapping, or take own_grade out")
        }),
        (None, None) => {}
    }
}

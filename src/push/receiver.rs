//! Receivers of packages: the table `config/receivers.toml`.

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

/// The compiled-in table of receivers.
pub const BUILT_IN: &str = include_str!("../../config/receivers.toml");

/// The format of the data file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// One JSON object a line.
    Ndjson,
    /// Comma-separated, with a header.
    Csv,
}

impl Format {
    /// The file name extension.
    pub const fn extension(self) -> &'static str {
        match self {
            Self::Ndjson => "ndjson",
            Self::Csv => "csv",
        }
    }

    /// The format of a file by its name.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        let (_, extension) = name.rsplit_once('.')?;
        [Self::Ndjson, Self::Csv].into_iter().find(|format| format.extension() == extension)
    }
}

/// What a receiver may have of natural persons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Natural {
    /// Nothing: natural persons are left out.
    None,
    /// The national code and the grade; never a name or a certificate number.
    Code,
}

/// The audience of a receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Audience {
    /// Everybody: the receiver publishes (公开).
    Public,
    /// Departments, which share it among themselves (政务共享).
    Departments,
}

/// A receiver of packages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receiver {
    /// The stable word.
    pub id: String,
    pub name_zh: String,
    /// The format of the data file.
    pub format: Format,
    pub audience: Audience,
    /// The kinds of subject whose grades it may have.
    pub kinds: Vec<String>,
    /// What it may have of natural persons.
    pub natural: Natural,
    /// Whether it may have total points.
    pub points: bool,
    /// The mapping of grades to its own scheme.
    pub mapping: Option<String>,
    /// Whether it receives the grade in our own scheme; always true without a mapping.
    pub own_grade: bool,
    /// Whether the entry was published.
    pub basis: Basis,
    /// The publication, where `basis` is `published`.
    pub source: Option<String>,
    /// The reason, where `basis` is `default`.
    pub reason: Option<String>,
}

/// A receiver as the file has it.
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
    /// Whether it may have anything about natural persons: never if it publishes.
    pub(super) fn may_have_natural(&self) -> bool {
        self.natural == Natural::Code && self.audience == Audience::Departments
    }

    /// Whether its audience may see a kind. An unknown kind is never published.
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
            // Without a mapping it cannot be left out: `check_mapping` refuses an entry that would send no grade.
            own_grade: self.own_grade.is_none_or(Spanned::into_inner),
            basis: self.basis,
            source: self.source,
            reason: self.reason,
        }
    }
}

/// Reads and checks a table of receivers against the mappings of a library and the known kinds; `file` is the name of the
/// table in error texts.
pub fn receivers(file: &str, text: &str, library: &Library, kinds: &Kinds) -> Result<Vec<Receiver>, TableError> {
    let table: File = read(file, text)?;
    let mut faults = Faults::new(file);
    for (at, one) in table.receiver.iter().enumerate() {
        let line = line_at(text, &one.id.span());
        let id = one.id.get_ref();
        // Compared with the entries above only, so that a pair is reported once.
        let twice = table.receiver.iter().take(at).any(|other| other.id.get_ref() == id);
        faults.require(!twice, line, || format!("{id} is defined twice: give each receiver a unique id"));
        let given = |text: &Option<String>| text.as_deref().is_some_and(|text| !text.trim().is_empty());
        let said = match one.basis {
            Basis::Published => given(&one.source),
            Basis::Default => given(&one.reason),
        };
        faults.require(said, line, || format!("{id}: give a source or a reason"));
        check_audience(one, text, kinds, &mut faults);
        check_mapping(one, text, library, &mut faults);
    }
    faults.finish()?;
    Ok(table.receiver.into_iter().map(ReceiverFile::into_receiver).collect())
}

/// Checks what a receiver that publishes may have. An unknown kind is never exported, so it is no fault.
fn check_audience(one: &ReceiverFile, text: &str, kinds: &Kinds, faults: &mut Faults<'_>) {
    if one.audience == Audience::Departments {
        return;
    }
    let id = one.id.get_ref();
    let none = *one.natural.get_ref() == Natural::None;
    faults.require(none, line_at(text, &one.natural.span()), || {
        format!("{id} publishes to everybody: natural persons are never published, say natural = \"none\"")
    });
    for place in &one.kinds {
        let Some(kind) = kinds.find(place.get_ref()) else { continue };
        faults.require(kind.publishable, line_at(text, &place.span()), || {
            format!(
                "{id} publishes to everybody, and {} is not publishable by the table of kinds: take the kind out of the \
                 entry, in a table of your own (--receivers FILE) where this one comes with the program",
                kind.id
            )
        });
    }
}

/// Checks the mapping of a receiver.
fn check_mapping(one: &ReceiverFile, text: &str, library: &Library, faults: &mut Faults<'_>) {
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
                    "{id} names the mapping {mapping}, and no table in force belongs to it; there are tables for: {known}. \
                     Correct the name, or put a table into [grading] mappings_directory"
                )
            });
            faults.require(own_grade.is_some(), line, || {
                format!("{id} names a mapping: set own_grade to say whether our own grade is sent too (true) or not")
            });
        }
        (None, Some(own_grade)) => faults.require(*own_grade.get_ref(), line_at(text, &own_grade.span()), || {
            format!("{id} would receive no grade at all: name a mapping, or take own_grade out")
        }),
        (None, None) => {}
    }
}

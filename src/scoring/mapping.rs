//! Mapping tables from the grades of a scheme to those of a receiver's scheme. A table maps every grade and is monotonic: of
//! two grades the better one is never mapped to a worse one.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{
    faults::{
        Faults,
        Step::{At, Key},
    },
    model::{Basis, Origin, Scheme},
};
use crate::domain::table::{TableError, read};

/// A mapped scheme, by id and version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeRef {
    pub scheme: String,
    pub version: i64,
}

impl fmt::Display for SchemeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} version {}", self.scheme, self.version)
    }
}

/// A receiver's scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverScheme {
    pub scheme: String,
    /// Its name to people.
    pub name_zh: String,
    /// Its grades, best first.
    pub grade: Vec<ReceiverGrade>,
}

/// A grade of a receiver's scheme.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiverGrade {
    /// The code that is sent.
    pub code: String,
    /// The Chinese word.
    pub name_zh: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pair {
    from: String,
    to: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MappingFile {
    receiver: String,
    basis: Basis,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    source: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    from: SchemeRef,
    to: ReceiverScheme,
    map: Vec<Pair>,
}

/// A mapping table that has been checked.
#[derive(Debug, Clone)]
pub struct Mapping {
    file: MappingFile,
}

impl Mapping {
    /// Reads the scheme and the receiver of a table without checking it.
    pub fn of(file: &str, text: &str) -> Result<(SchemeRef, String), TableError> {
        read::<MappingFile>(file, text).map(|raw| (raw.from, raw.receiver))
    }

    /// Reads and checks a table against the scheme that it names.
    pub fn parse(file: &str, text: &str, scheme: Option<&Scheme>) -> Result<Self, TableError> {
        let raw: MappingFile = read(file, text)?;
        let mut faults = Faults::new(file, text);
        check(&raw, scheme, &mut faults);
        faults.finish()?;
        Ok(Self { file: raw })
    }

    /// Checks the table against a scheme as a run stored it. It differs from the one in force where a file was changed without
    /// raising its version.
    pub fn check_against(&self, scheme: &Scheme) -> Result<(), TableError> {
        let name = format!("the table from {} for {}", self.file.from, self.file.receiver);
        // Without the text of the file, faults have no line numbers.
        let mut faults = Faults::new(&name, "");
        check(&self.file, Some(scheme), &mut faults);
        faults.finish()
    }

    /// The form that is digested: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }

    /// The receiver.
    pub fn receiver(&self) -> &str {
        &self.file.receiver
    }

    /// The mapped scheme.
    pub const fn from(&self) -> &SchemeRef {
        &self.file.from
    }

    /// The receiver's scheme.
    pub const fn to(&self) -> &ReceiverScheme {
        &self.file.to
    }

    /// The receiver's grade for a grade of the scheme; `None` for an unknown code.
    pub fn grade(&self, code: &str) -> Option<&ReceiverGrade> {
        let pair = self.file.map.iter().find(|pair| pair.from == code)?;
        self.file.to.grade.iter().find(|grade| grade.code == pair.to)
    }
}

fn check(raw: &MappingFile, scheme: Option<&Scheme>, faults: &mut Faults<'_>) {
    Origin::of(raw.basis, raw.source.as_ref(), raw.reason.as_ref()).check(&[Key("basis")], "the table", faults);
    faults.require(!raw.receiver.trim().is_empty(), &[Key("receiver")], || "name the receiver".into());
    let mut codes = BTreeSet::new();
    for (at, grade) in raw.to.grade.iter().enumerate() {
        let place = [Key("to"), Key("grade"), At(at)];
        let code = &grade.code;
        faults.require(!code.trim().is_empty() && codes.insert(code), &place, || {
            format!("{code:?} cannot be a receiver's grade: give each grade a unique code")
        });
        faults.require(!grade.name_zh.trim().is_empty(), &place, || format!("the grade {code} has no name"));
    }
    let Some(scheme) = scheme else {
        let SchemeRef { scheme, version } = &raw.from;
        faults.add(&[Key("from")], format!("no model in force grades by {scheme} version {version}"));
        return;
    };
    check_pairs(raw, scheme, faults);
}

fn check_pairs(raw: &MappingFile, scheme: &Scheme, faults: &mut Faults<'_>) {
    let place_to = |code: &str| raw.to.grade.iter().position(|grade| grade.code == code);
    let mut mapped: Vec<(usize, usize, usize)> = Vec::new();
    let mut seen = BTreeSet::new();
    for (at, pair) in raw.map.iter().enumerate() {
        let place = [Key("map"), At(at)];
        let (from, to) = (scheme.place(&pair.from), place_to(&pair.to));
        faults.require(from.is_some(), &place, || format!("{:?} is no grade of {}", pair.from, scheme.id));
        faults.require(to.is_some(), &place, || format!("{:?} is no grade of {}", pair.to, raw.to.scheme));
        faults.require(seen.insert(&pair.from), &place, || format!("the grade {} is mapped twice", pair.from));
        if let (Some(from), Some(to)) = (from, to) {
            mapped.push((from, to, at));
        }
    }
    // Every grade, even a rare one: a package must never have a record without a grade for lack of a line here.
    for grade in scheme.grade.iter().filter(|grade| !seen.contains(&grade.code)) {
        faults.add(&[Key("map")], format!("the grade {} of {} is not mapped", grade.code, scheme.id));
    }
    // In the order of our grades: each pair of neighbours shows whether the receiver's order agrees.
    mapped.sort_unstable();
    for pair in mapped.windows(2) {
        let [(better, best, _), (worse, worst, at)] = pair else { continue };
        // Equal is allowed: a receiver may have fewer grades.
        if better < worse && best > worst {
            let code = |place: usize| scheme.grade.get(place).map_or("", |grade| grade.code.as_str());
            faults.add(
                &[Key("map"), At(*at)],
                format!("the order is reversed: {} is mapped to a better grade than {}", code(*worse), code(*better)),
            );
        }
    }
}

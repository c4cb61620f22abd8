//! Mapping tables: a grade of one scheme in the words of a receiver's. Total over every grade, and never the wrong way
//! round: of two grades the better one is not mapped to a worse one.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::{
    model::{Basis, Origin, Scheme},
    source::{
        Faults,
        Step::{At, Key},
    },
};
use crate::domain::table::{TableError, read};

/// A scheme that is mapped, by id and version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SchemeRef {
    /// Its id.
    pub scheme: String,
    /// Its version.
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
    /// Its id.
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
    /// What is sent.
    pub code: String,
    /// The word people know.
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
    /// Reads a table without checking it: from which scheme, and to which receiver.
    pub fn of(file: &str, text: &str) -> Result<(SchemeRef, String), TableError> {
        read::<MappingFile>(file, text).map(|raw| (raw.from, raw.receiver))
    }

    /// Reads and checks a table against the scheme that it maps, which has to be the one it names.
    pub fn parse(file: &str, text: &str, scheme: Option<&Scheme>) -> Result<Self, TableError> {
        let raw: MappingFile = read(file, text)?;
        let mut faults = Faults::new(file, text);
        check(&raw, scheme, &mut faults);
        faults.finish()?;
        Ok(Self { file: raw })
    }

    /// Checks the table against a scheme as a run kept it, which is not the one in force where a file was changed and its
    /// version was not raised.
    pub fn check_against(&self, scheme: &Scheme) -> Result<(), TableError> {
        let name = format!("the table from {} for {}", self.file.from, self.file.receiver);
        let mut faults = Faults::new(&name, "");
        check(&self.file, Some(scheme), &mut faults);
        faults.finish()
    }

    /// The form that is digested: JSON without spaces, fields in the order of their types.
    pub fn canonical(&self) -> String {
        // Infallible: the types hold only texts, numbers and lists of them.
        serde_json::to_string(&self.file).unwrap_or_default()
    }

    /// Who receives.
    pub fn receiver(&self) -> &str {
        &self.file.receiver
    }

    /// The scheme that is mapped.
    pub const fn from(&self) -> &SchemeRef {
        &self.file.from
    }

    /// The receiver's scheme.
    pub const fn to(&self) -> &ReceiverScheme {
        &self.file.to
    }

    /// A grade in the receiver's words; nothing for a code that is no grade of the scheme.
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
            format!("{code:?} cannot be a receiver's grade: each has a code of its own")
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
    for grade in scheme.grade.iter().filter(|grade| !seen.contains(&grade.code)) {
        faults.add(&[Key("map")], format!("the grade {} of {} is not mapped", grade.code, scheme.id));
    }
    mapped.sort_unstable();
    for pair in mapped.windows(2) {
        let [(better, best, _), (worse, worst, at)] = pair else { continue };
        if better < worse && best > worst {
            let code = |place: usize| scheme.grade.get(place).map_or("", |grade| grade.code.as_str());
            faults.add(
                &[Key("map"), At(*at)],
                format!("the wrong way round: {} is mapped to a better grade than {}", code(*worse), code(*better)),
            );
        }
    }
}

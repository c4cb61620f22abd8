//! The file format of the table of kinds, and its checks.

use std::collections::BTreeSet;

use serde::Deserialize;
use toml::Spanned;

use super::{Certificate, CodeScheme, Kind, KindBasis, Person};
use crate::domain::{
    codes::CodePattern,
    table::{Faults, line_at},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindFile {
    id: Spanned<String>,
    name: String,
    basis: KindBasis,
    source: Option<String>,
    reason: Option<String>,
    person: Person,
    code_scheme: Spanned<CodeScheme>,
    codes: Spanned<Vec<Spanned<CodePattern>>>,
    certificate: Certificate,
    object_type: Option<Spanned<u8>>,
    catalogue: Option<String>,
    #[serde(default)]
    models: Vec<String>,
    lendable: Spanned<bool>,
    publishable: Spanned<bool>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct KindsFile {
    pub(super) kind: Vec<KindFile>,
}

impl KindFile {
    /// Converts a checked entry.
    pub(super) fn into_kind(self, text: &str) -> Kind {
        let ground = match self.basis {
            KindBasis::Certain => self.source,
            KindBasis::Likely => self.reason,
        };
        Kind {
            line: line_at(text, &self.id.span()),
            id: self.id.into_inner(),
            name: self.name,
            basis: self.basis,
            ground: ground.unwrap_or_default(),
            person: self.person,
            code_scheme: self.code_scheme.into_inner(),
            codes: self.codes.into_inner().into_iter().map(Spanned::into_inner).collect(),
            certificate: self.certificate,
            object_type: self.object_type.map(Spanned::into_inner),
            catalogue: self.catalogue,
            models: self.models,
            lendable: self.lendable.into_inner(),
            publishable: self.publishable.into_inner(),
        }
    }
}

fn is_word(text: &str) -> bool {
    text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase())
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

/// Collects every fault of a table of kinds.
pub(super) fn check(kinds: &[KindFile], text: &str, faults: &mut Faults<'_>) {
    let mut ids = BTreeSet::new();
    let mut types = BTreeSet::new();
    let mut patterns: Vec<(&CodePattern, &str)> = Vec::new();
    for kind in kinds {
        let line = line_at(text, &kind.id.span());
        let id = kind.id.get_ref().as_str();
        faults.require(is_word(id), line, || format!("{id:?} is not snake_case"));
        faults.require(ids.insert(id), line, || format!("{id} is defined twice"));
        faults.require(!kind.name.trim().is_empty(), line, || format!("{id} has no name"));
        let ground = match kind.basis {
            KindBasis::Certain => ("certain", "source", &kind.source),
            KindBasis::Likely => ("likely", "reason", &kind.reason),
        };
        faults.require(ground.2.as_ref().is_some_and(|text| !text.trim().is_empty()), line, || {
            format!("{id} is {}: add its {}", ground.0, ground.1)
        });
        if let Some(number) = &kind.object_type {
            let line = line_at(text, &number.span());
            faults.require(types.insert(*number.get_ref()), line, || {
                format!("object type {} is used twice", number.get_ref())
            });
        }
        check_codes(kind, text, faults, &mut patterns);
        check_person(kind, text, faults);
    }
}

fn check_codes<'k>(
    kind: &'k KindFile,
    text: &str,
    faults: &mut Faults<'_>,
    patterns: &mut Vec<(&'k CodePattern, &'k str)>,
) {
    let id = kind.id.get_ref().as_str();
    let line = line_at(text, &kind.codes.span());
    faults.require(!kind.codes.get_ref().is_empty(), line, || {
        format!("{id} has no code pattern, so no subject of it could be imported")
    });
    let by_uscc = *kind.code_scheme.get_ref() == CodeScheme::Uscc;
    for pattern in kind.codes.get_ref() {
        let line = line_at(text, &pattern.span());
        let pattern = pattern.get_ref();
        faults.require(pattern.contains_uscc() == by_uscc, line, || {
            format!("the pattern {pattern} of {id} does not match its code scheme")
        });
        // Over all kinds: the kind of a code must follow from the code alone.
        let other = patterns.iter().find(|(other, _)| other.overlaps(pattern));
        faults.require(other.is_none(), line, || {
            let (other, of) = other.map_or(("", ""), |(_, of)| ("another pattern", *of));
            format!("the pattern {pattern} of {id} shares codes with {other} of {of}")
        });
        patterns.push((pattern, id));
    }
}

/// Checks what no city may choose for natural persons.
fn check_person(kind: &KindFile, text: &str, faults: &mut Faults<'_>) {
    if kind.person == Person::Legal {
        return;
    }
    let id = kind.id.get_ref();
    faults.require(!kind.publishable.get_ref(), line_at(text, &kind.publishable.span()), || {
        format!("{id} are natural persons: their grades are shared with departments and never published")
    });
    faults.require(!kind.lendable.get_ref(), line_at(text, &kind.lendable.span()), || {
        format!("{id} are natural persons: only a legal entity gives a bank consent")
    });
    let by_uscc = *kind.code_scheme.get_ref() == CodeScheme::Uscc;
    faults.require(!by_uscc, line_at(text, &kind.code_scheme.span()), || {
        format!("{id} are natural persons, who have no unified social credit code")
    });
}

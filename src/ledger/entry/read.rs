//! Parsing of entries and openings, which refuses everything that version 1 does not write.

use std::collections::BTreeMap;

use data_encoding::BASE64URL_NOPAD;
use serde_json::{Map, Value};

use super::{EntryType, SALT_BYTES, VERSION, commitment, entry_time};
use crate::{
    domain::{Timestamp, canonical::canonical},
    merkle::Hash,
};

/// Why an entry or an opening is not valid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryFault {
    /// The text is not canonical JSON.
    #[error("its text is not canonical JSON")]
    NotCanonical,
    /// A member is missing, of the wrong form, or not of this version.
    #[error("its member {0} does not conform to version 1")]
    Member(String),
    /// The opening does not fit the commitment.
    #[error("the opening of {0} does not fit its commitment")]
    Commitment(String),
}

/// A parsed entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadEntry {
    /// The id in its text.
    pub id: String,
    pub kind: EntryType,
    /// When the recorded event happened.
    pub at: Timestamp,
    /// The values in the clear.
    pub facts: Map<String, Value>,
    pub commitments: BTreeMap<String, Hash>,
}

impl ReadEntry {
    /// Parses the text of an entry, refusing everything that version 1 would not have written.
    pub fn parse(body: &str) -> Result<Self, EntryFault> {
        let member = |name: &str| EntryFault::Member(name.to_owned());
        let mut members = canonical_object(body)?;
        // First: another version may have other members, and the faults below would then mislead.
        if members.remove("v") != Some(VERSION.into()) {
            return Err(member("v"));
        }
        let mut text = |name: &str| match members.remove(name) {
            Some(Value::String(text)) => Ok(text),
            _ => Err(member(name)),
        };
        let kind: EntryType = text("type")?.parse().map_err(|_| member("type"))?;
        let id = text("id")?;
        let written = text("at")?;
        let at: Timestamp = written.parse().map_err(|_| member("at"))?;
        // One instant has several spellings that parse. Only the one that is written counts, or an entry would have
        // several texts.
        if entry_time(at).ok().as_ref() != Some(&written) {
            return Err(member("at"));
        }
        let Some(Value::Object(facts)) = members.remove("facts") else { return Err(member("facts")) };
        if !facts.keys().map(String::as_str).eq(kind.facts().iter().copied()) || !facts_conform(kind, &facts) {
            return Err(member("facts"));
        }
        let Some(Value::Object(committed)) = members.remove("commitments") else { return Err(member("commitments")) };
        if !committed.keys().map(String::as_str).eq(kind.commitments().iter().copied()) {
            return Err(member("commitments"));
        }
        let commitments = committed
            .into_iter()
            .map(|(name, value)| {
                let bytes = value.as_str().and_then(|text| BASE64URL_NOPAD.decode(text.as_bytes()).ok());
                let hash = bytes.and_then(|bytes| Hash::try_from(bytes).ok()).ok_or_else(|| member("commitments"))?;
                Ok((name, hash))
            })
            .collect::<Result<_, EntryFault>>()?;
        // Every known member was removed above: what is left, this version did not write.
        match members.keys().next() {
            Some(unknown) => Err(EntryFault::Member(unknown.clone())),
            None => Ok(Self { id, kind, at, facts, commitments }),
        }
    }

    /// The ids of the entries whose openings this entry records as erased.
    pub fn erased(&self) -> impl Iterator<Item = &str> {
        self.facts.get("entries").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    /// Checks every field of an opening against its commitment, and returns the values.
    pub fn open(&self, opening: &str) -> Result<BTreeMap<String, Value>, EntryFault> {
        let member = |name: &str| EntryFault::Member(name.to_owned());
        let mut members = canonical_object(opening)?;
        if members.remove("v") != Some(VERSION.into()) {
            return Err(member("v"));
        }
        let Some(Value::Object(fields)) = members.remove("fields") else { return Err(member("fields")) };
        // The same names in the same order: a field without a commitment would pass as proved, and the zip below pairs
        // fields with commitments by position.
        if !members.is_empty() || !fields.keys().eq(self.commitments.keys()) {
            return Err(member("fields"));
        }
        let mut values = BTreeMap::new();
        for ((name, field), expected) in fields.into_iter().zip(self.commitments.values()) {
            let Value::Object(mut field) = field else { return Err(EntryFault::Member(name)) };
            let salt = match field.remove("salt") {
                Some(Value::String(salt)) => BASE64URL_NOPAD.decode(salt.as_bytes()).ok(),
                _ => None,
            };
            let salt = salt.and_then(|salt| <[u8; SALT_BYTES]>::try_from(salt).ok());
            let (Some(salt), Some(value), true) = (salt, field.remove("value"), field.is_empty()) else {
                return Err(EntryFault::Member(name));
            };
            // A part of a canonical text is canonical, so this is the text that was committed to.
            let text = canonical(&value).map_err(|_| EntryFault::NotCanonical)?;
            if commitment(&name, &salt, &text) != *expected {
                return Err(EntryFault::Commitment(name));
            }
            values.insert(name, value);
        }
        Ok(values)
    }
}

/// Parses an object and checks that its text is canonical.
fn canonical_object(text: &str) -> Result<Map<String, Value>, EntryFault> {
    let value: Value = serde_json::from_str(text).map_err(|_| EntryFault::NotCanonical)?;
    // A text with a repeated member, other spacing or other escapes differs from its canonical form.
    match (canonical(&value).as_deref() == Ok(text), value) {
        (true, Value::Object(members)) => Ok(members),
        _ => Err(EntryFault::NotCanonical),
    }
}

fn facts_conform(kind: EntryType, facts: &Map<String, Value>) -> bool {
    let word = |name: &str| {
        facts.get(name).and_then(Value::as_str).is_some_and(|word| {
            !word.is_empty()
                && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
        })
    };
    match kind {
        EntryType::Disclosure | EntryType::Delivery => true,
        EntryType::Consent => word("event"),
        EntryType::Approval => word("action") && word("decision"),
        EntryType::Operator => word("action"),
        EntryType::Erasure => {
            let ids = facts.get("entries").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let texts: Vec<_> = ids.iter().filter_map(Value::as_str).collect();
            word("ground")
                && (1..=1000).contains(&ids.len())
                && texts.len() == ids.len()
                // Strictly ascending: sorted and without duplicates, the only order that is written.
                && texts.is_sorted_by(|a, b| a < b)
        }
    }
}

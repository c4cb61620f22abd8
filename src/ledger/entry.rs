//! Entries and their openings: made here, and read back below, where they are refused when they are not exactly of their form.
//!
//! docs/LEDGER.md sections 1 to 3 fix the format. It is for ever: a new version may be added, this one never changes.

mod read;

use std::{
    collections::BTreeMap,
    fmt::{self, Write as _},
};

use aws_lc_rs::digest;
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use time::{format_description::BorrowedFormatItem, macros::format_description};

pub use read::{EntryFault, ReadEntry};

use crate::{
    domain::{
        Entropy, Malformed, Timestamp,
        canonical::{canonical, canonical_string, write_canonical},
        words::words,
    },
    merkle::{Hash, leaf_hash},
};

/// The version of everything here.
const VERSION: u64 = 1;
/// Keeps a commitment's input apart from everything else that is hashed.
const TAG: &[u8] = b"medcredit-commitment-v1\0";
/// 128 bits: enough that no value can be found by trying.
const SALT_BYTES: usize = 16;
const AT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

words! {
    /// What an entry records.
    EntryType: "type of entry" {
        /// Data left for a bank.
        Disclosure = "disclosure",
        /// Disclosures left together, as one answer.
        Delivery = "delivery",
        /// A consent changed.
        Consent = "consent",
        /// Somebody decided on another's request.
        Approval = "approval",
        /// An operator acted.
        Operator = "operator",
        /// Openings were erased.
        Erasure = "erasure",
    }
}

impl EntryType {
    /// The members of `facts`, sorted.
    const fn facts(self) -> &'static [&'static str] {
        match self {
            Self::Disclosure | Self::Delivery => &[],
            Self::Consent => &["event"],
            Self::Approval => &["action", "decision"],
            Self::Operator => &["action"],
            Self::Erasure => &["entries", "ground"],
        }
    }

    /// The members of `commitments`, sorted.
    const fn commitments(self) -> &'static [&'static str] {
        match self {
            Self::Disclosure => &[
                "client",
                "codes",
                "consent",
                "consent_version",
                "content_digest",
                "interaction",
                "period",
                "publication",
                "purpose",
                "uscc",
                "what",
            ],
            Self::Delivery => {
                &["client", "content_digest", "interaction", "lines", "period", "purpose", "refused", "what"]
            }
            Self::Consent => &[
                "actor",
                "changes",
                "channel",
                "client",
                "codes",
                "consent",
                "consent_version",
                "evidence",
                "reason",
                "uscc",
            ],
            Self::Approval => &["actor", "detail", "reason", "request", "target"],
            Self::Operator => &["actor", "detail", "reason", "target"],
            Self::Erasure => &["actor", "reason"],
        }
    }
}

/// A ledger entry as it is stored and hashed. It says nothing about anybody without its [`Opening`].
///
/// Made here alone and never changed: its text always has its id in it and hashes to its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: String,
    kind: EntryType,
    at: Timestamp,
    body: String,
    leaf: Hash,
}

impl Entry {
    /// Unique in the log: `dis_...` or `ent_...`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it records.
    pub const fn kind(&self) -> EntryType {
        self.kind
    }

    /// When it happened.
    pub const fn at(&self) -> Timestamp {
        self.at
    }

    /// The canonical JSON.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The leaf hash of the canonical JSON.
    pub const fn leaf(&self) -> Hash {
        self.leaf
    }

    /// Its id, when nothing else of it is needed any more.
    pub(super) fn into_id(self) -> String {
        self.id
    }
}

/// What an entry's commitments hide: the values and their salts. May be erased.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The bank it concerns, by which its disclosures are found.
    pub client_id: Option<String>,
    /// The consent it concerns.
    pub consent_id: Option<String>,
    /// The canonical JSON: values and salts.
    pub body: String,
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It names a bank and a subject, and its salts open the entry (I8).
        f.write_str("Opening(withheld)")
    }
}

/// Values by name, in the order of their names.
pub(super) type Values = BTreeMap<&'static str, Value>;

/// Makes an entry and its opening. `facts` are in the clear, `values` are committed to.
pub(super) fn make(
    kind: EntryType,
    id: String,
    at: Timestamp,
    (facts, values): (Values, Values),
    entropy: &dyn Entropy,
) -> Result<(Entry, Opening), Malformed> {
    let mut salts = vec![[0u8; SALT_BYTES]; values.len()];
    entropy.fill(salts.as_flattened_mut());
    let (mut commitments, mut fields) = (String::with_capacity(1024), String::with_capacity(1536));
    fields.push_str("{\"fields\":{");
    let mut scratch = Vec::with_capacity(256);
    // Names are words and base64url needs no escaping: both may be written as they are.
    for (at, ((name, value), salt)) in values.iter().zip(&salts).enumerate() {
        let begins = if at == 0 { "\"" } else { ",\"" };
        for part in [begins, name, "\":{\"salt\":\""] {
            fields.push_str(part);
        }
        BASE64URL_NOPAD.encode_append(salt, &mut fields);
        fields.push_str("\",\"value\":");
        let text = fields.len();
        write_canonical(value, &mut fields)?;
        let committed = commitment_in(&mut scratch, name, salt, fields.get(text..).unwrap_or_default());
        fields.push('}');
        for part in [begins, name, "\":\""] {
            commitments.push_str(part);
        }
        BASE64URL_NOPAD.encode_append(&committed, &mut commitments);
        commitments.push('"');
    }
    let facts = canonical(&facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Value>())?;
    // Neither a time nor the word of a type needs escaping. Writing to a String cannot fail.
    let mut body = String::with_capacity(commitments.len() + facts.len() + id.len() + 128);
    let _ = write!(body, "{{\"at\":\"{}\",\"commitments\":{{", entry_time(at)?);
    let id_text = canonical_string(&id);
    for part in [&commitments, "},\"facts\":", &facts, ",\"id\":", &id_text, ",\"type\":\"", kind.as_str()] {
        body.push_str(part);
    }
    let _ = write!(body, "\",\"v\":{VERSION}}}");
    let text_of = |name: &str| values.get(name).and_then(Value::as_str).map(str::to_owned);
    let (client_id, consent_id) = match kind {
        EntryType::Disclosure | EntryType::Delivery | EntryType::Consent => (text_of("client"), text_of("consent")),
        EntryType::Approval | EntryType::Operator | EntryType::Erasure => (None, None),
    };
    let _ = write!(fields, "}},\"v\":{VERSION}}}");
    let opening = Opening { client_id, consent_id, body: fields };
    let leaf = leaf_hash(body.as_bytes());
    Ok((Entry { id, kind, at, body, leaf }, opening))
}

fn entry_time(at: Timestamp) -> Result<String, Malformed> {
    at.to_utc().format(AT).map_err(|_| Malformed(format!("{} is not a time that can be written", at.micros())))
}

/// The commitment to a value, given as canonical JSON, under its name and salt.
///
/// The tag and the salt have fixed lengths and the name is preceded by its own, so no two inputs are the same.
pub fn commitment(name: &str, salt: &[u8; SALT_BYTES], value: &str) -> Hash {
    commitment_in(&mut Vec::new(), name, salt, value)
}

/// The same, its input put together in the same place as that of the last one.
fn commitment_in(input: &mut Vec<u8>, name: &str, salt: &[u8; SALT_BYTES], value: &str) -> Hash {
    input.clear();
    input.extend_from_slice(TAG);
    // Names are ours and short; a longer one could not be told apart, so it commits to nothing that verifies.
    input.push(u8::try_from(name.len()).unwrap_or(0));
    input.extend_from_slice(name.as_bytes());
    input.extend_from_slice(salt);
    input.extend_from_slice(value.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, input).as_ref());
    out
}

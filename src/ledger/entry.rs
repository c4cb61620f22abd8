//! Entries and their openings: made here, and parsed in `read.rs`, which accepts exactly the form that is written here.
//!
//! docs/LEDGER.md sections 1 to 3 define the format. It is permanent: a new version may be added, this one never changes.

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

/// The version of the format.
const VERSION: u64 = 1;
/// Separates the input of commitments from all other hashed data.
const TAG: &[u8] = b"medcredit-commitment-v1\0";
/// 128 bits: too many to find a committed value by guessing.
const SALT_BYTES: usize = 16;
// Always six decimals and `Z`, so that an instant has one text.
const AT: &[BorrowedFormatItem<'_>] =
    format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:6]Z");

words! {
    /// What an entry records.
    EntryType: "type of entry" {
        /// Data was released to a bank.
        Disclosure = "disclosure",
        /// Several disclosures were released in one answer.
        Delivery = "delivery",
        /// A consent changed.
        Consent = "consent",
        /// One person decided on another's request.
        Approval = "approval",
        /// An act changed something.
        Operator = "operator",
        /// Openings were erased.
        Erasure = "erasure",
    }
}

impl EntryType {
    /// The names in `facts`, sorted.
    const fn facts(self) -> &'static [&'static str] {
        match self {
            Self::Disclosure | Self::Delivery => &[],
            Self::Consent => &["event"],
            Self::Approval => &["action", "decision"],
            Self::Operator => &["action"],
            Self::Erasure => &["entries", "ground"],
        }
    }

    /// The names in `commitments`, sorted.
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

/// A ledger entry as it is stored and hashed. Without its [`Opening`] it reveals nothing about anybody.
///
/// Made only here and never changed: its text always contains its id and hashes to its leaf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    id: String,
    kind: EntryType,
    at: Timestamp,
    body: String,
    leaf: Hash,
}

impl Entry {
    /// The id, unique in the log: `dis_...` or `ent_...`.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What it records.
    pub const fn kind(&self) -> EntryType {
        self.kind
    }

    /// When the recorded event happened.
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

    /// The id, consuming the entry.
    pub(super) fn into_id(self) -> String {
        self.id
    }
}

/// The values behind an entry's commitments, with their salts. It may be erased.
#[derive(Clone, PartialEq, Eq)]
pub struct Opening {
    /// The bank it concerns, by which a bank's disclosures are found.
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

/// The contents of an entry.
pub(super) struct Contents {
    /// Values in the clear.
    pub(super) facts: Values,
    /// Values that the entry only commits to; they go into the opening.
    pub(super) values: Values,
}

impl Contents {
    /// Contents without any value in the clear.
    pub(super) const fn hidden(values: Values) -> Self {
        Self { facts: Values::new(), values }
    }
}

/// Makes an entry and its opening.
pub(super) fn make(
    kind: EntryType,
    id: String,
    at: Timestamp,
    contents: Contents,
    entropy: &dyn Entropy,
) -> Result<(Entry, Opening), Malformed> {
    let Contents { facts, values } = contents;
    let mut salts = vec![[0u8; SALT_BYTES]; values.len()];
    // Each value has a salt of its own, so that opening one value does not help to guess another.
    entropy.fill(salts.as_flattened_mut());
    // Room for an ordinary disclosure, whose eleven commitments take some 630 bytes, so that neither text is moved.
    let (mut commitments, mut fields) = (String::with_capacity(1024), String::with_capacity(1536));
    fields.push_str("{\"fields\":{");
    // Shared by all commitments of the entry: one allocation, and not one for each value.
    let mut scratch = Vec::with_capacity(256);
    // Neither names, which are words, nor base64url need escaping.
    for (at, ((name, value), salt)) in values.iter().zip(&salts).enumerate() {
        let begins = if at == 0 { "\"" } else { ",\"" };
        for part in [begins, name, "\":{\"salt\":\""] {
            fields.push_str(part);
        }
        BASE64URL_NOPAD.encode_append(salt, &mut fields);
        fields.push_str("\",\"value\":");
        let text = fields.len();
        write_canonical(value, &mut fields)?;
        // Commits to the text just written into the opening, so that the two cannot differ.
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
    // Only entries about one bank's data are looked up by bank and consent.
    let (client_id, consent_id) = match kind {
        EntryType::Disclosure | EntryType::Delivery | EntryType::Consent => (text_of("client"), text_of("consent")),
        EntryType::Approval | EntryType::Operator | EntryType::Erasure => (None, None),
    };
    let _ = write!(fields, "}},\"v\":{VERSION}}}");
    let opening = Opening { client_id, consent_id, body: fields };
    // Hashed here, from the bytes that are stored: a text rendered again later might differ.
    let leaf = leaf_hash(body.as_bytes());
    Ok((Entry { id, kind, at, body, leaf }, opening))
}

fn entry_time(at: Timestamp) -> Result<String, Malformed> {
    at.to_utc()
        .format(AT)
        .map_err(|_| Malformed(format!("the time {} is outside of the range that can be written", at.micros())))
}

/// The commitment to a value, given as canonical JSON, under its name and salt.
///
/// The tag and the salt have fixed lengths and the name is preceded by its length, so the encoding is unambiguous.
pub fn commitment(name: &str, salt: &[u8; SALT_BYTES], value: &str) -> Hash {
    commitment_in(&mut Vec::new(), name, salt, value)
}

/// [`commitment`] with a buffer for its input that calls may share.
fn commitment_in(input: &mut Vec<u8>, name: &str, salt: &[u8; SALT_BYTES], value: &str) -> Hash {
    input.clear();
    input.extend_from_slice(TAG);
    // Names are our own and short. The length of a longer one would not fit, so its commitment would not verify.
    input.push(u8::try_from(name.len()).unwrap_or(0));
    input.extend_from_slice(name.as_bytes());
    input.extend_from_slice(salt);
    input.extend_from_slice(value.as_bytes());
    let mut out = [0; 32];
    out.copy_from_slice(digest::digest(&digest::SHA256, input).as_ref());
    out
}

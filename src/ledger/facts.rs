//! The contents of each type of entry: one struct per type, so that no field can be missing or extra.

use serde_json::{Value, json};

use super::{
    entry::{Contents, Entry, EntryType, Opening, Values, make},
    error::LedgerError,
};
use crate::domain::{
    Entropy, Month, Timestamp,
    ids::{ClientId, ConsentId, DisclosureId, EntryId},
    permission::{Permission, Purpose},
    words::words,
};

/// An entry with its opening.
type EntryWithOpening = Result<(Entry, Opening), LedgerError>;

// Sets are committed to in one order, so that equal sets have equal texts.
fn sorted(texts: &[String]) -> Value {
    let mut texts: Vec<_> = texts.iter().map(String::as_str).collect();
    texts.sort_unstable();
    texts.dedup();
    texts.into()
}

/// An answer with a subject's data, about to be released to a bank.
#[derive(Debug, Clone)]
pub struct DisclosureFacts {
    /// The disclosure, fixed when the answer was rendered.
    pub id: DisclosureId,
    /// When it was rendered.
    pub at: Timestamp,
    pub client_id: ClientId,
    /// The consent it was given under.
    pub consent_id: ConsentId,
    /// The version of the consent that was checked.
    pub consent_version: i64,
    /// The subject's unified social credit code, where it has one.
    pub uscc: Option<String>,
    /// The national codes of the subjects in the answer.
    pub codes: Vec<String>,
    /// The purpose the bank gave.
    pub purpose: Purpose,
    /// The permissions used.
    pub what: Vec<Permission>,
    /// First and last month of the data, where it has months.
    pub period: Option<(Month, Month)>,
    /// The number of the published grades in force.
    pub publication: i64,
    /// The answer's `Content-Digest` field value; none for a refusal that says something of a subject.
    pub content_digest: Option<String>,
    pub interaction: String,
}

impl DisclosureFacts {
    /// Makes the entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let mut what: Vec<_> = self.what.iter().map(|permission| permission.as_str()).collect();
        what.sort_unstable();
        what.dedup();
        let values = Values::from([
            ("client", json!(self.client_id)),
            ("codes", sorted(&self.codes)),
            ("consent", json!(self.consent_id)),
            ("consent_version", json!(self.consent_version)),
            ("content_digest", json!(self.content_digest)),
            ("interaction", json!(self.interaction)),
            ("period", self.period.map_or(Value::Null, |(from, to)| json!({ "from": from, "to": to }))),
            ("publication", json!(self.publication)),
            ("purpose", json!(self.purpose.as_str())),
            ("uscc", json!(self.uscc)),
            ("what", json!(what)),
        ]);
        Ok(make(EntryType::Disclosure, self.id.to_string(), self.at, Contents::hidden(values), entropy)?)
    }
}

/// Disclosures about to be released to a bank in one body. Each has an entry of its own; this one records the body.
#[derive(Debug, Clone)]
pub struct DeliveryFacts {
    /// The delivery, fixed when its body was rendered.
    pub id: DisclosureId,
    /// When it was rendered.
    pub at: Timestamp,
    pub client_id: ClientId,
    /// The purpose the bank gave.
    pub purpose: Purpose,
    /// The permissions used by all lines together.
    pub what: Vec<Permission>,
    /// The month of the data.
    pub month: Month,
    /// Number of disclosures in the body.
    pub lines: usize,
    /// Number of consents of the page without a disclosure.
    pub refused: usize,
    /// The body's `Content-Digest` field value.
    pub content_digest: String,
    /// The answer's `x-fapi-interaction-id`; every line's entry has the same.
    pub interaction: String,
}

impl DeliveryFacts {
    /// Makes the entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let mut what: Vec<_> = self.what.iter().map(|permission| permission.as_str()).collect();
        what.sort_unstable();
        what.dedup();
        let values = Values::from([
            ("client", json!(self.client_id)),
            ("content_digest", json!(self.content_digest)),
            ("interaction", json!(self.interaction)),
            ("lines", json!(self.lines)),
            ("period", json!({ "from": self.month, "to": self.month })),
            ("purpose", json!(self.purpose.as_str())),
            ("refused", json!(self.refused)),
            ("what", json!(what)),
        ]);
        Ok(make(EntryType::Delivery, self.id.to_string(), self.at, Contents::hidden(values), entropy)?)
    }
}

/// A change of a consent's state or terms.
#[derive(Debug, Clone)]
pub struct ConsentFacts {
    /// The entry's id.
    pub id: EntryId,
    pub at: Timestamp,
    /// `requested`, `granted`, `suspended`, `resumed`, `amended`, `revoked`, `expired`, `superseded` or `rejected`.
    pub event: &'static str,
    /// Who did it: `bank:cli_…`, `operator:…`, `subject:…` or `system`.
    pub actor: String,
    /// What changed: member -> value, or [old, new].
    pub changes: Value,
    /// The channel by which the change was made.
    pub channel: String,
    pub client_id: ClientId,
    /// The codes it covers.
    pub codes: Vec<String>,
    pub consent_id: ConsentId,
    /// Its version after the event.
    pub consent_version: i64,
    /// Hex SHA-256 of the evidence, such as the signed text.
    pub evidence: Option<String>,
    /// The reason given.
    pub reason: Option<String>,
    /// The subject's unified social credit code.
    pub uscc: String,
}

impl ConsentFacts {
    /// Makes the entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let values = Values::from([
            ("actor", json!(self.actor)),
            ("changes", self.changes),
            ("channel", json!(self.channel)),
            ("client", json!(self.client_id)),
            ("codes", sorted(&self.codes)),
            ("consent", json!(self.consent_id)),
            ("consent_version", json!(self.consent_version)),
            ("evidence", json!(self.evidence)),
            ("reason", json!(self.reason)),
            ("uscc", json!(self.uscc)),
        ]);
        let facts = Values::from([("event", json!(self.event))]);
        Ok(make(EntryType::Consent, self.id.to_string(), self.at, Contents { facts, values }, entropy)?)
    }
}

/// An act by somebody or by the gateway that changed something.
#[derive(Debug, Clone)]
pub(super) struct OperatorFacts {
    /// The entry's id.
    pub(super) id: EntryId,
    pub(super) at: Timestamp,
    /// What was done, a word such as `client_suspended`.
    pub(super) action: &'static str,
    pub(super) actor: String,
    /// Further particulars, a JSON object.
    pub(super) detail: Value,
    /// The reason given.
    pub(super) reason: Option<String>,
    /// The object of the act, such as a client's id.
    pub(super) target: Option<String>,
}

impl OperatorFacts {
    /// Makes the entry and its opening.
    pub(super) fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let values = Values::from([
            ("actor", json!(self.actor)),
            ("detail", self.detail),
            ("reason", json!(self.reason)),
            ("target", json!(self.target)),
        ]);
        let facts = Values::from([("action", json!(self.action))]);
        Ok(make(EntryType::Operator, self.id.to_string(), self.at, Contents { facts, values }, entropy)?)
    }
}

/// One person's decision on another person's request.
#[derive(Debug, Clone)]
pub struct ApprovalFacts {
    /// The entry's id.
    pub id: EntryId,
    pub at: Timestamp,
    /// The requested action, a word such as `client_resumed`.
    pub action: &'static str,
    /// Whether it was approved.
    pub approved: bool,
    pub actor: String,
    /// Further particulars, a JSON object.
    pub detail: Value,
    /// The reason given.
    pub reason: Option<String>,
    pub request: String,
    /// The object of the request.
    pub target: Option<String>,
}

impl ApprovalFacts {
    /// Makes the entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let values = Values::from([
            ("actor", json!(self.actor)),
            ("detail", self.detail),
            ("reason", json!(self.reason)),
            ("request", json!(self.request)),
            ("target", json!(self.target)),
        ]);
        let decision = if self.approved { "approved" } else { "refused" };
        let facts = Values::from([("action", json!(self.action)), ("decision", json!(decision))]);
        Ok(make(EntryType::Approval, self.id.to_string(), self.at, Contents { facts, values }, entropy)?)
    }
}

words! {
    /// The legal ground for erasing openings.
    ErasureGround: "ground of an erasure" {
        /// The retention period has ended.
        RetentionEnded = "retention_ended",
        /// A subject has a right to it and requested it.
        SubjectRequest = "subject_request",
        /// An authority ordered it.
        Order = "order",
    }
}

/// An erasure of openings.
#[derive(Debug, Clone)]
pub struct ErasureFacts {
    /// The entry's id.
    pub id: EntryId,
    pub at: Timestamp,
    /// The entries whose openings are erased: 1 to 1000.
    pub entries: Vec<String>,
    /// The legal ground.
    pub ground: ErasureGround,
    pub actor: String,
    /// The reason in words.
    pub reason: Option<String>,
}

impl ErasureFacts {
    /// Makes the entry and its opening.
    pub(super) fn into_entry(self, entropy: &dyn Entropy) -> EntryWithOpening {
        let values = Values::from([("actor", json!(self.actor)), ("reason", json!(self.reason))]);
        let facts = Values::from([("entries", sorted(&self.entries)), ("ground", json!(self.ground.as_str()))]);
        Ok(make(EntryType::Erasure, self.id.to_string(), self.at, Contents { facts, values }, entropy)?)
    }
}

//! What each type of entry is made of. A struct per type, so that no field can be forgotten or invented.

use serde_json::{Value, json};

use super::{
    LedgerError,
    entry::{Entry, EntryType, Opening, Values, make},
};
use crate::domain::{
    Entropy, Month, Timestamp,
    ids::{ClientId, ConsentId, DisclosureId, EntryId},
    permission::{Permission, Purpose},
    words::words,
};

/// Both halves of an entry.
type Made = Result<(Entry, Opening), LedgerError>;

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
    /// The bank.
    pub client_id: ClientId,
    /// The consent it rests on.
    pub consent_id: ConsentId,
    /// The consent's version that was checked.
    pub consent_version: i64,
    /// The subject's unified social credit code, where it has one.
    pub uscc: Option<String>,
    /// The national codes answered about.
    pub codes: Vec<String>,
    /// What the bank reads for.
    pub purpose: Purpose,
    /// The permissions used.
    pub what: Vec<Permission>,
    /// First and last month of the data, where it has months.
    pub period: Option<(Month, Month)>,
    /// The number of the published grades in force.
    pub publication: i64,
    /// The answer's `Content-Digest` field value.
    pub content_digest: String,
    /// The answer's `x-fapi-interaction-id`.
    pub interaction: String,
}

impl DisclosureFacts {
    /// The entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> Made {
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
        Ok(make(EntryType::Disclosure, self.id.to_string(), self.at, (Values::new(), values), entropy)?)
    }
}

/// Answers of one moment, about to be released to a bank together. Each of them is a disclosure of its own; this one
/// binds them into the body that left.
#[derive(Debug, Clone)]
pub struct DeliveryFacts {
    /// The delivery, fixed when its body was rendered.
    pub id: DisclosureId,
    /// When it was rendered.
    pub at: Timestamp,
    /// The bank.
    pub client_id: ClientId,
    /// What the bank reads for.
    pub purpose: Purpose,
    /// The permissions used, over all lines.
    pub what: Vec<Permission>,
    /// The month of the data.
    pub month: Month,
    /// How many disclosures are in the body.
    pub lines: usize,
    /// For how many consents of the page none is.
    pub refused: usize,
    /// The body's `Content-Digest` field value.
    pub content_digest: String,
    /// The answer's `x-fapi-interaction-id`; every line's entry has the same.
    pub interaction: String,
}

impl DeliveryFacts {
    /// The entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> Made {
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
        Ok(make(EntryType::Delivery, self.id.to_string(), self.at, (Values::new(), values), entropy)?)
    }
}

/// A consent changed its state or its terms.
#[derive(Debug, Clone)]
pub struct ConsentFacts {
    /// The entry.
    pub id: EntryId,
    /// When.
    pub at: Timestamp,
    /// `requested`, `granted`, `suspended`, `resumed`, `amended`, `revoked`, `expired`, `superseded` or `rejected`.
    pub event: &'static str,
    /// Who did it: `bank:cli_…`, `operator:…`, `subject:…` or `system`.
    pub actor: String,
    /// What changed: member -> value, or [former, present].
    pub changes: Value,
    /// By which way it came.
    pub channel: String,
    /// The bank.
    pub client_id: ClientId,
    /// The codes it covers.
    pub codes: Vec<String>,
    /// The consent.
    pub consent_id: ConsentId,
    /// Its version after the event.
    pub consent_version: i64,
    /// Hex SHA-256 of the evidence, such as the signed text.
    pub evidence: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The subject's unified social credit code.
    pub uscc: String,
}

impl ConsentFacts {
    /// The entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> Made {
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
        Ok(make(EntryType::Consent, self.id.to_string(), self.at, (facts, values), entropy)?)
    }
}

/// An operator did something that must not be denied later.
#[derive(Debug, Clone)]
pub(super) struct OperatorFacts {
    /// The entry.
    pub(super) id: EntryId,
    /// When.
    pub(super) at: Timestamp,
    /// What was done, a word such as `client_suspended`.
    pub(super) action: &'static str,
    /// Who did it.
    pub(super) actor: String,
    /// Whatever else belongs to it: an object.
    pub(super) detail: Value,
    /// Why.
    pub(super) reason: Option<String>,
    /// To what.
    pub(super) target: Option<String>,
}

impl OperatorFacts {
    /// The entry and its opening.
    pub(super) fn into_entry(self, entropy: &dyn Entropy) -> Made {
        let values = Values::from([
            ("actor", json!(self.actor)),
            ("detail", self.detail),
            ("reason", json!(self.reason)),
            ("target", json!(self.target)),
        ]);
        let facts = Values::from([("action", json!(self.action))]);
        Ok(make(EntryType::Operator, self.id.to_string(), self.at, (facts, values), entropy)?)
    }
}

/// One person decided on what another asked for.
#[derive(Debug, Clone)]
pub struct ApprovalFacts {
    /// The entry.
    pub id: EntryId,
    /// When.
    pub at: Timestamp,
    /// What was asked for, a word such as `client_resumed`.
    pub action: &'static str,
    /// Whether it was approved.
    pub approved: bool,
    /// Who decided.
    pub actor: String,
    /// Whatever else belongs to it: an object.
    pub detail: Value,
    /// Why.
    pub reason: Option<String>,
    /// Who asked.
    pub request: String,
    /// For what.
    pub target: Option<String>,
}

impl ApprovalFacts {
    /// The entry and its opening.
    pub fn into_entry(self, entropy: &dyn Entropy) -> Made {
        let values = Values::from([
            ("actor", json!(self.actor)),
            ("detail", self.detail),
            ("reason", json!(self.reason)),
            ("request", json!(self.request)),
            ("target", json!(self.target)),
        ]);
        let decision = if self.approved { "approved" } else { "refused" };
        let facts = Values::from([("action", json!(self.action)), ("decision", json!(decision))]);
        Ok(make(EntryType::Approval, self.id.to_string(), self.at, (facts, values), entropy)?)
    }
}

words! {
    /// Why openings may be erased.
    ErasureGround: "ground of an erasure" {
        /// They were kept as long as they had to be.
        RetentionEnded = "retention_ended",
        /// A subject asked, with right.
        SubjectRequest = "subject_request",
        /// An authority ordered it.
        Order = "order",
    }
}

/// Openings are erased.
#[derive(Debug, Clone)]
pub struct ErasureFacts {
    /// The entry.
    pub id: EntryId,
    /// When.
    pub at: Timestamp,
    /// The entries whose openings go: 1 to 1000.
    pub entries: Vec<String>,
    /// By what right.
    pub ground: ErasureGround,
    /// Who did it.
    pub actor: String,
    /// Why, in words.
    pub reason: Option<String>,
}

impl ErasureFacts {
    /// The entry and its opening.
    pub(super) fn into_entry(self, entropy: &dyn Entropy) -> Made {
        let values = Values::from([("actor", json!(self.actor)), ("reason", json!(self.reason))]);
        let facts = Values::from([("entries", sorted(&self.entries)), ("ground", json!(self.ground.as_str()))]);
        Ok(make(EntryType::Erasure, self.id.to_string(), self.at, (facts, values), entropy)?)
    }
}

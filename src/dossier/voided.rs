//! The facts of a subject that were taken back, and adverse facts whose consequences ended.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::{
    domain::{Day, Timestamp, document_of},
    store::{dossier::AdverseRow, voids::VoidRow},
};

/// A decision about the fact of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VoidedFact {
    pub measure: String,
    /// The reference of the fact.
    pub reference: String,
    pub reason: String,
    pub decided_on: String,
    /// The reference of the decision.
    pub decision: Option<String>,
    /// Whether the fact was restored by this decision, and not taken back.
    pub restored: bool,
    /// Whether a later decision about the same document replaced this one.
    pub replaced: bool,
    /// The number of the import.
    pub import: i64,
    /// When it was accepted.
    pub at: Option<Timestamp>,
}

/// The decisions about a subject's facts, and which documents are void now.
#[derive(Debug, Default)]
pub(super) struct Voids {
    pub(super) decisions: Vec<VoidedFact>,
    /// Whether the last decision about a measure's document took it back.
    last: BTreeMap<(String, String), bool>,
}

impl Voids {
    /// From rows in the order of acceptance. Decisions are listed latest first.
    pub(super) fn of(rows: Vec<VoidRow>) -> Self {
        let mut voids = Self::default();
        for row in rows.into_iter().rev() {
            let key = (row.measure.clone(), row.document);
            let replaced = voids.last.contains_key(&key);
            voids.last.entry(key).or_insert(row.restored == 0);
            voids.decisions.push(VoidedFact {
                measure: row.measure,
                reference: row.reference,
                reason: row.reason,
                decided_on: row.decided_on,
                decision: row.decision,
                restored: row.restored != 0,
                replaced,
                import: row.import_seq,
                at: row.accepted_at.map(Timestamp::from_micros),
            });
        }
        voids
    }

    /// Whether the fact of a document is taken back.
    pub(super) fn has(&self, measure: &str, reference: &str) -> bool {
        // Most subjects have none, and a file has many facts.
        !self.last.is_empty()
            && self.last.get(&(measure.to_owned(), document_of(reference).into_owned())).is_some_and(|void| *void)
    }
}

/// Why an adverse fact no longer counts on a day.
pub(super) fn ended(row: &AdverseRow, today: Day) -> Option<&'static str> {
    match row.status.as_str() {
        "repaired" => Some("repaired"),
        "withdrawn" => Some("withdrawn"),
        // Days are written so that they sort as text.
        _ => row.latest_end_on.as_ref().is_some_and(|end| *end < today.to_string()).then_some("over"),
    }
}

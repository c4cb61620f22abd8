//! Events of one document in a file are one fact, whatever their days and sources; and documents that were taken back are
//! reported. Both concern few rows: events are looked at by the hash of their document, and other facts not at all.

use std::collections::{HashMap, HashSet};

use super::{
    CheckedFact, Dictionary,
    spill::{Spilled, day_of},
};
use crate::{
    domain::{Day, document_of},
    facts::document_hash,
    importing::findings::{Code, Finding, Severity},
    store::voids::VoidRow,
};

/// The document of an event in a chunk, and where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::importing) struct EventDocument {
    pub(in crate::importing) hash: u64,
    pub(in crate::importing) line: u64,
}

/// The text that distinguishes an event from others of its subject and measure: its document, or its day, if a second one of
/// the day counts as the same; `None` for facts that are no events, and for events that each count.
pub(in crate::importing) fn event_key(reference: &str, day: Day, repeats: bool) -> Option<String> {
    let document = document_of(reference);
    if !document.is_empty() {
        return Some(document.into_owned());
    }
    // No document has a line break, so a day is none.
    (!repeats).then(|| format!("\n{day}"))
}

/// Whether the key of an event is a day and not a document.
pub(in crate::importing) fn is_day(key: &str) -> bool {
    key.starts_with('\n')
}

/// A finding about a row whose event is one that was reported before.
pub(in crate::importing) fn reported_before(line: u64, key: &str, former: &str) -> Finding {
    let (code, message) = if is_day(key) {
        (Code::Repetition, format!("looks like a repetition of {former}, which names no document either; counted once"))
    } else {
        (Code::SameDocument, format!("is the document of {former}: one act is counted once"))
    };
    Finding { line, column: "reference", code, severity: Severity::Warning, message }
}

/// The documents that were taken back, by the numbers of subject and measure.
#[derive(Debug, Default)]
pub(super) struct VoidedDocuments(HashMap<u32, HashSet<(u16, String)>>);

impl VoidedDocuments {
    /// From the decisions in the order of acceptance: the last one of a document decides.
    pub(super) fn of(rows: Vec<VoidRow>, dictionary: &Dictionary) -> Self {
        let mut voided = Self::default();
        for row in rows {
            let subject = dictionary.subject(&row.subject_code);
            let Some((subject, measure)) = subject.zip(dictionary.measure_number(&row.measure)) else { continue };
            let of_subject = voided.0.entry(subject).or_default();
            if row.restored == 0 {
                of_subject.insert((measure, row.document));
            } else {
                of_subject.remove(&(measure, row.document));
            }
        }
        voided
    }

    /// The finding about a fact whose document was taken back.
    pub(super) fn finding(&self, fact: &CheckedFact<'_>) -> Option<Finding> {
        // Nearly always there is none, and every row of a file is asked about.
        if self.0.is_empty() {
            return None;
        }
        let documents = self.0.get(&fact.subject)?;
        documents.contains(&(fact.measure, document_of(fact.reference).into_owned())).then(|| Finding {
            line: fact.line,
            column: "reference",
            code: Code::VoidedDocument,
            severity: Severity::Warning,
            message: "the document was taken back; the row is stored and does not count until the fact is restored"
                .into(),
        })
    }
}

/// The events of a partition with the hashes of what distinguishes them.
pub(super) struct Events<'a> {
    pub(super) dictionary: &'a Dictionary,
    /// The reference of a fact.
    pub(super) reference: &'a dyn Fn(&Spilled) -> &'a str,
    /// The source of a fact.
    pub(super) source: &'a dyn Fn(&Spilled) -> &'a str,
}

impl Events<'_> {
    fn key(&self, fact: &Spilled) -> Option<String> {
        let kind = self.dictionary.kind_of(fact.subject)?;
        let rule = self.dictionary.event(kind, fact.measure)?;
        event_key((self.reference)(fact), day_of(fact.day), rule.repeats)
    }

    /// The hash of an event.
    pub(super) fn document(&self, fact: &Spilled) -> Option<EventDocument> {
        let key = self.key(fact)?;
        let (code, measure) = (self.dictionary.code(fact.subject), self.dictionary.measure_id(fact.measure));
        Some(EventDocument { hash: document_hash(code, measure, &key), line: fact.line })
    }

    /// Whether each of two equal rows is a fact of its own.
    pub(super) fn repeats(&self, fact: &Spilled) -> bool {
        let kind = self.dictionary.kind_of(fact.subject);
        kind.and_then(|kind| self.dictionary.event(kind, fact.measure)).is_some_and(|rule| rule.repeats)
            && document_of((self.reference)(fact)).is_empty()
    }

    /// Removes all but one of the events of a document, and returns a finding for each that was removed. It depends on
    /// content alone which one stays: the earliest day, because others report an act later; then the lesser source.
    pub(super) fn merge(&self, facts: &mut Vec<Spilled>) -> Vec<Finding> {
        let mut events: Vec<(u64, usize)> =
            facts.iter().enumerate().filter_map(|(at, fact)| Some((self.document(fact)?.hash, at))).collect();
        events.sort_unstable();
        let mut removed = HashSet::new();
        let mut findings = Vec::new();
        for same in events.chunk_by(|one, other| one.0 == other.0).filter(|same| same.len() > 1) {
            self.merge_one(facts, same, &mut removed, &mut findings);
        }
        if !removed.is_empty() {
            let mut at = 0;
            facts.retain(|_| {
                at += 1;
                !removed.contains(&(at - 1))
            });
        }
        findings
    }

    /// Merges events with one hash.
    fn merge_one(
        &self,
        facts: &[Spilled],
        same: &[(u64, usize)],
        removed: &mut HashSet<usize>,
        findings: &mut Vec<Finding>,
    ) {
        // Two documents may have one hash, so they are compared.
        let mut kept: HashMap<(u32, u16, String), usize> = HashMap::new();
        let order = |fact: &Spilled| (fact.day, (self.source)(fact).to_owned(), fact.line);
        let mut ordered: Vec<(usize, &Spilled)> =
            same.iter().filter_map(|(_, at)| Some((*at, facts.get(*at)?))).collect();
        ordered.sort_by_key(|(_, fact)| order(fact));
        for (at, fact) in ordered {
            let Some(key) = self.key(fact) else { continue };
            let first = *kept.entry((fact.subject, fact.measure, key.clone())).or_insert(at);
            let Some(first) = facts.get(first).filter(|_| first != at) else { continue };
            let former = format!("line {} ({})", first.line, day_of(first.day));
            findings.push(reported_before(fact.line, &key, &former));
            removed.insert(at);
        }
    }
}

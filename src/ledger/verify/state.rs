//! Reconciles consents, their events, versions and counted answers with the entries: what no entry explains was changed by
//! somebody who can write to the tables.
//!
//! Entries are read before the tables, so the tables have at least as much. Where they have more, the entries written
//! meanwhile are read, and decide.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use serde_json::Value;

use super::{
    PAGE,
    history::{Erased, History, HistoryMark},
    order::ReadOrder,
    report::Report,
};
use crate::{
    domain::Timestamp,
    ledger::{
        entry::{EntryType, ReadEntry},
        error::LedgerError,
    },
    store::{
        Db,
        consent_audit::{self, StoredConsent},
        ledger::audit::{self, LeafRow},
    },
};

/// What a verification of the state needs to know.
#[derive(Debug, Clone, Copy)]
pub struct StateCheck {
    pub now: Timestamp,
    /// Receipts promise sealing within this time.
    pub sealed_within: Duration,
}

impl StateCheck {
    /// Whether an entry that is not sealed has a receipt whose promise is broken. Acts of operators have no receipt.
    pub(super) fn is_overdue(&self, entry: &ReadEntry) -> bool {
        matches!(entry.kind, EntryType::Disclosure | EntryType::Delivery)
            && entry.at.plus(self.sealed_within) < self.now
    }
}

/// What the entries say of consents.
#[derive(Debug, Default)]
pub(super) struct State {
    consents: HashMap<String, History>,
    order: ReadOrder,
    erased: Erased,
    /// Entries that were read before they were sealed.
    waiting: HashSet<String>,
}

/// A consent of which the tables have more than the entries read so far.
struct Ahead {
    stored: StoredConsent,
    known: HistoryMark,
}

impl State {
    /// Notes an entry in the order of reading; before [`State::entry`].
    pub(super) fn read(&mut self, entry: &ReadEntry) {
        self.order.add(entry.at);
    }

    /// Adds an entry whose opening fits its commitments.
    pub(super) fn entry(&mut self, entry: &ReadEntry, values: &BTreeMap<String, Value>) {
        let Some(consent) = values.get("consent").and_then(Value::as_str) else { return };
        let history = self.consents.entry(consent.to_owned()).or_default();
        match entry.kind {
            EntryType::Consent => history.event(entry, values),
            EntryType::Disclosure => history.answer(entry.at, self.order.position),
            EntryType::Delivery | EntryType::Approval | EntryType::Operator | EntryType::Erasure => {}
        }
    }

    /// Counts an entry without an opening.
    pub(super) const fn without_opening(&mut self, kind: EntryType) {
        match kind {
            EntryType::Consent => self.erased.events += 1,
            EntryType::Disclosure => self.erased.answers += 1,
            EntryType::Delivery | EntryType::Approval | EntryType::Operator | EntryType::Erasure => {}
        }
    }

    /// Remembers an entry that waits to be sealed: read again as a leaf, it must not count twice.
    pub(super) fn waiting(&mut self, id: &str) {
        self.waiting.insert(id.to_owned());
    }

    /// Compares the tables with the entries. `leaves` is the number of leaves that were read.
    pub(super) async fn compare(mut self, db: &Db, leaves: i64, report: &mut Report) -> Result<(), LedgerError> {
        let (mut after, mut ahead) = (String::new(), Vec::new());
        let mut missing: BTreeSet<String> = self.consents.keys().cloned().collect();
        let unknown = History::default();
        loop {
            let page = consent_audit::page(db, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.row.id);
            for stored in page {
                missing.remove(&stored.row.id);
                report.consents += 1;
                report.answers += stored.counted.as_ref().map_or(0, |row| u64::try_from(row.used).unwrap_or(0));
                let history = self.consents.get(&stored.row.id).unwrap_or(&unknown);
                let known = history.known();
                if history.is_behind(&stored, &self.erased) {
                    ahead.push(Ahead { stored, known });
                } else {
                    history.compare(&stored, known, (&mut self.erased, &self.order), report);
                }
            }
        }
        for id in missing {
            report.wrong(format!("consent {id}"), "the ledger knows it, and it was removed");
        }
        if !ahead.is_empty() {
            self.read_later(db, leaves).await?;
        }
        for Ahead { stored, known } in ahead {
            let history = self.consents.get(&stored.row.id).unwrap_or(&unknown);
            history.compare(&stored, known, (&mut self.erased, &self.order), report);
        }
        Ok(())
    }

    /// Reads the entries that were committed since the first reading.
    async fn read_later(&mut self, db: &Db, leaves: i64) -> Result<(), LedgerError> {
        // Those that wait first: one that is sealed meanwhile is then among the leaves, and counts once.
        let mut after = String::new();
        loop {
            let page = audit::outside_tree(db, &after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after.clone_from(&last.entry_id);
            self.later(&page);
        }
        let mut from = leaves;
        loop {
            let page = audit::leaves(db, from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.leaf_index + 1;
            self.later(&page);
        }
    }

    /// Adds entries that a later verification checks in every respect.
    fn later(&mut self, page: &[LeafRow]) {
        for row in page {
            if !self.waiting.insert(row.entry_id.clone()) {
                continue;
            }
            let Some(Ok(entry)) = row.body.as_deref().map(ReadEntry::parse) else { continue };
            self.read(&entry);
            match row.opening.as_deref().map(|opening| entry.open(opening)) {
                Some(Ok(values)) => self.entry(&entry, &values),
                Some(Err(_)) => {}
                None => self.without_opening(entry.kind),
            }
        }
    }
}

//! Entries and openings: each text against its leaf, each opening against its commitments, each gap against an erasure.

use std::collections::HashSet;

use serde_json::Value;

use super::{PAGE, Report};
use crate::{
    ledger::{LedgerError, entry::ReadEntry},
    merkle::{Hash, leaf_hash},
    store::{
        Db,
        ledger::{audit, seal},
    },
};

/// What has been seen so far.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Entries whose openings are gone.
    missing: HashSet<String>,
    /// Entries whose openings an erasure entry says are gone.
    erased: HashSet<String>,
}

impl Entries {
    /// Checks an entry that a leaf stands for, and returns the hash of its text.
    pub(super) fn leaf(&mut self, row: &audit::LeafRow, report: &mut Report) -> Option<Hash> {
        let place = format!("entry {} (leaf {})", row.entry_id, row.leaf_index);
        self.entry(row, &place, report)
    }

    fn entry(&mut self, row: &audit::LeafRow, place: &str, report: &mut Report) -> Option<Hash> {
        let Some(body) = &row.body else {
            report.wrong(place, "the entry was removed");
            return None;
        };
        let leaf = leaf_hash(body.as_bytes());
        if row.leaf_hash.as_deref() != Some(leaf.as_slice()) {
            report.wrong(place, "its text does not hash to the leaf beside it: one of them was changed");
        }
        let entry = match ReadEntry::parse(body) {
            Ok(entry) => entry,
            Err(fault) => {
                report.wrong(place, fault.to_string());
                return Some(leaf);
            }
        };
        if entry.id != row.entry_id || row.kind.as_deref() != Some(entry.kind.as_str()) {
            report.wrong(place, "its text is of another id or type than the row");
        }
        self.erased.extend(entry.erased().map(str::to_owned));
        self.opening(row, &entry, place, report);
        Some(leaf)
    }

    fn opening(&mut self, row: &audit::LeafRow, entry: &ReadEntry, place: &str, report: &mut Report) {
        let Some(opening) = &row.opening else {
            self.missing.insert(row.entry_id.clone());
            return;
        };
        match entry.open(opening) {
            Err(fault) => report.wrong(place, format!("its opening was changed: {fault}")),
            Ok(values) => {
                let value = |name: &str| values.get(name).and_then(Value::as_str);
                if row.client_id.as_deref() != value("client") || row.consent_id.as_deref() != value("consent") {
                    report.wrong(place, "the bank or the consent beside its opening was changed");
                } else {
                    report.openings += 1;
                }
            }
        }
    }

    /// Checks what no leaf stands for, and that every gap is backed.
    pub(super) async fn finish(mut self, db: &Db, leaves: i64, report: &mut Report) -> Result<(), LedgerError> {
        self.outside_tree(db, report).await?;
        for stray in audit::stray(db).await? {
            report.wrong(stray, "it belongs to no entry, or to one that is in the tree already");
        }
        if self.missing.iter().any(|id| !self.erased.contains(id)) {
            // Erased while this was running: the entry that backs it was sealed behind the leaves looked at.
            self.later_erasures(db, leaves).await?;
        }
        for id in &self.missing {
            if self.erased.contains(id) {
                report.erased += 1;
            } else {
                report.wrong(format!("entry {id}"), "its opening was removed, and no erasure entry says so");
            }
        }
        for id in self.erased.difference(&self.missing) {
            match seal::placed(db, id).await? {
                // Erased since it was looked at.
                Some(row) if row.opening.is_none() => report.erased += 1,
                Some(_) => {
                    report.wrong(format!("entry {id}"), "its opening is there although an entry says it was erased");
                }
                None => report.wrong(format!("entry {id}"), "an erasure names it and it is not there"),
            }
        }
        Ok(())
    }

    async fn outside_tree(&mut self, db: &Db, report: &mut Report) -> Result<(), LedgerError> {
        let mut after = String::new();
        loop {
            let page = audit::outside_tree(db, &after, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.entry_id);
            for row in page {
                let place = format!("entry {} (not in the tree)", row.entry_id);
                if row.leaf_index < 0 {
                    report.wrong(
                        &place,
                        "it does not wait for the sealer either: it was taken from the queue or the tree",
                    );
                } else {
                    report.waiting += 1;
                }
                self.entry(&row, &place, report);
            }
        }
    }

    async fn later_erasures(&mut self, db: &Db, mut from: i64) -> Result<(), LedgerError> {
        loop {
            let page = audit::leaves(db, from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.leaf_index + 1;
            let texts =
                page.iter().filter(|row| row.kind.as_deref() == Some("erasure")).filter_map(|row| row.body.as_ref());
            for entry in texts.filter_map(|body| ReadEntry::parse(body).ok()) {
                self.erased.extend(entry.erased().map(str::to_owned));
            }
        }
    }
}

//! Verification of entries and openings: each text against its leaf, each opening against its commitments, each missing
//! opening against an erasure entry.

use std::{collections::HashSet, time::Duration};

use serde_json::Value;

use super::{
    PAGE,
    report::Report,
    state::{State, StateCheck},
};
use crate::{
    domain::ids::{self, DisclosureId, EntryId},
    ledger::{entry::ReadEntry, error::LedgerError},
    merkle::{Hash, leaf_hash},
    store::{
        Db,
        ledger::{audit, seal},
    },
};

/// How much older than a sealed entry one may be that is not sealed yet: far more than a gateway that works leaves waiting.
/// What was lost longer ago was found by the verification before.
const LONGEST_WAIT: Duration = Duration::from_hours(48);

/// Missing and erased openings found so far.
#[derive(Debug, Default)]
pub(super) struct Entries {
    /// Entries without an opening.
    missing: HashSet<String>,
    /// Entries whose openings were erased according to an erasure entry.
    erased: HashSet<String>,
    /// What the entries say of consents.
    pub(super) state: State,
    /// With it, entries are reported that are not sealed by their promised time.
    check: Option<StateCheck>,
}

impl Entries {
    pub(super) fn new(check: Option<StateCheck>) -> Self {
        Self { check, ..Self::default() }
    }

    /// Checks the entry of a leaf and returns the hash of its text.
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
            report.wrong(place, "its text does not hash to the leaf hash in its row: one of them was changed");
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
        self.state.read(&entry);
        self.opening(row, &entry, place, report);
        Some(leaf)
    }

    fn opening(&mut self, row: &audit::LeafRow, entry: &ReadEntry, place: &str, report: &mut Report) {
        let Some(opening) = &row.opening else {
            self.missing.insert(row.entry_id.clone());
            self.state.without_opening(entry.kind);
            return;
        };
        match entry.open(opening) {
            Err(fault) => report.wrong(place, format!("its opening was changed: {fault}")),
            Ok(values) => {
                let value = |name: &str| values.get(name).and_then(Value::as_str);
                // Both columns repeat values of the opening: a bank's entries are found by them.
                if row.client_id.as_deref() != value("client") || row.consent_id.as_deref() != value("consent") {
                    report.wrong(place, "the bank or the consent in its opening's row was changed");
                } else {
                    report.openings += 1;
                    self.state.entry(entry, &values);
                }
            }
        }
    }

    /// Checks entries without a leaf, and that an erasure entry accounts for every missing opening. Where the leaves were read
    /// after a verified one only, so are these: its entry is `verified`.
    pub(super) async fn finish(
        &mut self,
        db: &Db,
        leaves: i64,
        verified: Option<&str>,
        report: &mut Report,
    ) -> Result<(), LedgerError> {
        // After the leaves: an entry sealed meanwhile is then in neither list, which is harmless. Read before, it would
        // be counted as waiting and again as a leaf.
        if let Some(suffix) = verified.and_then(|id| ids::suffix_before(id, LONGEST_WAIT)) {
            for prefix in [DisclosureId::PREFIX, EntryId::PREFIX] {
                // Ids begin with a digit: in every collation they sort before a letter.
                self.outside_tree(db, &format!("{prefix}_{suffix}"), &format!("{prefix}_z"), report).await?;
            }
        } else {
            self.outside_tree(db, "", "z", report).await?;
            for stray in audit::stray(db).await? {
                report.wrong(stray, "it belongs to no entry, or to one that is in the tree already");
            }
        }
        if self.missing.iter().any(|id| !self.erased.contains(id)) {
            // Erased during the verification: the erasure entry was sealed after the leaves that were read.
            self.later_erasures(db, leaves).await?;
        }
        for id in &self.missing {
            if self.erased.contains(id) {
                report.erased += 1;
            } else {
                report.wrong(format!("entry {id}"), "its opening was removed, and no erasure entry accounts for it");
            }
        }
        // The other direction: an erasure that names an opening which still exists, or an entry that never did.
        for id in self.erased.difference(&self.missing) {
            match seal::entry(db, id).await? {
                // Erased after it was read.
                Some(row) if row.opening.is_none() => report.erased += 1,
                Some(_) => {
                    report.wrong(format!("entry {id}"), "its opening exists although an entry records its erasure");
                }
                None => report.wrong(format!("entry {id}"), "an erasure names it and it does not exist"),
            }
        }
        Ok(())
    }

    async fn outside_tree(
        &mut self,
        db: &Db,
        from: &str,
        before: &str,
        report: &mut Report,
    ) -> Result<(), LedgerError> {
        let mut after = from.to_owned();
        loop {
            let page = audit::outside_tree_between(db, &after, before, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after.clone_from(&last.entry_id);
            for row in page {
                let place = format!("entry {} (not in the tree)", row.entry_id);
                if row.leaf_index < 0 {
                    report.wrong(
                        &place,
                        "it is not in the sealer's queue either: it was removed from the queue or the tree",
                    );
                } else {
                    report.waiting += 1;
                    self.state.waiting(&row.entry_id);
                    self.promised(&row, report);
                }
                self.entry(&row, &place, report);
            }
        }
    }

    /// Reports an entry that waits longer than its receipt promised.
    fn promised(&self, row: &audit::LeafRow, report: &mut Report) {
        let (Some(check), Some(body)) = (&self.check, &row.body) else { return };
        if let Some(entry) = ReadEntry::parse(body).ok().filter(|entry| check.is_overdue(entry)) {
            report.overdue(format!("entry {}", entry.id), entry.at.plus(check.sealed_within));
        }
    }

    async fn later_erasures(&mut self, db: &Db, mut from: i64) -> Result<(), LedgerError> {
        loop {
            let page = audit::leaves(db, from, PAGE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            from = last.leaf_index + 1;
            // Only this type erases: entries of the others are not parsed again.
            let texts =
                page.iter().filter(|row| row.kind.as_deref() == Some("erasure")).filter_map(|row| row.body.as_ref());
            for entry in texts.filter_map(|body| ReadEntry::parse(body).ok()) {
                self.erased.extend(entry.erased().map(str::to_owned));
            }
        }
    }
}

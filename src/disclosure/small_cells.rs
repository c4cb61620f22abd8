//! Small cells of settlements: months of few visits or persons, and revisions that would show the few by which they differ.
//!
//! A bank may have read any version of a month that was ever present, so the rule looks at all versions and at nobody's
//! readings: it holds for every bank and for banks that compare what they have.

use crate::store::settlements::SettlementRow;

/// Below these numbers a cell is small. Zero switches a rule off.
#[derive(Debug, Clone, Copy)]
pub struct SmallCells {
    /// The fewest visits (人次) of a cell.
    pub min_visits: i64,
    /// The fewest persons (人数) of a cell.
    pub min_persons: i64,
}

/// A month as it may be disclosed.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReleasedMonth<'a> {
    /// The version to disclose.
    pub(super) row: &'a SettlementRow,
    /// Whether its counts and amounts are withheld.
    pub(super) suppressed: bool,
    /// Whether a newer version exists that is withheld.
    pub(super) newer_withheld: bool,
}

impl SmallCells {
    /// What may be disclosed of each month. The rows are all versions, those of a month together and the oldest first.
    pub(super) fn release(self, versions: &[SettlementRow]) -> impl Iterator<Item = ReleasedMonth<'_>> {
        versions.chunk_by(SettlementRow::same_month).filter_map(move |month| self.release_month(month))
    }

    fn release_month(self, versions: &[SettlementRow]) -> Option<ReleasedMonth<'_>> {
        let newest = versions.last()?;
        // A small newest version is withheld, whatever came before it.
        if versions.len() == 1 || self.is_small(newest) {
            return Some(ReleasedMonth { row: newest, suppressed: self.is_small(newest), newer_withheld: false });
        }
        // What any bank can have read follows from the versions: nobody's readings are looked up.
        let mut disclosed: Vec<&SettlementRow> = Vec::new();
        for version in versions {
            let reveals = |earlier: &&SettlementRow| self.differ_by_few(earlier, version);
            if !self.is_small(version) && !disclosed.iter().any(reveals) {
                disclosed.push(version);
            }
        }
        // Never empty: the newest is not small, and is taken if nothing was taken before it.
        let row = disclosed.last().copied().unwrap_or(newest);
        Some(ReleasedMonth { row, suppressed: false, newer_withheld: row.version < newest.version })
    }

    fn is_small(self, row: &SettlementRow) -> bool {
        row.settlement.visits < self.min_visits || row.settlement.persons < self.min_persons
    }

    /// Whether two versions together show the figures of a few visits or persons. Versions of equal counts do not: a review
    /// changes amounts of any visits.
    fn differ_by_few(self, one: &SettlementRow, other: &SettlementRow) -> bool {
        let few = |one: i64, other: i64, fewest: i64| {
            let by = one.abs_diff(other);
            by > 0 && by < fewest.unsigned_abs()
        };
        let (one, other) = (&one.settlement, &other.settlement);
        few(one.visits, other.visits, self.min_visits) || few(one.persons, other.persons, self.min_persons)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        Fen,
        settlement::{Insurance, Settlement, SettlementStatus},
    };

    const TEN: SmallCells = SmallCells { min_visits: 10, min_persons: 10 };

    fn versions(counts: &[[i64; 2]]) -> Vec<SettlementRow> {
        (1..)
            .zip(counts)
            .map(|(version, [visits, persons])| SettlementRow {
                subject_code: "H33030200001".into(),
                settlement: Settlement {
                    month: "2026-03".parse().unwrap(),
                    insurance: Insurance::Employee,
                    visits: *visits,
                    persons: *persons,
                    billed: Fen(0),
                    claimed: Fen(0),
                    settled: Fen(0),
                    paid: Fen(0),
                    retained: Fen(0),
                    disallowed: Fen(0),
                    deducted: Fen(0),
                    prepaid: Fen(0),
                    offset: Fen(0),
                    payable: Fen(0),
                    status: SettlementStatus::Final,
                    as_of: "2026-04-25".parse().unwrap(),
                },
                version,
                import_seq: version,
            })
            .collect()
    }

    /// The version that is disclosed, whether it is suppressed, and whether a newer one is withheld.
    fn released(counts: &[[i64; 2]]) -> (i64, bool, bool) {
        let versions = versions(counts);
        let months: Vec<_> = TEN.release(&versions).collect();
        assert_eq!(months.len(), 1);
        (months[0].row.version, months[0].suppressed, months[0].newer_withheld)
    }

    #[test]
    fn few_visits_and_few_persons_are_suppressed() {
        assert_eq!(released(&[[10, 10]]), (1, false, false));
        assert_eq!(released(&[[9, 9]]), (1, true, false));
        assert_eq!(released(&[[10, 9]]), (1, true, false));
        assert_eq!(released(&[[500, 1]]), (1, true, false));
        assert_eq!(released(&[[100, 100], [9, 9]]), (2, true, false));
    }

    #[test]
    fn versions_that_differ_by_few_are_not_both_disclosed() {
        assert_eq!(released(&[[10, 10], [11, 10]]), (1, false, true));
        assert_eq!(released(&[[100, 50], [100, 51]]), (1, false, true));
        assert_eq!(released(&[[100, 50], [80, 49]]), (1, false, true));
        assert_eq!(released(&[[100, 50], [110, 60]]), (2, false, false));
        assert_eq!(released(&[[100, 50], [100, 50]]), (2, false, false));
        // With every version that was disclosed, and not the newest of them only.
        assert_eq!(released(&[[100, 50], [120, 70], [103, 53]]), (2, false, true));
        assert_eq!(released(&[[100, 50], [103, 50], [113, 60]]), (3, false, false));
        // A suppressed version disclosed nothing; one between does not make the first one undone.
        assert_eq!(released(&[[7, 7], [11, 11]]), (2, false, false));
        assert_eq!(released(&[[11, 11], [7, 7], [12, 12]]), (1, false, true));
    }

    #[test]
    fn without_thresholds_the_newest_version_is_disclosed() {
        let off = SmallCells { min_visits: 0, min_persons: 0 };
        let rows = versions(&[[1, 1], [2, 2]]);
        let months: Vec<_> = off.release(&rows).collect();
        assert_eq!((months[0].row.version, months[0].suppressed, months[0].newer_withheld), (2, false, false));
    }

    proptest! {
        /// A bank reads after every import: no two versions that it has differ by few.
        #[test]
        fn what_a_bank_has_read_never_differs_by_few(counts in prop::collection::vec(prop::array::uniform2(0..60i64), 1..12)) {
            let all = versions(&counts);
            let read: Vec<&SettlementRow> = (1..=all.len())
                .flat_map(|present| TEN.release(&all[..present]))
                .filter(|month| !month.suppressed)
                .map(|month| month.row)
                .collect();
            for one in &read {
                prop_assert!(one.settlement.visits >= 10 && one.settlement.persons >= 10);
                for other in &read {
                    prop_assert!(!TEN.differ_by_few(one, other), "{one:?} and {other:?}");
                }
            }
        }
    }
}

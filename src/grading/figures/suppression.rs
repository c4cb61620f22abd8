//! Cell suppression: withholds small counts, and further counts from which the small ones could be computed.
//!
//! Counts and their sums are one system over all tables that are published together: a sum that two tables share is
//! withheld in both or in neither. First every count from one up to the threshold is withheld. Then, as long as a withheld
//! count can be computed from a sum, or the withheld counts of a sum together are below the threshold, one more count of
//! that sum is withheld: the smallest, because it loses least; a zero only where nothing else is left, and the sum last.

/// A count of the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell(usize);

/// Counts that are published together, and their sums.
#[derive(Debug, Default)]
pub(super) struct Suppression {
    values: Vec<u64>,
    /// Each a total and its summands.
    sums: Vec<(usize, Vec<usize>)>,
}

/// Each count, or `None` where it is withheld.
#[derive(Debug)]
pub(super) struct Released(Vec<Option<u64>>);

impl Suppression {
    /// Adds a count.
    pub(super) fn cell(&mut self, value: u64) -> Cell {
        self.values.push(value);
        Cell(self.values.len() - 1)
    }

    /// Adds the sum of some counts as a count.
    pub(super) fn total(&mut self, of: &[Cell]) -> Cell {
        let value = of.iter().map(|cell| self.value(cell.0)).sum();
        let total = self.cell(value);
        self.adds_up(total, of);
        total
    }

    /// Declares that some counts add up to another count that was added already.
    pub(super) fn adds_up(&mut self, total: Cell, of: &[Cell]) {
        self.sums.push((total.0, of.iter().map(|cell| cell.0).collect()));
    }

    fn value(&self, at: usize) -> u64 {
        self.values.get(at).copied().unwrap_or(0)
    }

    /// Withholds counts below a threshold; none without a threshold.
    pub(super) fn release(&self, below: Option<u64>) -> Released {
        let Some(below) = below else { return Released(self.values.iter().copied().map(Some).collect()) };
        let mut withheld: Vec<bool> = self.values.iter().map(|value| (1..below).contains(value)).collect();
        while let Some(more) =
            self.sums.iter().find_map(|(total, of)| self.next_to_withhold(*total, of, &withheld, below))
        {
            if let Some(of) = withheld.get_mut(more) {
                *of = true;
            }
        }
        let released = self.values.iter().zip(&withheld).map(|(value, withheld)| (!withheld).then_some(*value));
        Released(released.collect())
    }

    /// A further count to withhold, because a sum would reveal a withheld one.
    fn next_to_withhold(&self, total: usize, of: &[usize], withheld: &[bool], below: u64) -> Option<usize> {
        let is_withheld = |at: &usize| withheld.get(*at).copied().unwrap_or(false);
        let hidden: Vec<usize> = of.iter().copied().filter(is_withheld).collect();
        let together: u64 = hidden.iter().map(|at| self.value(*at)).sum();
        let safe = if is_withheld(&total) {
            // One withheld summand cannot be computed from a withheld sum; but with none, the sum itself can be.
            !hidden.is_empty()
        } else {
            hidden.is_empty() || (hidden.len() > 1 && together >= below)
        };
        if safe {
            return None;
        }
        let open = of.iter().copied().filter(|at| !is_withheld(at));
        let smallest = open.min_by_key(|at| (self.value(*at) == 0, self.value(*at), *at));
        smallest.or_else(|| (!is_withheld(&total)).then_some(total))
    }
}

impl Released {
    /// A count, unless it is withheld.
    pub(super) fn get(&self, cell: Cell) -> Option<u64> {
        self.0.get(cell.0).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table with its margins, as released: rows with their totals last, and the totals of columns as the last row.
    fn table(rows: &[Vec<u64>], below: u64) -> Vec<Vec<Option<u64>>> {
        let mut system = Suppression::default();
        let cells: Vec<Vec<Cell>> =
            rows.iter().map(|row| row.iter().map(|value| system.cell(*value)).collect()).collect();
        let totals: Vec<Cell> = cells.iter().map(|row| system.total(row)).collect();
        let columns: Vec<Cell> =
            (0..rows[0].len()).map(|at| system.total(&cells.iter().map(|row| row[at]).collect::<Vec<_>>())).collect();
        let all = system.total(&totals);
        system.adds_up(all, &columns);
        let released = system.release(Some(below));
        let row = |cells: &[Cell], total: Cell| cells.iter().chain([&total]).map(|cell| released.get(*cell)).collect();
        let mut out: Vec<Vec<Option<u64>>> = cells.iter().zip(totals).map(|(cells, total)| row(cells, total)).collect();
        out.push(row(&columns, all));
        out
    }

    #[test]
    fn a_small_count_takes_another_with_it_in_its_row_and_column() {
        let released = table(&[vec![100, 3, 40], vec![90, 50, 60], vec![80, 70, 75]], 10);
        assert_eq!(released[0], [Some(100), None, None, Some(143)]);
        assert_eq!(released[1], [Some(90), None, None, Some(200)]);
        assert_eq!(released[2], [Some(80), Some(70), Some(75), Some(225)]);
        assert_eq!(released[3], [Some(270), Some(123), Some(175), Some(568)]);
    }

    #[test]
    fn two_small_counts_that_are_small_together_take_a_third() {
        assert_eq!(table(&[vec![1, 1, 30, 200], vec![0, 0, 40, 100]], 10)[0][..3], [None, None, None]);
    }

    #[test]
    fn a_small_table_is_withheld_as_a_whole() {
        assert_eq!(table(&[vec![4]], 10), [[None, None], [None, None]]);
    }

    #[test]
    fn large_counts_and_zeros_are_released() {
        let released = table(&[vec![0, 10], vec![25, 0]], 10);
        assert_eq!(
            released,
            [[Some(0), Some(10), Some(10)], [Some(25), Some(0), Some(25)], [Some(25), Some(10), Some(35)]]
        );
    }

    #[test]
    fn without_a_threshold_everything_is_released() {
        let mut system = Suppression::default();
        let cell = system.cell(1);
        assert_eq!(system.release(None).get(cell), Some(1));
    }

    proptest! {
        #[test]
        fn no_withheld_count_can_be_computed_from_a_sum(
            rows in (1usize..6).prop_flat_map(|columns| {
                prop::collection::vec(prop::collection::vec(prop_oneof![0u64..15, 0u64..300], columns), 1..6)
            }),
        ) {
            let released = table(&rows, 10);
            let (width, height) = (rows[0].len(), rows.len());
            for (values, released) in rows.iter().zip(&released) {
                for (value, released) in values.iter().zip(released) {
                    prop_assert!(released.is_none() || !(1..10).contains(value));
                    prop_assert!(released.is_none_or(|released| released == *value));
                }
            }
            let column = |at: usize| released.iter().map(|row| row[at]).collect::<Vec<_>>();
            let lines = released.iter().cloned().chain((0..=width).map(column));
            for line in lines {
                let withheld = line.iter().filter(|count| count.is_none()).count();
                prop_assert_ne!(withheld, 1, "one unknown of a sum is known: {:?} in {:?}", line, (height, &released));
            }
        }
    }
}

//! Which counts may be told where small ones may not, neither outright nor by subtraction.
//!
//! Counts and their sums are one system over all tables that are told together: a sum that two tables share is withheld in
//! both or in neither. First every count from one up to the rule is withheld. Then, as long as a sum lets a withheld count
//! be computed, or lets those withheld under it be no more than the rule together, one more under it is withheld: the
//! smallest, because it costs least; a nought only where nothing else is left, and the sum itself last.

/// A count in the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cell(usize);

/// Counts that are told together, and what they add up to.
#[derive(Debug, Default)]
pub(super) struct Withholding {
    values: Vec<u64>,
    /// Each a total and what it is the sum of.
    sums: Vec<(usize, Vec<usize>)>,
}

/// What may be told of each count.
#[derive(Debug)]
pub(super) struct Told(Vec<Option<u64>>);

impl Withholding {
    /// A count.
    pub(super) fn cell(&mut self, value: u64) -> Cell {
        self.values.push(value);
        Cell(self.values.len() - 1)
    }

    /// The sum of some counts, as a count of its own.
    pub(super) fn total(&mut self, of: &[Cell]) -> Cell {
        let value = of.iter().map(|cell| self.value(cell.0)).sum();
        let total = self.cell(value);
        self.adds_up(total, of);
        total
    }

    /// Some counts add up to another that is there already.
    pub(super) fn adds_up(&mut self, total: Cell, of: &[Cell]) {
        self.sums.push((total.0, of.iter().map(|cell| cell.0).collect()));
    }

    fn value(&self, at: usize) -> u64 {
        self.values.get(at).copied().unwrap_or(0)
    }

    /// What may be told where counts below a number are withheld; everything where there is no such rule.
    pub(super) fn told(&self, below: Option<u64>) -> Told {
        let Some(below) = below else { return Told(self.values.iter().copied().map(Some).collect()) };
        let mut withheld: Vec<bool> = self.values.iter().map(|value| (1..below).contains(value)).collect();
        while let Some(more) = self.sums.iter().find_map(|(total, of)| self.revealed(*total, of, &withheld, below)) {
            if let Some(of) = withheld.get_mut(more) {
                *of = true;
            }
        }
        let told = self.values.iter().zip(&withheld).map(|(value, withheld)| (!withheld).then_some(*value));
        Told(told.collect())
    }

    /// What must be withheld besides, because a sum tells too much.
    fn revealed(&self, total: usize, of: &[usize], withheld: &[bool], below: u64) -> Option<usize> {
        let is_withheld = |at: &usize| withheld.get(*at).copied().unwrap_or(false);
        let hidden: Vec<usize> = of.iter().copied().filter(is_withheld).collect();
        let together: u64 = hidden.iter().map(|at| self.value(*at)).sum();
        let safe = if is_withheld(&total) {
            // Nothing is known of the sum, so that one count under it cannot be computed; but the sum could be.
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

impl Told {
    /// What may be told of a count.
    pub(super) fn of(&self, cell: Cell) -> Option<u64> {
        self.0.get(cell.0).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A table with its margins, as told: rows with their totals last, and the totals of columns as the last row.
    fn table(rows: &[Vec<u64>], below: u64) -> Vec<Vec<Option<u64>>> {
        let mut system = Withholding::default();
        let cells: Vec<Vec<Cell>> =
            rows.iter().map(|row| row.iter().map(|value| system.cell(*value)).collect()).collect();
        let totals: Vec<Cell> = cells.iter().map(|row| system.total(row)).collect();
        let columns: Vec<Cell> =
            (0..rows[0].len()).map(|at| system.total(&cells.iter().map(|row| row[at]).collect::<Vec<_>>())).collect();
        let all = system.total(&totals);
        system.adds_up(all, &columns);
        let told = system.told(Some(below));
        let row = |cells: &[Cell], total: Cell| cells.iter().chain([&total]).map(|cell| told.of(*cell)).collect();
        let mut out: Vec<Vec<Option<u64>>> = cells.iter().zip(totals).map(|(cells, total)| row(cells, total)).collect();
        out.push(row(&columns, all));
        out
    }

    #[test]
    fn a_small_count_takes_another_with_it_in_its_row_and_column() {
        let told = table(&[vec![100, 3, 40], vec![90, 50, 60], vec![80, 70, 75]], 10);
        assert_eq!(told[0], [Some(100), None, None, Some(143)]);
        assert_eq!(told[1], [Some(90), None, None, Some(200)]);
        assert_eq!(told[2], [Some(80), Some(70), Some(75), Some(225)]);
        assert_eq!(told[3], [Some(270), Some(123), Some(175), Some(568)]);
    }

    #[test]
    fn two_small_counts_that_are_small_together_take_a_third() {
        assert_eq!(table(&[vec![1, 1, 30, 200], vec![0, 0, 40, 100]], 10)[0][..3], [None, None, None]);
    }

    #[test]
    fn a_small_table_is_not_told_at_all() {
        assert_eq!(table(&[vec![4]], 10), [[None, None], [None, None]]);
    }

    #[test]
    fn what_is_large_or_nought_is_told() {
        let told = table(&[vec![0, 10], vec![25, 0]], 10);
        assert_eq!(
            told,
            [[Some(0), Some(10), Some(10)], [Some(25), Some(0), Some(25)], [Some(25), Some(10), Some(35)]]
        );
    }

    #[test]
    fn without_a_rule_everything_is_told() {
        let mut system = Withholding::default();
        let cell = system.cell(1);
        assert_eq!(system.told(None).of(cell), Some(1));
    }

    proptest! {
        #[test]
        fn no_sum_gives_a_withheld_count_away(
            rows in (1usize..6).prop_flat_map(|columns| {
                prop::collection::vec(prop::collection::vec(prop_oneof![0u64..15, 0u64..300], columns), 1..6)
            }),
        ) {
            let told = table(&rows, 10);
            let (width, height) = (rows[0].len(), rows.len());
            for (values, told) in rows.iter().zip(&told) {
                for (value, told) in values.iter().zip(told) {
                    prop_assert!(told.is_none() || !(1..10).contains(value));
                    prop_assert!(told.is_none_or(|told| told == *value));
                }
            }
            let column = |at: usize| told.iter().map(|row| row[at]).collect::<Vec<_>>();
            let lines = told.iter().cloned().chain((0..=width).map(column));
            for line in lines {
                let withheld = line.iter().filter(|told| told.is_none()).count();
                prop_assert_ne!(withheld, 1, "one unknown of a sum is known: {:?} in {:?}", line, (height, &told));
            }
        }
    }
}

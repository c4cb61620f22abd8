//! Cell suppression: withholds small counts, and further counts from which the small ones could be computed.
//!
//! Counts and their sums are one system over all tables that are published together: a sum that two tables share is
//! withheld in both or in neither. First every count from one up to the threshold is withheld. Then, as long as a withheld
//! count can be computed from a sum, or the withheld counts of a sum together are below the threshold, one more count of
//! that sum is withheld: the smallest, because it loses least; a zero only where nothing else is left, and the sum last.
//! Where no single sum reveals anything, all sums are solved together: if a small count follows from published ones, one of
//! these is withheld too, in the same order, and the single sums are looked at again. It ends when neither finds anything.

use super::solvable::solved;

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
        // Ends, because each round withholds one more, and nothing follows where all is withheld.
        // The cheap check first; the elimination over all sums runs only where no single sum reveals anything.
        while let Some(more) = self.next_of_one_sum(&withheld, below).or_else(|| self.next_of_all(&withheld, below)) {
            if let Some(of) = withheld.get_mut(more) {
                *of = true;
            }
        }
        let released = self.values.iter().zip(&withheld).map(|(value, withheld)| (!withheld).then_some(*value));
        Released(released.collect())
    }

    /// A further count to withhold, because a single sum would reveal a withheld one.
    fn next_of_one_sum(&self, withheld: &[bool], below: u64) -> Option<usize> {
        self.sums.iter().find_map(|(total, of)| self.next_to_withhold(*total, of, withheld, below))
    }

    /// A further count to withhold, because all sums together would reveal a small one: the smallest from which it follows.
    fn next_of_all(&self, withheld: &[bool], below: u64) -> Option<usize> {
        let solved = solved(&self.sums, |at| withheld.get(at).copied().unwrap_or(false));
        let small = solved.into_iter().find(|solved| (1..below).contains(&self.value(solved.count)))?;
        small.from.into_iter().min_by_key(|at| self.cost(*at))
    }

    /// The order in which further counts are withheld: sums after the counts that they add up, since more depends on them;
    /// zeros after other counts of the same kind, since they hide little; then the smallest, and of equal ones the first.
    fn cost(&self, at: usize) -> (bool, bool, u64, usize) {
        let is_sum = self.sums.iter().any(|(total, _)| *total == at);
        (is_sum, self.value(at) == 0, self.value(at), at)
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
            // Several small counts whose sum is small too would still be narrowed to a few persons.
            hidden.is_empty() || (hidden.len() > 1 && together >= below)
        };
        if safe {
            return None;
        }
        let open = of.iter().copied().filter(|at| !is_withheld(at));
        let smallest = open.min_by_key(|at| self.cost(*at));
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

    /// A report as `Figures` builds it: the last column is of subjects that were not rated.
    fn report(rows: &[Vec<u64>]) -> Suppression {
        let mut system = Suppression::default();
        let sums = |at: usize| rows.iter().map(|row| row[at]).sum();
        let columns: Vec<Cell> = (0..rows[0].len()).map(|at| system.cell(sums(at))).collect();
        let subjects = system.total(&columns);
        let (grades, unrated) = columns.split_at(columns.len() - 1);
        let graded = system.total(grades);
        system.adds_up(subjects, &[&[graded], unrated].concat());
        let cells: Vec<Vec<Cell>> =
            rows.iter().map(|row| row.iter().map(|value| system.cell(*value)).collect()).collect();
        let totals: Vec<Cell> = cells.iter().map(|row| system.total(row)).collect();
        for (at, column) in columns.iter().enumerate() {
            system.adds_up(*column, &cells.iter().map(|row| row[at]).collect::<Vec<_>>());
        }
        system.adds_up(subjects, &totals);
        system
    }

    /// The rank of a matrix, by elimination without fractions: another way than the one that is tested.
    fn rank(mut matrix: Vec<Vec<i128>>) -> usize {
        let (mut rank, mut last) = (0, 1);
        for column in 0..matrix.first().map_or(0, Vec::len) {
            let Some(pivot) = (rank..matrix.len()).find(|row| matrix[*row][column] != 0) else { continue };
            matrix.swap(rank, pivot);
            let leading = matrix[rank].clone();
            for row in matrix.iter_mut().skip(rank + 1) {
                let factor = row[column];
                for (value, lead) in row.iter_mut().zip(&leading) {
                    *value = (*value * leading[column] - *lead * factor) / last;
                }
            }
            last = leading[column];
            rank += 1;
        }
        rank
    }

    /// The small counts that follow from the released ones: a row for the count adds nothing to the rank of the sums.
    fn follow(system: &Suppression, below: u64) -> Vec<usize> {
        let released = system.release(Some(below)).0;
        let unknown: Vec<usize> = (0..released.len()).filter(|at| released[*at].is_none()).collect();
        let equation = |(total, of): &(usize, Vec<usize>)| {
            let coefficient = |at: &usize| i128::from(of.contains(at)) - i128::from(total == at);
            unknown.iter().map(coefficient).collect::<Vec<_>>()
        };
        let sums: Vec<Vec<i128>> = system.sums.iter().map(equation).collect();
        let of_sums = rank(sums.clone());
        let follows = |at: &usize| {
            let alone = unknown.iter().map(|other| i128::from(other == at)).collect();
            rank([sums.clone(), vec![alone]].concat()) == of_sums
        };
        unknown.iter().copied().filter(|at| (1..below).contains(&system.values[*at]) && follows(at)).collect()
    }

    #[test]
    fn a_count_that_follows_from_several_sums_takes_another_with_it() {
        let system = report(&[vec![8, 1, 5], vec![0, 0, 2], vec![4, 2, 8]]);
        for below in 2..12 {
            assert_eq!(follow(&system, below), [0; 0], "below {below}");
        }
        // No single sum reveals the 1 of the first row: all of them together did.
        let mut withheld: Vec<bool> = system.values.iter().map(|value| (1..5).contains(value)).collect();
        while let Some(more) = system.next_of_one_sum(&withheld, 5) {
            withheld[more] = true;
        }
        assert!(system.next_of_all(&withheld, 5).is_some());
    }

    #[test]
    fn without_a_threshold_everything_is_released() {
        let mut system = Suppression::default();
        let cell = system.cell(1);
        assert_eq!(system.release(None).get(cell), Some(1));
    }

    fn tables() -> impl Strategy<Value = Vec<Vec<u64>>> {
        (1usize..6).prop_flat_map(|columns| {
            prop::collection::vec(prop::collection::vec(prop_oneof![0u64..15, 0u64..300], columns), 1..6)
        })
    }

    proptest! {
        #[test]
        fn no_small_count_follows_from_all_sums_together(rows in tables(), below in 2u64..15) {
            let system = report(&rows);
            prop_assert_eq!(follow(&system, below), [0; 0]);
            // And what the solving withheld is not alone beside a published sum.
            let released = system.release(Some(below)).0;
            for (total, of) in &system.sums {
                let withheld = of.iter().filter(|at| released[**at].is_none()).count();
                prop_assert!(withheld != 1 || released[*total].is_none(), "{:?}", (total, of, &released));
            }
        }

        #[test]
        fn no_withheld_count_can_be_computed_from_a_sum(
            rows in tables(),
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

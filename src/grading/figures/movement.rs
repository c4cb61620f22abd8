//! Movement of subjects between the grades of two runs.

use serde::Serialize;

use super::{
    outcomes::{Column, Outcomes, RunHead, ordinal},
    suppression::{Cell, Released, Suppression},
};
use crate::grading::percent::percent;

/// Movement between two runs. Rows are grades in the run before, columns grades in the run now; the last of each is for
/// subjects that are in the other run only.
#[derive(Debug, Clone)]
pub struct Movement {
    before: RunHead,
    rows: Vec<Column>,
    columns: Vec<Column>,
    counts: Vec<Vec<u64>>,
    risen: u64,
    fallen: u64,
    stayed: u64,
}

/// Movement between two runs as it may be published; none where a count is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovementTable {
    pub before: RunHead,
    /// Grades in the run before.
    pub rows: Vec<Column>,
    /// Grades in the run now.
    pub columns: Vec<Column>,
    /// The number of subjects, by row and column.
    pub counts: Vec<Vec<Option<u64>>>,
    /// The number of subjects that were graded in both runs.
    pub graded_in_both: Option<u64>,
    /// The number of them whose grade rose.
    pub risen: Option<u64>,
    /// The number of them whose grade fell.
    pub fallen: Option<u64>,
    /// The number of them whose grade stayed.
    pub stayed: Option<u64>,
    /// The share whose grade rose, as a percentage.
    pub risen_percent: Option<String>,
    /// The share whose grade fell, as a percentage.
    pub fallen_percent: Option<String>,
}

/// The counts of a movement as cells of a suppression system.
pub(super) struct MovementCells {
    cells: Vec<Vec<Cell>>,
    both: Cell,
    risen: Cell,
    fallen: Cell,
    stayed: Cell,
}

/// The column of subjects that are in the other run only.
fn absent() -> Column {
    Column { code: "absent".into(), name_zh: "未列入".into() }
}

/// Compares two grades of a subject by their places, 1 being the best; also grades of two schemes.
fn moved(before: &Outcomes, now: &Outcomes, code: &str) -> Option<std::cmp::Ordering> {
    let place = |of: &Outcomes| of.subjects.get(code).and_then(|row| ordinal(&of.model.scheme, row));
    Some(place(now)?.cmp(&place(before)?))
}

impl Movement {
    /// The movement from one run to another.
    pub(in crate::grading) fn between(before: &Outcomes, now: &Outcomes) -> Self {
        let with_absent = |mut columns: Vec<Column>| {
            columns.push(absent());
            columns
        };
        let (rows, columns) = (with_absent(before.columns()), with_absent(now.columns()));
        let mut counts = vec![vec![0; columns.len()]; rows.len()];
        let (mut risen, mut fallen, mut stayed) = (0, 0, 0);
        let codes: std::collections::BTreeSet<&String> = before.subjects.keys().chain(now.subjects.keys()).collect();
        for code in codes {
            let place = |of: &Outcomes, last: usize| of.subjects.get(code).map_or(last, |row| of.column(row));
            let (row, column) = (place(before, rows.len() - 1), place(now, columns.len() - 1));
            // The places come from the same columns, so the cell is always there.
            if let Some(count) = counts.get_mut(row).and_then(|row| row.get_mut(column)) {
                *count += 1;
            }
            match moved(before, now, code) {
                Some(std::cmp::Ordering::Less) => risen += 1,
                Some(std::cmp::Ordering::Greater) => fallen += 1,
                Some(std::cmp::Ordering::Equal) => stayed += 1,
                None => {}
            }
        }
        Self { before: before.head(), rows, columns, counts, risen, fallen, stayed }
    }

    /// Adds its counts to a suppression system. The totals of all columns but the last are the counts of the run now.
    pub(super) fn add_to(&self, system: &mut Suppression, now: &[Cell]) -> MovementCells {
        let cells: Vec<Vec<Cell>> =
            self.counts.iter().map(|row| row.iter().map(|count| system.cell(*count)).collect()).collect();
        // Totals too, because readers can know them from the report of the run before.
        for row in &cells {
            system.total(row);
        }
        for (at, total) in now.iter().enumerate() {
            let column: Vec<Cell> = cells.iter().filter_map(|row| row.get(at).copied()).collect();
            system.adds_up(*total, &column);
        }
        // Graded in both runs: all but the last two rows and columns, which are not rated and absent.
        let graded = cells.iter().take(cells.len().saturating_sub(2));
        let graded: Vec<Cell> = graded.flat_map(|row| row.iter().take(row.len().saturating_sub(2)).copied()).collect();
        let both = system.total(&graded);
        let (risen, fallen, stayed) = (system.cell(self.risen), system.cell(self.fallen), system.cell(self.stayed));
        system.adds_up(both, &[risen, fallen, stayed]);
        self.by_direction(system, &cells, [risen, fallen, stayed]);
        MovementCells { cells, both, risen, fallen, stayed }
    }

    /// Where both runs have one scheme, the numbers of those who rose, fell and stayed are sums of cells of the matrix.
    fn by_direction(&self, system: &mut Suppression, cells: &[Vec<Cell>], [risen, fallen, stayed]: [Cell; 3]) {
        // Cells of two schemes do not line up, so their positions show no direction.
        if self.rows != self.columns {
            return;
        }
        let grades = self.rows.len().saturating_sub(2);
        let cells_where = |ordering: std::cmp::Ordering| -> Vec<Cell> {
            let rows = cells.iter().take(grades).enumerate();
            rows.flat_map(|(row, cells)| {
                cells.iter().take(grades).enumerate().filter(move |(column, _)| column.cmp(&row) == ordering)
            })
            .map(|(_, cell)| *cell)
            .collect()
        };
        system.adds_up(risen, &cells_where(std::cmp::Ordering::Less));
        system.adds_up(fallen, &cells_where(std::cmp::Ordering::Greater));
        system.adds_up(stayed, &cells_where(std::cmp::Ordering::Equal));
    }

    /// The table of the released counts.
    pub(super) fn table(&self, cells: &MovementCells, released: &Released) -> MovementTable {
        let both = released.get(cells.both);
        // A share beside its total is the count: it is withheld with either of them.
        let share = |cell: Cell| Some(percent(released.get(cell)?, both?));
        MovementTable {
            before: self.before.clone(),
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            counts: cells.cells.iter().map(|row| row.iter().map(|cell| released.get(*cell)).collect()).collect(),
            graded_in_both: both,
            risen: released.get(cells.risen),
            fallen: released.get(cells.fallen),
            stayed: released.get(cells.stayed),
            risen_percent: share(cells.risen),
            fallen_percent: share(cells.fallen),
        }
    }

    /// The table with nothing withheld, for the bureau only.
    pub(in crate::grading) fn internal_table(&self) -> MovementTable {
        // Without limits nothing is withheld, so no totals of the run are needed.
        let mut system = Suppression::default();
        let cells = self.add_to(&mut system, &[]);
        self.table(&cells, &system.release(None))
    }
}

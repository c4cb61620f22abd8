//! Who moved from one run to another.

use serde::Serialize;

use super::{
    outcomes::{Column, Outcomes, RunHead, ordinal},
    percent,
    withhold::{Cell, Told, Withholding},
};

/// Who moved: rows are what subjects came to before, columns what they came to now. In both, one more place is for who
/// is not in the other run.
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

/// Who moved, as it may be told; nothing where a count is withheld.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct MovementTold {
    /// The run before.
    pub before: RunHead,
    /// What subjects came to before.
    pub rows: Vec<Column>,
    /// What they came to now.
    pub columns: Vec<Column>,
    /// How many, by row and column.
    pub counts: Vec<Vec<Option<u64>>>,
    /// How many were graded in both runs.
    pub graded_in_both: Option<u64>,
    /// How many of them rose.
    pub risen: Option<u64>,
    /// How many of them fell.
    pub fallen: Option<u64>,
    /// How many of them stayed.
    pub stayed: Option<u64>,
    /// The share that rose, as a percentage.
    pub risen_percent: Option<String>,
    /// The share that fell.
    pub fallen_percent: Option<String>,
}

/// The places of a movement's counts in what is told together.
pub(super) struct Placed {
    cells: Vec<Vec<Cell>>,
    both: Cell,
    risen: Cell,
    fallen: Cell,
    stayed: Cell,
}

/// Who is in the other run only.
fn absent() -> Column {
    Column { code: "absent".into(), name_zh: "未列入".into() }
}

/// How a pair of grades compares; grades of two schemes by their places, 1 being the best.
fn moved(before: &Outcomes, now: &Outcomes, code: &str) -> Option<std::cmp::Ordering> {
    let place = |of: &Outcomes| of.subjects.get(code).and_then(|row| ordinal(&of.model.scheme, row));
    Some(place(now)?.cmp(&place(before)?))
}

impl Movement {
    /// From one run to another.
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

    /// Puts its counts into what is told together. The totals of the columns, but for the last, are those of the run now.
    pub(super) fn place(&self, system: &mut Withholding, now: &[Cell]) -> Placed {
        let cells: Vec<Vec<Cell>> =
            self.counts.iter().map(|row| row.iter().map(|count| system.cell(*count)).collect()).collect();
        for row in &cells {
            system.total(row);
        }
        for (at, total) in now.iter().enumerate() {
            let column: Vec<Cell> = cells.iter().filter_map(|row| row.get(at).copied()).collect();
            system.adds_up(*total, &column);
        }
        // Those graded in both: without the last two of each, not rated and absent.
        let graded = cells.iter().take(cells.len().saturating_sub(2));
        let graded: Vec<Cell> = graded.flat_map(|row| row.iter().take(row.len().saturating_sub(2)).copied()).collect();
        let both = system.total(&graded);
        let (risen, fallen, stayed) = (system.cell(self.risen), system.cell(self.fallen), system.cell(self.stayed));
        system.adds_up(both, &[risen, fallen, stayed]);
        self.by_direction(system, &cells, [risen, fallen, stayed]);
        Placed { cells, both, risen, fallen, stayed }
    }

    /// Where both runs are of one scheme, rising, falling and staying are sums of the matrix's own cells.
    fn by_direction(&self, system: &mut Withholding, cells: &[Vec<Cell>], [risen, fallen, stayed]: [Cell; 3]) {
        if self.rows != self.columns {
            return;
        }
        let grades = self.rows.len().saturating_sub(2);
        let of = |wanted: std::cmp::Ordering| -> Vec<Cell> {
            let rows = cells.iter().take(grades).enumerate();
            rows.flat_map(|(row, cells)| {
                cells.iter().take(grades).enumerate().filter(move |(column, _)| column.cmp(&row) == wanted)
            })
            .map(|(_, cell)| *cell)
            .collect()
        };
        system.adds_up(risen, &of(std::cmp::Ordering::Less));
        system.adds_up(fallen, &of(std::cmp::Ordering::Greater));
        system.adds_up(stayed, &of(std::cmp::Ordering::Equal));
    }

    /// What may be told of it.
    pub(super) fn told(&self, placed: &Placed, told: &Told) -> MovementTold {
        let both = told.of(placed.both);
        let share = |cell: Cell| Some(percent(told.of(cell)?, both?));
        MovementTold {
            before: self.before.clone(),
            rows: self.rows.clone(),
            columns: self.columns.clone(),
            counts: placed.cells.iter().map(|row| row.iter().map(|cell| told.of(*cell)).collect()).collect(),
            graded_in_both: both,
            risen: told.of(placed.risen),
            fallen: told.of(placed.fallen),
            stayed: told.of(placed.stayed),
            risen_percent: share(placed.risen),
            fallen_percent: share(placed.fallen),
        }
    }

    /// All of it, for the bureau's own eyes.
    pub(in crate::grading) fn everything(&self) -> MovementTold {
        let mut system = Withholding::default();
        let placed = self.place(&mut system, &[]);
        self.told(&placed, &system.told(None))
    }
}

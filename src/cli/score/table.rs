//! Columns of text on a terminal.

use crate::cli::bank::show::width::{pad, width};

/// Lines of cells in columns that are as wide as their cells, indented by two; the first `left` columns are aligned to the
/// left, the others to the right.
pub(super) fn aligned(rows: &[Vec<String>], left: usize) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let breadth = |at: usize| rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell)).max().unwrap_or(0);
    let breadths: Vec<usize> = (0..columns).map(breadth).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&breadths).enumerate();
        let cells = cells.map(|(at, (cell, breadth))| pad(cell, *breadth, at >= left));
        format!("  {}", cells.collect::<Vec<_>>().join("  ")).trim_end().to_owned()
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chinese_characters_take_two_columns() {
        let rows = [vec!["等级".to_owned(), "数量".to_owned()], vec!["a".to_owned(), "7".to_owned()]];
        assert_eq!(aligned(&rows, 1), ["  等级  数量", "  a        7"]);
    }
}

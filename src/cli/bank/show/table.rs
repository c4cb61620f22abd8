//! A table whose columns are as wide as their cells.

use std::io::Write;

use super::width::{pad, width};

/// The alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli::bank) enum Align {
    /// For words.
    Left,
    /// For numbers.
    Right,
}

/// A table: a header of two lines, Chinese above English, and rows.
#[derive(Debug)]
pub(in crate::cli::bank) struct Table {
    columns: Vec<(&'static str, &'static str, Align)>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table with these columns: Chinese name, English name, alignment.
    pub(in crate::cli::bank) fn new(columns: &[(&'static str, &'static str, Align)]) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new() }
    }

    /// Adds a row.
    pub(in crate::cli::bank) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// Writes the table, indented by two, without trailing spaces.
    pub(in crate::cli::bank) fn write(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let breadths: Vec<usize> = self
            .columns
            .iter()
            .enumerate()
            .map(|(at, (above, below, _))| {
                let cells = self.rows.iter().filter_map(|row| row.get(at)).map(|cell| width(cell));
                cells.chain([width(above), width(below)]).max().unwrap_or(0)
            })
            .collect();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut text = String::new();
            for ((cell, breadth), (_, _, align)) in cells.zip(&breadths).zip(&self.columns) {
                text.push_str("  ");
                text.push_str(&pad(cell, *breadth, *align == Align::Right));
            }
            writeln!(out, "{}", text.trim_end())
        };
        line(&mut self.columns.iter().map(|(above, ..)| *above))?;
        line(&mut self.columns.iter().map(|(_, below, _)| *below))?;
        for row in &self.rows {
            line(&mut row.iter().map(String::as_str))?;
        }
        Ok(())
    }
}

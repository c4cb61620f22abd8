//! How the columns of a file correspond to those of its template.

use super::{ImportError, Template};

/// The position in the file of each column of the template.
#[derive(Debug)]
pub(super) struct Layout {
    /// The template's columns, in its order.
    columns: &'static [&'static str],
    /// The position of each of them in the file.
    positions: Vec<usize>,
    /// How many columns the file has.
    width: usize,
}

impl Layout {
    /// Compares a header with the template. The error names every column that is missing, unknown or repeated.
    pub(super) fn of(template: Template, header: &[String]) -> Result<Self, ImportError> {
        let columns = template.all_columns();
        let mut faults = Vec::new();
        for name in columns {
            match header.iter().filter(|there| there == name).count() {
                0 if template.may_omit(name) => {}
                0 => faults.push(format!("column {name} is missing")),
                1 => {}
                _ => faults.push(format!("column {name} is there more than once")),
            }
        }
        for (at, name) in header.iter().enumerate().filter(|(_, name)| !columns.contains(&name.as_str())) {
            // The header may be a row with somebody's data: only text that could be a column's name is repeated.
            let word = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
            let shown =
                if word && !name.is_empty() { format!("column {name:?}") } else { format!("column {}", at + 1) };
            faults.push(format!("{shown} is not known"));
        }
        // Collected first, so that one attempt shows everything that is wrong with the header.
        if !faults.is_empty() {
            return Err(ImportError::Header { template: template.as_str(), faults });
        }
        // A column that was left out is behind every field, and so reads as empty.
        let position = |name: &&str| header.iter().position(|there| there == name).unwrap_or(header.len());
        let positions = columns.iter().map(position).collect();
        Ok(Self { columns, positions, width: header.len() })
    }

    /// The position in the file of a column of the template.
    pub(super) fn position(&self, column: usize) -> Option<usize> {
        self.positions.get(column).copied()
    }

    /// The positions in the file of all columns of the template.
    pub(super) fn positions(&self) -> &[usize] {
        &self.positions
    }

    /// How many fields each row must have.
    pub(super) const fn width(&self) -> usize {
        self.width
    }

    /// The name of a column of the template.
    pub(super) fn name(&self, column: usize) -> &'static str {
        self.columns.get(column).copied().unwrap_or_default()
    }

    /// The name of the column at a position in the file.
    pub(super) fn name_at(&self, position: usize) -> &'static str {
        self.positions.iter().position(|at| *at == position).map_or("", |column| self.name(column))
    }
}

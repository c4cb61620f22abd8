//! The report of what was found in a file, for the office that must fix its rows: in Chinese and English, as CSV and as a
//! workbook, with the rows as they were except for what is personal.
//!
//! Findings are collected on disk while the file is imported (`collect`), and the report is written after its rows are
//! accepted: the file is read once more up to the last line with a finding (`second_pass`), so that the import itself
//! carries no rows for the report. Memory does not depend on the number of findings.

mod advice;
mod collect;
mod csv_files;
mod destination;
mod institutions;
mod second_pass;
mod shown;
mod workbook;
mod write;

use std::sync::Arc;

use super::{
    ImportError, References, Template,
    source::{Format, Input},
};
use crate::store::Env;

pub(super) use collect::{FindingsCollector, MOST_LISTED, repeated_row};
pub use destination::RejectsBy;
pub(super) use destination::{Destination, ReportFiles};

/// What a report is about.
pub(super) struct ReportOf<'a> {
    pub(super) env: &'a Env,
    pub(super) input: Input,
    pub(super) format: Format,
    /// The sheet of a workbook.
    pub(super) sheet: Option<String>,
    pub(super) template: Template,
    pub(super) references: Arc<References>,
}

/// Writes the report of an import; no file where nothing was found.
pub(super) async fn write(
    of: ReportOf<'_>,
    findings: FindingsCollector,
    destination: Option<&Destination>,
) -> Result<ReportFiles, ImportError> {
    let Some(destination) = destination.filter(|_| findings.has_report()) else { return Ok(ReportFiles::default()) };
    let failed = |source| ImportError::Rejects { path: destination.path().to_owned(), source };
    let ReportOf { env, input, format, sheet, template, references } = of;
    let findings = findings.in_order(template).map_err(failed)?;
    let now = env.clock.now();
    let today = now.day();
    let pass = second_pass::SecondPass { input, format, sheet, template, references, today, findings };
    write::write_report(&env.db, destination, pass, now).await
}

//! Writes a report: for each finding what is wrong and how to fix it, with the row and the institution that it is about.

use std::{
    io,
    path::{Path, PathBuf},
};

use tokio::sync::mpsc;

use super::{
    advice::advice,
    csv_files::CsvFiles,
    destination::{Destination, RejectsBy, ReportFiles},
    institutions::Institutions,
    second_pass::{FoundLine, Pass, SecondPass},
    workbook::REPORT_COLUMNS,
};
use crate::{
    domain::{Timestamp, printable::without_formula},
    importing::{
        ImportError,
        findings::{Finding, Severity},
    },
    store::Db,
};

/// Messages between the second pass and the writer.
const MESSAGES_WAITING: usize = 2;

/// Writes the report of a file.
pub(in crate::importing) async fn write_report(
    db: &Db,
    destination: &Destination,
    pass: SecondPass,
    now: Timestamp,
) -> Result<ReportFiles, ImportError> {
    let failed = |source: io::Error| ImportError::Rejects { path: destination.path().to_owned(), source };
    // A workbook alone is made of a CSV file that is removed with this folder.
    let temporary = tempfile::tempdir().map_err(failed)?;
    let files = write_csv(db, destination, temporary.path(), pass).await?;
    let destination = destination.clone();
    // On a thread of its own: a workbook of a hundred thousand rows takes seconds.
    let made = tokio::task::spawn_blocking(move || destination.finish(&files, now)).await;
    made.map_err(|_| ImportError::ReaderGone)?.map_err(failed)
}

async fn write_csv(
    db: &Db,
    destination: &Destination,
    temporary: &Path,
    pass: SecondPass,
) -> Result<Vec<PathBuf>, ImportError> {
    let failed = |source: io::Error| ImportError::Rejects { path: destination.path().to_owned(), source };
    let (to, mut from) = mpsc::channel(MESSAGES_WAITING);
    // Not awaited: it ends when the channel is closed.
    tokio::task::spawn_blocking(move || pass.run(&to));
    let mut header: Vec<String> = REPORT_COLUMNS.iter().map(|name| (*name).to_owned()).collect();
    match from.recv().await {
        Some(Pass::Header(columns)) => header.extend(columns),
        Some(Pass::Failed(error)) => return Err(failed(error)),
        Some(Pass::Lines(_)) | None => return Err(ImportError::ReaderGone),
    }
    let mut files = CsvFiles::new(destination.csv_target(temporary), &header).map_err(failed)?;
    let mut institutions = Institutions::default();
    while let Some(message) = from.recv().await {
        let lines = match message {
            Pass::Lines(lines) => lines,
            Pass::Header(_) => continue,
            Pass::Failed(error) => return Err(failed(error)),
        };
        institutions.look_up(db, &lines).await?;
        for line in &lines {
            write_line(&mut files, destination.by(), line, &institutions, header.len()).map_err(failed)?;
        }
    }
    files.finish().map_err(failed)
}

/// Writes the findings of a line. The row is beside the first of them, so that a row is there once when it is sent back.
fn write_line(
    files: &mut CsvFiles,
    by: Option<RejectsBy>,
    found: &FoundLine,
    institutions: &Institutions,
    width: usize,
) -> io::Result<()> {
    let (code, name) = institutions.of(found);
    let source = found.row.as_ref().map_or("", |row| row.source.as_str());
    let group = match by {
        Some(RejectsBy::Provider) => source,
        Some(RejectsBy::Institution) => code,
        None => "",
    };
    for (nth, finding) in found.findings.iter().enumerate() {
        let mut row = describe(finding);
        row.extend([code.to_owned(), without_formula(name).into_owned()]);
        if let Some(shown) = found.row.as_ref().filter(|_| nth == 0) {
            row.extend(shown.cells.iter().map(|cell| cell_of(cell)));
        }
        // A row with too few fields, and a finding without its row; one with too many keeps them all.
        while row.len() < width {
            row.push(String::new());
        }
        files.add(group, &row)?;
    }
    Ok(())
}

fn describe(finding: &Finding) -> Vec<String> {
    let advice = advice(finding.code);
    let severity = match finding.severity {
        Severity::Reject => "退回 reject",
        Severity::Warning => "提示 warning",
    };
    vec![
        finding.line.to_string(),
        finding.column.to_owned(),
        advice.problem_zh.to_owned(),
        // Messages quote the contents of files from elsewhere.
        without_formula(&finding.message).into_owned(),
        advice.fix_zh.to_owned(),
        advice.fix_en.to_owned(),
        severity.to_owned(),
        finding.code.as_str().to_owned(),
    ]
}

/// A value of the file as a cell: a negative number is no formula, and must be sent back as it is.
fn cell_of(value: &str) -> String {
    let number = value.strip_prefix('-').unwrap_or(value);
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return value.to_owned();
    }
    without_formula(value).into_owned()
}

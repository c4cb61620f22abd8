//! Reading and checking, on a thread of its own, batch by batch; the writer sets the pace.

use std::ops::Range;

use tokio::sync::mpsc;

use super::{
    ImportError, Rules, Template,
    facts::{PackedPart, Told},
    findings::{Code, Finding, Severity},
    row::{Row, RowText},
    rows::{Codes, checker},
    source::{Format, Input, Next, open},
};
use crate::domain::Day;

/// A row that passed its own checks.
#[derive(Debug)]
pub(super) struct CheckedRow {
    pub(super) line: u64,
    /// Its JSON within the batch's text.
    pub(super) json: Range<usize>,
    /// Codes that must be known.
    pub(super) codes: Codes,
}

/// Some rows in the order of the file.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: RowText,
    pub(super) rows: Vec<CheckedRow>,
    pub(super) findings: Vec<Finding>,
    /// Rows read, taken or not.
    pub(super) read: u64,
    /// Bytes of the file read so far.
    pub(super) bytes: u64,
}

/// What the reading thread says.
#[derive(Debug)]
pub(super) enum Message {
    /// The header fits; rows will follow.
    Ready,
    /// Rows.
    Batch(Batch),
    /// Credit facts were checked.
    Told(Told),
    /// Credit facts were sorted and packed.
    PackedPart(PackedPart),
    /// There are no more; the digest of everything that was read.
    End {
        /// SHA-256, hex.
        sha256: String,
    },
    /// The file cannot be imported.
    Failed(ImportError),
}

/// What the reading thread is told.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) template: Template,
    pub(super) input: Input,
    pub(super) format: Format,
    pub(super) rules: Rules,
    pub(super) today: Day,
    pub(super) chunk_rows: usize,
    /// More rows are an error.
    pub(super) most_rows: Option<u64>,
}

/// Reads the file to its end, or until nobody listens any more.
pub(super) fn read_file(reading: Reading, to: &mpsc::Sender<Message>) {
    let last = match read_rows(reading, to) {
        Ok(Some(sha256)) => Message::End { sha256 },
        // Nobody listens: the import was dropped.
        Ok(None) => return,
        Err(error) => Message::Failed(error),
    };
    let _ = to.blocking_send(last);
}

fn read_rows(reading: Reading, to: &mpsc::Sender<Message>) -> Result<Option<String>, ImportError> {
    let mut source = open(&reading.input, reading.format, reading.template)?;
    let header = source.header()?;
    let places = places(reading.template, &header)?;
    if to.blocking_send(Message::Ready).is_err() {
        return Ok(None);
    }
    let columns = reading.template.columns();
    let mut check = checker(reading.template, reading.rules).ok_or(ImportError::ReaderGone)?;
    let mut record = csv::StringRecord::new();
    let (mut batch, mut rows) = (Batch::default(), 0u64);
    loop {
        let next = source.next(&mut record)?;
        if next != Next::End {
            batch.read += 1;
            rows += 1;
        }
        if let Some(most) = reading.most_rows.filter(|most| rows > *most) {
            return Err(ImportError::TooManyRows { most });
        }
        let line = match next {
            Next::End => break,
            Next::Unreadable { line, column, code, message } => {
                let name = column.and_then(|at| places.iter().position(|place| *place == at));
                let column = name.and_then(|name| columns.get(name)).copied().unwrap_or_default();
                batch.findings.push(Finding { line, column, code, severity: Severity::Reject, message });
                continue;
            }
            Next::Row { line } => line,
        };
        if record.len() == header.len() {
            let Batch { text, findings, rows, .. } = &mut batch;
            let mut row = Row { line, record: &record, places: &places, columns, findings, today: reading.today };
            let start = text.begin(line);
            match check(&mut row, text)? {
                Some(codes) => rows.push(CheckedRow { line, json: text.end(start), codes }),
                None => text.forget(start),
            }
        } else {
            let message = format!("has {} fields, the header has {}", record.len(), header.len());
            batch.findings.push(whole_row(line, Code::ColumnCount, message));
        }
        if batch.read >= u64::try_from(reading.chunk_rows.max(1)).unwrap_or(u64::MAX) {
            batch.bytes = source.bytes_read();
            if to.blocking_send(Message::Batch(std::mem::take(&mut batch))).is_err() {
                return Ok(None);
            }
        }
    }
    batch.bytes = source.bytes_read();
    if batch.read > 0 && to.blocking_send(Message::Batch(batch)).is_err() {
        return Ok(None);
    }
    source.sha256().map(Some)
}

fn whole_row(line: u64, code: Code, message: String) -> Finding {
    Finding { line, column: "", code, severity: Severity::Reject, message }
}

/// Where each column of the template stands in the file.
pub(super) fn places(template: Template, header: &[String]) -> Result<Vec<usize>, ImportError> {
    let columns = template.columns();
    let mut faults = Vec::new();
    for name in columns {
        match header.iter().filter(|there| there == name).count() {
            0 => faults.push(format!("column {name} is missing")),
            1 => {}
            _ => faults.push(format!("column {name} stands there more than once")),
        }
    }
    for (at, name) in header.iter().enumerate().filter(|(_, name)| !columns.contains(&name.as_str())) {
        // A file without a header begins with somebody's row: only what could be a column's name is repeated.
        let word = name.len() <= 40 && name.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_');
        let shown = if word && !name.is_empty() { format!("column {name:?}") } else { format!("column {}", at + 1) };
        faults.push(format!("{shown} is not known"));
    }
    if !faults.is_empty() {
        return Err(ImportError::Header { template: template.as_str(), faults });
    }
    Ok(columns.iter().filter_map(|name| header.iter().position(|there| there == name)).collect())
}

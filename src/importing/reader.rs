//! The reading half of an import, on threads of its own: opens the file, checks its rows, and sends them in batches.
//! The stager sets the pace, because the channel is short.

use std::{num::NonZero, sync::Arc, thread::available_parallelism};

use tokio::sync::mpsc;

use super::{
    ImportError, References, Template,
    batch::{Batch, CheckedRow, Passed, Stop},
    facts::{FactChecks, FactRows, PackedPart, Parallel, PlainCsv, check_blocks, check_csv, pack},
    file_context::FileContext,
    layout::Layout,
    row::Row,
    rows::Checker,
    skips::Lines,
    source::{Format, Input, Next, RowSource, open},
};
use crate::domain::Day;

/// Most threads for credit facts: with more, they wait for each other more than they work.
const MOST_THREADS: usize = 8;

/// A message from the reader to the stager.
#[derive(Debug)]
pub(super) enum Message {
    /// The header is valid; rows follow.
    Ready,
    /// Checked rows.
    Batch(Batch),
    /// Credit facts, sorted and packed.
    Packed(PackedPart),
    /// The end of the file, with the SHA-256 (hex) of everything that was read.
    End { sha256: String, lines: Lines },
    /// The file cannot be imported.
    Failed(ImportError),
}

/// The checks of a file's rows.
pub(super) enum Checks {
    /// Rows are staged as they come.
    Rows(Checker),
    /// Credit facts are sorted before they are staged.
    Facts(Box<FactChecks>),
}

/// A file to read.
pub(super) struct ReadJob {
    pub(super) template: Template,
    pub(super) input: Input,
    pub(super) format: Format,
    /// The sheet of a workbook; the first one, when absent.
    pub(super) sheet: Option<String>,
    pub(super) references: Arc<References>,
    pub(super) checks: Checks,
    pub(super) today: Day,
    /// Rows of one batch.
    pub(super) chunk_rows: usize,
    /// Refuses files with more rows than this.
    pub(super) most_rows: Option<u64>,
}

/// Reads a file to its end, or until the import is dropped. Blocks the thread.
pub(super) fn read_file(mut job: ReadJob, to: &mpsc::Sender<Message>) {
    let last = match job.read(to) {
        Ok((sha256, lines)) => Message::End { sha256, lines },
        Err(Stop::Failed(error)) => Message::Failed(error),
        Err(Stop::Dropped) => return,
    };
    // Nobody receives it if the import was dropped meanwhile.
    let _ = to.blocking_send(last);
}

fn send(to: &mpsc::Sender<Message>, message: Message) -> Result<(), Stop> {
    to.blocking_send(message).map_err(|_| Stop::Dropped)
}

impl ReadJob {
    fn read(&mut self, to: &mpsc::Sender<Message>) -> Result<(String, Lines), Stop> {
        let mut source = open(&self.input, self.format, self.sheet.as_deref(), self.template)?;
        let header = source.header()?;
        let layout = Layout::of(self.template, &header.names)?;
        let references = Arc::clone(&self.references);
        let typed = self.format.is_typed();
        let file = FileContext { layout: &layout, today: self.today, references: &references, typed };
        let (chunk_rows, most_rows) = (self.chunk_rows, self.most_rows);
        // Once the header fits: only then the import gets its row in the store.
        send(to, Message::Ready)?;
        match &mut self.checks {
            Checks::Rows(check) => {
                let rows = RowReading { source: &mut *source, file, chunk_rows, most_rows, to };
                rows.read(|batch, line, record| {
                    batch.add(line, record, file, |row, passed| stage_json(check, row, passed))
                })?;
                Ok((source.sha256()?, source.lines()))
            }
            Checks::Facts(checks) => {
                // By the size of the facts and not of the file: a compressed file has ten times as many in a byte.
                let bytes = source.csv_bytes().map_or_else(|| self.input.size(), Ok)?;
                let spill = checks.spill(bytes)?;
                // Files whose rows are limited, or units declared, are read row by row.
                let is_plain = most_rows.is_none() && layout.is_plain() && checks.any_source();
                let parallel = Parallel { checks, file, spill: &spill, threads: threads() };
                let read = if let Some(csv) = plain_csv(&self.input, is_plain && source.is_plain()) {
                    check_csv(parallel, &csv, |batch| send(to, Message::Batch(batch)))?
                } else {
                    if let Some(blocks) = source.blocks().filter(|_| is_plain) {
                        check_blocks(parallel, blocks, |batch| send(to, Message::Batch(batch)))?;
                    } else {
                        let rows = RowReading { source: &mut *source, file, chunk_rows, most_rows, to };
                        let mut facts = FactRows::new(checks, file, &spill);
                        rows.read(|batch, line, record| facts.add(batch, line, record))?;
                        facts.finish()?;
                    }
                    (source.sha256()?, source.lines())
                };
                // Only now: facts of one subject may be anywhere in the file.
                pack(checks, &spill, threads(), |part| send(to, Message::Packed(part)))?;
                Ok(read)
            }
        }
    }
}

/// A file that can be read in blocks of lines. An upload is read row by row, because its number of rows is limited.
fn plain_csv(input: &Input, is_plain: bool) -> Option<PlainCsv<'_>> {
    match input {
        Input::File(path) if is_plain => PlainCsv::examine(path),
        _ => None,
    }
}

fn threads() -> usize {
    available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS)
}

/// Adds a row's JSON to the batch if the row passes.
fn stage_json(check: &mut Checker, row: &mut Row<'_>, passed: &mut Passed) -> Result<(), ImportError> {
    let start = passed.text.begin(row.line);
    match check(row, &mut passed.text)? {
        Some(codes) => passed.rows.push(CheckedRow { line: row.line, json: passed.text.end(start), codes }),
        None => passed.text.discard(start),
    }
    Ok(())
}

/// The rows of a file, read one after the other.
struct RowReading<'a> {
    source: &'a mut dyn RowSource,
    file: FileContext<'a>,
    chunk_rows: usize,
    most_rows: Option<u64>,
    to: &'a mpsc::Sender<Message>,
}

impl RowReading<'_> {
    /// Reads every row, and sends batches. `add` checks a row and adds it to the batch.
    fn read(
        self,
        mut add: impl FnMut(&mut Batch, u64, &csv::StringRecord) -> Result<(), ImportError>,
    ) -> Result<(), Stop> {
        let chunk_rows = u64::try_from(self.chunk_rows.max(1)).unwrap_or(u64::MAX);
        let mut record = csv::StringRecord::new();
        let (mut batch, mut sent) = (Batch::default(), 0);
        loop {
            let next = self.source.next(&mut record)?;
            match self.most_rows {
                // Checked before the row is, so that a file beyond the limit costs no more than one within it.
                Some(most) if next != Next::End && sent + batch.read >= most => {
                    return Err(Stop::Failed(ImportError::TooManyRows { most }));
                }
                _ => {}
            }
            match next {
                Next::End => break,
                Next::Row { line } => add(&mut batch, line, &record)?,
                Next::Unreadable { line, column, code, message } => {
                    batch.add_unreadable(line, &record, self.file, (column, code, message));
                }
            }
            if batch.read >= chunk_rows {
                sent += batch.read;
                batch.bytes = self.source.bytes_read();
                send(self.to, Message::Batch(std::mem::take(&mut batch)))?;
            }
        }
        batch.bytes = self.source.bytes_read();
        if batch.read > 0 || batch.skipped.total() > 0 { send(self.to, Message::Batch(batch)) } else { Ok(()) }
    }
}

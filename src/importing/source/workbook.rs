//! Excel workbooks: the cells of one sheet as the rows of a CSV file. An `.xlsx` is read cell by cell, on a thread of its
//! own, with a few hundred rows waiting; of an `.xls`, which has at most 65,536 rows, a whole sheet is in memory.
//!
//! Rows are numbered as Excel shows them.

use std::{
    fs::File,
    io::{BufReader, Cursor, Read, Seek},
    panic::{AssertUnwindSafe, catch_unwind},
    sync::mpsc::{Receiver, SyncSender, sync_channel},
};

use bytes::Bytes;
use calamine::{Data, Reader, Sheet, SheetType, SheetVisible, Xls, XlsError, Xlsx, XlsxError};

use super::{
    super::{
        ImportError, Template,
        heading::{MOST_TITLES, is_header, recognise},
        skips::{Lines, SkipReason, Skips},
        template::table::ValueKind,
    },
    Header, Input, Next, RowSource,
    cells::Cell,
    xls_limit, zip_limit,
};

/// The first bytes of an `.xls`, and of an `.xlsx` with a password.
pub(super) const COMPOUND_FILE: &[u8] = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1";

/// Largest `.xls`.
const MOST_XLS_BYTES: u64 = 64 << 20;

/// Rows that are handed over together, and how many such batches wait.
const BATCH_ROWS: usize = 128;
const BATCHES_WAITING: usize = 2;

/// Most columns that are read. No template has as many, so a row with more is wrong.
const MOST_COLUMNS: usize = 256;

/// A row of a sheet that has a value.
#[derive(Debug, Default)]
struct SheetRow {
    /// Its number, as Excel shows it.
    line: u64,
    cells: Vec<Option<Cell>>,
}

/// What the reading thread sends.
enum Sent {
    /// The sheet was found; rows follow.
    Opened {
        is_1904: bool,
    },
    Rows(Vec<SheetRow>),
    /// There are no more rows.
    End,
    Failed(ImportError),
}

/// A sheet of a workbook.
pub(super) struct WorkbookSource {
    input: Input,
    template: Template,
    sent: Receiver<Sent>,
    /// Rows that were received and not returned.
    waiting: std::vec::IntoIter<SheetRow>,
    is_1904: bool,
    /// The kind of each column of the sheet, by its header.
    kinds: Vec<Option<ValueKind>>,
    /// The last line that a row, or a skipped line, accounts for.
    accounted: u64,
    skipped: Skips,
}

impl WorkbookSource {
    pub(super) fn open(input: &Input, sheet: Option<&str>, template: Template) -> Result<Self, ImportError> {
        let (to, sent) = sync_channel(BATCHES_WAITING);
        let (file, sheet) = (input.clone(), sheet.map(str::to_owned));
        // A thread, because the reader of cells borrows the workbook. It ends when the receiver is dropped.
        std::thread::spawn(move || {
            let read = catch_unwind(AssertUnwindSafe(|| read_sheet(&file, sheet.as_deref(), &to)));
            // The library indexes by what a file claims of itself: that too is an error of the file.
            let error = match read {
                Ok(Ok(()) | Err(Stop::Dropped)) => return,
                Ok(Err(Stop::Failed(error))) => error,
                Err(_) => damaged("the file contradicts itself"),
            };
            let _ = to.send(Sent::Failed(error));
        });
        let is_1904 = match sent.recv() {
            Ok(Sent::Opened { is_1904 }) => is_1904,
            Ok(Sent::Failed(error)) => return Err(error),
            Ok(Sent::Rows(_) | Sent::End) | Err(_) => return Err(ImportError::ReaderGone),
        };
        Ok(Self {
            input: input.clone(),
            template,
            sent,
            waiting: Vec::new().into_iter(),
            is_1904,
            kinds: Vec::new(),
            accounted: 0,
            skipped: Skips::default(),
        })
    }

    /// The next row that has a value. Rows without one are counted as skipped.
    fn next_row(&mut self) -> Result<Option<SheetRow>, ImportError> {
        loop {
            if let Some(row) = self.waiting.next() {
                let empty = row.line.saturating_sub(self.accounted + 1);
                self.skipped.add_all(SkipReason::Blank, self.accounted + 1, empty);
                self.accounted = row.line;
                return Ok(Some(row));
            }
            match self.sent.recv() {
                Ok(Sent::Rows(rows)) => self.waiting = rows.into_iter(),
                Ok(Sent::End) => return Ok(None),
                Ok(Sent::Failed(error)) => return Err(error),
                Ok(Sent::Opened { .. }) | Err(_) => return Err(ImportError::ReaderGone),
            }
        }
    }

    fn texts(&self, row: &SheetRow) -> Vec<String> {
        let text = |cell: &Option<Cell>| cell.as_ref().map(|cell| cell.text(None, self.is_1904).0).unwrap_or_default();
        row.cells.iter().map(text).collect()
    }
}

impl RowSource for WorkbookSource {
    fn header(&mut self) -> Result<Header, ImportError> {
        let (mut first, mut titles) = (None, Vec::new());
        while titles.len() <= MOST_TITLES {
            let Some(row) = self.next_row()? else { break };
            let names = self.texts(&row);
            if is_header(self.template, names.iter().map(String::as_str)) {
                for line in titles {
                    self.skipped.add(SkipReason::Title, line);
                }
                let kind = |cell: &String| {
                    let column = recognise(self.template, cell)?.column;
                    self.template.table().get(column).map(|column| column.kind)
                };
                self.kinds = names.iter().map(kind).collect();
                return Ok(Header { names });
            }
            titles.push(row.line);
            first.get_or_insert(names);
        }
        // No row names columns: the errors are about the first.
        first.map(|names| Header { names }).ok_or(ImportError::EmptyFile)
    }

    fn next(&mut self, record: &mut csv::StringRecord) -> Result<Next, ImportError> {
        let Some(row) = self.next_row()? else { return Ok(Next::End) };
        let (line, mut fault) = (row.line, None);
        record.clear();
        for at in 0..row.cells.len().max(self.kinds.len()) {
            let Some(Some(cell)) = row.cells.get(at) else {
                record.push_field("");
                continue;
            };
            let (text, found) = cell.text(self.kinds.get(at).copied().flatten(), self.is_1904);
            record.push_field(&text);
            if let Some((code, message)) = found {
                fault.get_or_insert(Next::Unreadable { line, column: Some(at), code, message });
            }
        }
        Ok(fault.unwrap_or(Next::Row { line }))
    }

    /// Sheets are compressed: how far the reading has come in the file is not known.
    fn bytes_read(&self) -> u64 {
        0
    }

    /// The parts of a workbook are all over the file, so the digest needs a second pass. It must equal the first digest.
    fn sha256(&mut self) -> Result<String, ImportError> {
        self.input.digest().map(|(digest, _)| digest)
    }

    fn lines(&mut self) -> Lines {
        Lines { read: self.accounted, skipped: std::mem::take(&mut self.skipped) }
    }
}

/// Why reading ends before the sheet does.
enum Stop {
    /// Nobody receives the rows.
    Dropped,
    Failed(ImportError),
}

impl From<ImportError> for Stop {
    fn from(error: ImportError) -> Self {
        Self::Failed(error)
    }
}

fn damaged(why: &str) -> ImportError {
    ImportError::Workbook(why.into())
}

/// A file that is read from any position.
trait Seekable: Read + Seek + Send {}
impl<T: Read + Seek + Send> Seekable for T {}

fn open(input: &Input) -> Result<Box<dyn Seekable>, ImportError> {
    Ok(match input {
        Input::File(path) => {
            Box::new(BufReader::new(File::open(path).map_err(|error| ImportError::read(path, error))?))
        }
        Input::Memory { bytes, .. } => Box::new(Cursor::<Bytes>::new(bytes.clone())),
    })
}

fn read_sheet(input: &Input, sheet: Option<&str>, to: &SyncSender<Sent>) -> Result<(), Stop> {
    let (beginning, _) = input.beginning(COMPOUND_FILE.len())?;
    if beginning == COMPOUND_FILE { read_xls(input, sheet, to) } else { read_xlsx(input, sheet, to) }
}

fn read_xlsx(input: &Input, sheet: Option<&str>, to: &SyncSender<Sent>) -> Result<(), Stop> {
    zip_limit::check(open(input)?)?;
    let mut workbook = Xlsx::new(open(input)?).map_err(xlsx_error)?;
    let name = choose(workbook.sheets_metadata(), sheet)?;
    let is_1904 = workbook.has_1904_epoch();
    let mut sheet = workbook.worksheet_cells_reader(&name).map_err(xlsx_error)?;
    let mut rows = RowSender::open(to, is_1904)?;
    while let Some(cell) = sheet.next_cell().map_err(xlsx_error)? {
        let (row, column) = cell.get_position();
        rows.add(row, column, cell.get_value().clone().into())?;
    }
    rows.finish()
}

fn read_xls(input: &Input, sheet: Option<&str>, to: &SyncSender<Sent>) -> Result<(), Stop> {
    if input.size()? > MOST_XLS_BYTES {
        let what = format!("an .xls may have {} MiB", MOST_XLS_BYTES >> 20);
        return Err(ImportError::WorkbookTooLarge { what }.into());
    }
    // An .xlsx with a password has the outer format of an .xls.
    if matches!(Xlsx::new(open(input)?), Err(XlsxError::Password)) {
        return Err(ImportError::WorkbookLocked.into());
    }
    xls_limit::check(open(input)?)?;
    let mut workbook = Xls::new(open(input)?).map_err(|error| match error {
        XlsError::Password => ImportError::WorkbookLocked,
        error => ImportError::Workbook(Box::new(error)),
    })?;
    let name = choose(workbook.sheets_metadata(), sheet)?;
    let range = workbook.worksheet_range(&name).map_err(|error| ImportError::Workbook(Box::new(error)))?;
    let (first_row, first_column) = range.start().unwrap_or_default();
    let mut rows = RowSender::open(to, workbook.has_1904_epoch())?;
    for (row, column, data) in range.used_cells() {
        let at = |first: u32, offset: usize| first.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
        rows.add(at(first_row, row), at(first_column, column), data.clone())?;
    }
    rows.finish()
}

fn xlsx_error(error: XlsxError) -> Stop {
    Stop::Failed(match error {
        XlsxError::Password => ImportError::WorkbookLocked,
        error => ImportError::Workbook(Box::new(error)),
    })
}

/// The sheet of a name, or the first one that can be seen.
fn choose(sheets: &[Sheet], name: Option<&str>) -> Result<String, ImportError> {
    let mut worksheets = sheets.iter().filter(|sheet| sheet.typ == SheetType::WorkSheet);
    let found = match name {
        Some(name) => worksheets.find(|sheet| sheet.name == name),
        None => worksheets.find(|sheet| sheet.visible == SheetVisible::Visible),
    };
    found.map(|sheet| sheet.name.clone()).ok_or_else(|| ImportError::SheetUnknown {
        sheet: name.unwrap_or_default().to_owned(),
        sheets: sheets.iter().map(|sheet| sheet.name.clone()).collect(),
    })
}

/// Collects cells to rows and sends them.
struct RowSender<'a> {
    to: &'a SyncSender<Sent>,
    row: SheetRow,
    batch: Vec<SheetRow>,
}

impl<'a> RowSender<'a> {
    fn open(to: &'a SyncSender<Sent>, is_1904: bool) -> Result<Self, Stop> {
        to.send(Sent::Opened { is_1904 }).map_err(|_| Stop::Dropped)?;
        Ok(Self { to, row: SheetRow::default(), batch: Vec::new() })
    }

    /// Adds a cell; the first row and column are 0. Cells come in the order of the sheet.
    fn add(&mut self, row: u32, column: u32, data: Data) -> Result<(), Stop> {
        let Some(cell) = Cell::of(data) else { return Ok(()) };
        let line = u64::from(row) + 1;
        if line < self.row.line {
            return Err(Stop::Failed(damaged("its rows are not in order")));
        }
        if line > self.row.line {
            self.end_row()?;
            self.row.line = line;
        }
        // All columns beyond the last are one, so that a damaged position cannot fill the memory.
        let at = usize::try_from(column).unwrap_or(usize::MAX).min(MOST_COLUMNS);
        if self.row.cells.len() <= at {
            self.row.cells.resize(at + 1, None);
        }
        if let Some(place) = self.row.cells.get_mut(at) {
            *place = Some(cell);
        }
        Ok(())
    }

    fn end_row(&mut self) -> Result<(), Stop> {
        let row = std::mem::take(&mut self.row);
        if !row.cells.is_empty() {
            self.batch.push(row);
        }
        if self.batch.len() >= BATCH_ROWS { self.send() } else { Ok(()) }
    }

    fn send(&mut self) -> Result<(), Stop> {
        self.to.send(Sent::Rows(std::mem::take(&mut self.batch))).map_err(|_| Stop::Dropped)
    }

    fn finish(mut self) -> Result<(), Stop> {
        self.end_row()?;
        self.send()?;
        self.to.send(Sent::End).map_err(|_| Stop::Dropped)
    }
}

//! Measures the sheets of an `.xls` file before it is read: its reader makes room for every cell between the first and the
//! last one that a sheet has, and for as many as the sheet claims to have, so that a small file could fill the memory.
//!
//! An `.xls` is a compound file ([MS-CFB]) with a stream of records ([MS-XLS]).

use std::io::{self, Read, Seek, SeekFrom};

use super::super::ImportError;

/// Most rows and columns of a sheet in this format.
const MOST_ROWS: u32 = 65_536;
const MOST_COLUMNS: u32 = 256;

/// Most cells of all sheets, empty ones between others included.
const MOST_CELLS: u64 = 8 << 20;

/// Most sectors of the table that chains all others, for the largest file that is read.
const MOST_TABLE_SECTORS: usize = 2048;

/// The end of a chain of sectors, and other numbers that are no sectors.
const NO_SECTOR: u32 = 0xffff_fffa;

/// Refuses a workbook with sheets that are too large, or that claim to be.
pub(super) fn check(file: impl Read + Seek) -> Result<(), ImportError> {
    let mut file = CompoundFile::open(file).map_err(failed)?;
    let stream = file.workbook().map_err(failed)?;
    let mut sheets = Sheets::default();
    let mut rest = stream.as_slice();
    while let [kind_low, kind_high, size_low, size_high, behind @ ..] = rest {
        let size = usize::from(u16::from_le_bytes([*size_low, *size_high]));
        // The stream is padded at its end.
        let Some((data, behind)) = behind.split_at_checked(size) else { break };
        sheets.add(u16::from_le_bytes([*kind_low, *kind_high]), data);
        rest = behind;
    }
    sheets.end();
    if sheets.is_too_large {
        let what = format!("its sheets have, or claim to have, more than {MOST_CELLS} cells");
        return Err(ImportError::WorkbookTooLarge { what });
    }
    Ok(())
}

fn failed(error: io::Error) -> ImportError {
    ImportError::Workbook(Box::new(error))
}

fn number_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes(bytes.try_into().ok()?))
}

fn short_at(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(2)?)?;
    Some(u32::from(u16::from_le_bytes(bytes.try_into().ok()?)))
}

/// The extent of the sheets, by their records.
#[derive(Debug, Default)]
struct Sheets {
    /// First and last row and column of the present sheet.
    extent: Option<[u32; 4]>,
    cells: u64,
    is_too_large: bool,
}

impl Sheets {
    fn add(&mut self, kind: u16, data: &[u8]) {
        match kind {
            // The begin and the end of a sheet.
            0x0809 | 0x000a => self.end(),
            // What the sheet claims: first row, row behind the last, first column, column behind the last.
            0x0200 => {
                let rows = number_at(data, 4).unwrap_or(0).saturating_sub(number_at(data, 0).unwrap_or(0));
                let columns = short_at(data, 10).unwrap_or(0).saturating_sub(short_at(data, 8).unwrap_or(0));
                let cells = u64::from(rows) * u64::from(columns);
                // The older form has shorter numbers, which cannot be too large.
                self.is_too_large |=
                    data.len() >= 12 && (rows > MOST_ROWS || columns > MOST_COLUMNS || cells > MOST_CELLS);
            }
            // Formula, several numbers, text, text of the table, number, label, truth value, number.
            0x0006 | 0x00bd | 0x00d6 | 0x00fd | 0x0203 | 0x0204 | 0x0205 | 0x027e => {
                let (Some(row), Some(column)) = (short_at(data, 0), short_at(data, 2)) else { return };
                // A record of several numbers ends with the last column.
                let last = if kind == 0x00bd { short_at(data, data.len().saturating_sub(2)) } else { None };
                let last = last.unwrap_or(column).max(column);
                let [first_row, last_row, first_column, last_column] = self.extent.unwrap_or([row, row, column, last]);
                self.extent =
                    Some([first_row.min(row), last_row.max(row), first_column.min(column), last_column.max(last)]);
            }
            _ => {}
        }
    }

    fn end(&mut self) {
        if let Some([first_row, last_row, first_column, last_column]) = self.extent.take() {
            self.cells += u64::from(last_row - first_row + 1) * u64::from(last_column - first_column + 1);
            self.is_too_large |= self.cells > MOST_CELLS;
        }
    }
}

/// A compound file: sectors of one size, chained by a table.
struct CompoundFile<F> {
    file: F,
    sector_size: u64,
    /// The sector behind each sector.
    next: Vec<u32>,
    header: [u8; 512],
}

impl<F: Read + Seek> CompoundFile<F> {
    fn open(mut file: F) -> io::Result<Self> {
        let mut header = [0; 512];
        file.seek(SeekFrom::Start(0))?;
        file.read_exact(&mut header)?;
        let sector_size = match short_at(&header, 30) {
            Some(9) => 512,
            Some(12) => 4096,
            _ => return Err(damaged()),
        };
        let mut this = Self { file, sector_size, next: Vec::new(), header };
        for sector in this.table_sectors()? {
            let sector = this.sector(sector)?;
            this.next.extend((0..sector.len() / 4).filter_map(|nth| number_at(&sector, nth * 4)));
        }
        Ok(this)
    }

    /// The sectors of the table: the first are listed in the header, the others in sectors of their own.
    fn table_sectors(&mut self) -> io::Result<Vec<u32>> {
        let mut all: Vec<u32> = (0..109).filter_map(|nth| number_at(&self.header, 76 + nth * 4)).collect();
        let mut list = number_at(&self.header, 68).unwrap_or(NO_SECTOR);
        // As many lists as the header states, so that a circle ends.
        for _ in 0..number_at(&self.header, 72).unwrap_or(0) {
            if list >= NO_SECTOR || all.len() > MOST_TABLE_SECTORS {
                break;
            }
            let sector = self.sector(list)?;
            let entries = (sector.len() / 4).saturating_sub(1);
            all.extend((0..entries).filter_map(|nth| number_at(&sector, nth * 4)));
            list = number_at(&sector, entries * 4).unwrap_or(NO_SECTOR);
        }
        all.retain(|sector| *sector < NO_SECTOR);
        // Each lists 128 sectors or more, and the file has no more than so many of them.
        if all.len() > MOST_TABLE_SECTORS { Err(damaged()) } else { Ok(all) }
    }

    fn sector(&mut self, number: u32) -> io::Result<Vec<u8>> {
        self.file.seek(SeekFrom::Start((u64::from(number) + 1) * self.sector_size))?;
        let mut sector = Vec::new();
        Read::by_ref(&mut self.file).take(self.sector_size).read_to_end(&mut sector)?;
        // The last sector of a file may be short, and no other is.
        if sector.is_empty() { Err(damaged()) } else { Ok(sector) }
    }

    /// A stream by its first sector.
    fn chain(&mut self, first: u32) -> io::Result<Vec<u8>> {
        let (mut bytes, mut sector) = (Vec::new(), first);
        // No chain is longer than the table, so that a circle ends.
        for _ in 0..self.next.len() {
            if sector >= NO_SECTOR {
                break;
            }
            bytes.extend(self.sector(sector)?);
            sector = usize::try_from(sector).ok().and_then(|at| self.next.get(at)).copied().ok_or_else(damaged)?;
        }
        Ok(bytes)
    }

    /// The stream with the sheets.
    fn workbook(&mut self) -> io::Result<Vec<u8>> {
        let directory = self.chain(number_at(&self.header, 48).unwrap_or(NO_SECTOR))?;
        let named = |entry: &&[u8], name: &str| {
            let utf16 = name.encode_utf16().flat_map(u16::to_le_bytes).chain([0, 0]);
            entry.iter().copied().take(name.len() * 2 + 2).eq(utf16)
        };
        let entry = directory.chunks_exact(128).find(|entry| named(entry, "Workbook") || named(entry, "Book"));
        let entry = entry.ok_or_else(damaged)?;
        let (first, size) = (number_at(entry, 116).unwrap_or(NO_SECTOR), number_at(entry, 120).unwrap_or(0));
        // Shorter streams are in another one, and Excel writes none.
        if size < 4096 {
            return Err(damaged());
        }
        let mut stream = self.chain(first)?;
        stream.truncate(usize::try_from(size).unwrap_or(usize::MAX));
        Ok(stream)
    }
}

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file is no workbook of Excel 97 to 2003, or damaged")
}
